"""The served model: what all routes ask, and what a new model replaces."""

from __future__ import annotations

from model.artifact import Artifact
from model.predictor import Predictor
from service.metrics.predictions import PredictionMeter
from service.scoring import Scorer


class ServedModel:
    """The model that answers at the moment.

    Parameters
    ----------
    artifact : Artifact
        The first one.
    max_rows : int
        Most records in a batch.
    meter : PredictionMeter
        Counts the answers, whichever model gives them.

    Attributes
    ----------
    scorer : Scorer
        What answers. A request takes it once, so that the whole of its answer is of one model.
    """

    def __init__(self, artifact: Artifact, max_rows: int, meter: PredictionMeter) -> None:
        self._max_rows = max_rows
        self._meter = meter
        self.use(artifact)

    def use(self, artifact: Artifact) -> None:
        """Let another model answer from the next request on."""
        self.scorer = Scorer(Predictor(artifact), self._max_rows, self._meter)

    @property
    def artifact(self) -> Artifact:
        """The artifact of the moment."""
        return self.scorer.predictor.artifact
