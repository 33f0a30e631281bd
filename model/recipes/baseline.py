"""The baseline: scikit-learn's logistic regression, as a network without hidden layers."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegressionCV

from model.data import Dataset
from model.evaluation.validation import Mask, Rows
from model.inference.pipeline import Pipeline
from model.network.network import NeuralNetwork
from model.recipes.design import Fitted, Watch
from model.schema.encoding import Encoding


class LogisticBaseline:
    """Logistic regression on the columns as they are, for two classes.

    Notes
    -----
    The strength of its penalty is chosen by scikit-learn's own cross-validation of the rows that
    it is fitted to. sigmoid(x @ coefficients + intercept) is a network of one layer, so it is
    saved, served and drawn like the networks that it is compared with.
    """

    def fit(
        self,
        dataset: Dataset,
        rows: Rows,
        random_state: int,  # noqa: ARG002  # nothing is drawn
        watch: Watch | None = None,
    ) -> Fitted:
        """Fit on some rows of a data set; see `model.recipes.design.Design.fit`."""
        model = LogisticRegressionCV(
            scoring="accuracy", l1_ratios=(0,), use_legacy_attributes=False
        ).fit(dataset.X[rows], dataset.classes[rows])
        if watch is not None:
            watch.on_progress(1.0)
        columns = len(dataset.features)
        network = NeuralNetwork(
            (columns, 1), "identity", "sigmoid", {"W1": model.coef_.T, "b1": model.intercept_}
        )
        encoding = Encoding.plain(dataset.features)
        pipeline = Pipeline(encoding, np.zeros(columns), np.ones(columns), network)
        return Fitted(pipeline, settings={"C": float(model.C_)})

    def fit_folds(self, dataset: Dataset, training: Mask, random_state: int) -> list[Pipeline]:
        """Return a pipeline for each set of rows."""
        return [self.fit(dataset, np.flatnonzero(mask), random_state).pipeline for mask in training]
