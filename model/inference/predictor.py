"""The predictor: the one object that the service asks for probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from model.arrays import Array
from model.inference.golden import GoldenRows
from model.inference.pipeline import Pipeline
from model.inference.single_row import SingleRow
from model.schema.classes import class_probabilities
from model.schema.features import FeatureSet


class Predictor:
    """A model made ready to answer.

    Parameters
    ----------
    pipeline : Pipeline
        Computes the outputs.
    golden : GoldenRows
        What it must give.
    features : FeatureSet
        The columns of a row.
    labels : tuple of str
        Names of the classes; of two, the positive one last.
    threshold : float or None
        Above it the positive class is predicted; None where the most probable class is.
    version : str
        That of the model.
    other_columns : tuple of str
        Names of columns that its table has beside the features.

    Notes
    -----
    The scaler is folded into the first layer once, so that a request costs an encoding and the
    products of the network. `is_sound` shows on the golden rows that this changes no answer.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        golden: GoldenRows,
        *,
        features: FeatureSet,
        labels: tuple[str, ...],
        threshold: float | None,
        version: str,
        other_columns: tuple[str, ...] = (),
    ) -> None:
        self.features = features
        self.labels = labels
        self.threshold = threshold
        self.version = version
        self.other_columns = other_columns
        self._golden = golden
        self._encoding = pipeline.encoding
        self._fill = pipeline.mean
        self._network = network = pipeline.folded_network()
        is_single = SingleRow.computes(network)
        self._single_row = SingleRow(self._encoding, self._fill, network) if is_single else None

    def predict_proba(self, X: Array) -> Array:
        """Return the probability of the positive class; with more than two, that of each.

        Parameters
        ----------
        X : Array of shape (n, n_features)
            Rows in the order of the feature set.

        Returns
        -------
        Array of shape (n,) or (n, n_classes)
            A row's is the same to the last bit whatever rows it comes with.
        """
        encoded = self._encoding.filled(self._encoding.transform(X), self._fill)
        outputs = self._network.predict_proba(encoded)
        return class_probabilities(outputs, self._network.output_activation)

    def predict_row(self, row: Sequence[float]) -> float | list[float]:
        """Return for one row what `predict_proba` returns for it among many, to the last bit.

        Parameters
        ----------
        row : sequence of n_features numbers
            In the order of the feature set.
        """
        if self._single_row:
            return self._single_row.output(row)
        probabilities: float | list[float] = self.predict_proba(np.array([row]))[0].tolist()
        return probabilities

    def predict_records(self, records: Iterable[Mapping[str, float]]) -> Array:
        """Return the probabilities of records that hold every feature."""
        return self.predict_proba(self.features.matrix(records))

    def is_sound(self) -> bool:
        """Return whether both ways to predict give the probabilities of the golden rows.

        Those that `predict_proba` gives must be within the tolerance of the stored ones, and those
        that `predict_row` gives the same to the last bit.
        """
        rows = self._golden.inputs
        with np.errstate(all="ignore"):
            together = self.predict_proba(rows)
            alone = np.array([self.predict_row(row) for row in rows.tolist()])
        return self._golden.agree(together) and alone.tobytes() == together.tobytes()
