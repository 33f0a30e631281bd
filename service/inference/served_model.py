"""The served model: what all routes ask, and what a new model replaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from model.artifact.artifact import Artifact
from model.errors import HeartlineError
from model.inference.predictor import Predictor
from service.http.documents import Document
from service.observability.metrics.model_info import ModelMeter
from service.observability.metrics.predicted_rows import PredictionMeter
from service.protocols.native.scoring import Scorer
from service.protocols.native.trial import try_out

Describe: TypeAlias = Callable[[Scorer], dict[str, Any]]
"""Makes the OpenAPI document."""


class UnservableError(HeartlineError):
    """A model that passed the checks of its file and does not answer as it must."""


class Served(NamedTuple):
    """All that is made of one model."""

    scorer: Scorer
    card: Document
    openapi: Document


class ServedModel:
    """The model that answers at the moment.

    Parameters
    ----------
    max_rows : int
        Most records in a batch.
    meter : PredictionMeter
        Counts the answers, whichever model gives them.
    model_meter : ModelMeter
        Exposes which model that is.

    Attributes
    ----------
    current : Served
        What answers, from `begin` on. A request takes it once, so that the whole of its answer is
        of one model.
    """

    current: Served

    def __init__(self, max_rows: int, meter: PredictionMeter, model_meter: ModelMeter) -> None:
        self._max_rows = max_rows
        self._meter = meter
        self._model_meter = model_meter

    def begin(self, artifact: Artifact, describe: Describe) -> None:
        """Let the first model answer.

        Parameters
        ----------
        artifact : Artifact
            The model.
        describe : callable
            Makes the OpenAPI document of this and every later model.

        Raises
        ------
        UnservableError
            As by `use`.
        """
        self._describe = describe
        self.use(artifact)

    def use(self, artifact: Artifact) -> None:
        """Let another model answer from the next request on.

        Raises
        ------
        UnservableError
            When anything of it cannot be made or does not work; then nothing has changed.
        """
        try:
            made = self._made(artifact)
            self._model_meter.serves(artifact)
        except Exception as error:
            raise UnservableError(
                f"the model {ascii(artifact.name)[1:-1]} cannot be served: its trial ended with "
                f"{type(error).__name__}"
            ) from error
        self.current = made

    def _made(self, artifact: Artifact) -> Served:
        scorer = Scorer(Predictor(artifact), self._max_rows)
        try_out(scorer)
        return Served(
            scorer.counting(self._meter),
            Document(artifact.card()),
            Document(self._describe(scorer)),
        )

    @property
    def scorer(self) -> Scorer:
        """What answers at the moment."""
        return self.current.scorer
