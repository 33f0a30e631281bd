"""The estimator: the procedure for any table, as scikit-learn calls it."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from model.arrays import Array
from model.data import Dataset
from model.inference.pipeline import Pipeline
from model.network.network import NeuralNetwork
from model.recipes.tables.refusals import LARGEST_VALUE
from model.recipes.tables.table_fit import PlannedTableFit, TableFit
from model.schema.features import Feature, FeatureSet

TARGET = "y"


class NeuralNetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped
    """A calibrated average of small neural networks, as an estimator of scikit-learn.

    It is the procedure that ``heartline train`` follows for any table: networks of several forms
    and penalties, weighted and calibrated by predictions of rows that were held out in an inner
    cross-validation, all as one network. It has no settings to tune. Inputs need no scaling.

    Parameters
    ----------
    cv : int, optional
        Folds of the inner cross-validation, at least 2. By default their number depends on the
        number of rows; tables of very many rows have a single inner division.
    random_state : int, RandomState instance or None, optional
        Seed of the initial weights, of the order of the rows and of the inner folds. With an int,
        fits of the same rows give the same network.

    Attributes
    ----------
    classes_ : NDArray of shape (n_classes,)
        The labels of the classes.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : NDArray of str, of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.
    pipeline_ : Pipeline
        The network, with the encoding and the scaler before it.

    See Also
    --------
    heartline.train : Fit a table with texts and missing values, and judge the model.

    Notes
    -----
    Every column is a number: encode texts with `sklearn.preprocessing.OneHotEncoder`, and fill
    missing values with `sklearn.impute.SimpleImputer`.

    `fit` takes no sample weights. In scikit-learn a weight of two means the same as two equal
    rows; two equal rows may be in different batches and inner folds, and one row cannot.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = load_wine(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = NeuralNetworkClassifier(random_state=0).fit(X_train, y_train)
    >>> model.predict(X_test[:3])
    array([0, 2, 1])
    >>> model.predict_proba(X_test).shape
    (45, 3)
    >>> bool(model.score(X_test, y_test) > 0.9)
    True
    """

    def __init__(self, cv: int | None = None, random_state: Any = None) -> None:
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> NeuralNetworkClassifier:
        """Fit the networks, their weights and the calibration.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers, none of them missing.
        y : array-like of shape (n,)
            The label of each row, of at least two classes.

        Returns
        -------
        NeuralNetworkClassifier
            Itself.

        Raises
        ------
        ValueError or TypeError
            When X, y or a parameter cannot be used.
        DivergenceError
            When the training leaves the finite numbers.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        _check_magnitude(X)
        labels, classes = np.unique(y, return_inverse=True)
        _check_classes(labels, classes)
        dataset = _dataset(X, classes, len(labels))
        procedure = self._procedure(dataset)
        fitted = procedure.fit(dataset, _seed(self.random_state), lambda _: None)
        self.classes_: NDArray[Any] = labels
        self.pipeline_: Pipeline = fitted.pipeline
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            The rows.

        Returns
        -------
        NDArray of shape (n,)
            Each is one of `classes_`.
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            The rows.

        Returns
        -------
        Array of shape (n, n_classes)
            In the order of `classes_`.
        """
        rows = self._rows(X)
        probabilities = self.pipeline_.class_probabilities(rows)
        if probabilities.ndim == 1:
            return np.column_stack([1.0 - probabilities, probabilities])
        return probabilities

    def decision_function(self, X: Any) -> Array:
        """Return the weighted sums of which `predict_proba` makes probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            The rows.

        Returns
        -------
        Array of shape (n,) or (n, n_classes)
            With two classes the log-odds of the last, else the logit of each.
        """
        rows = self._rows(X)
        logits = replace(self.pipeline_, network=_linear(self.pipeline_.network)).predict_proba(
            rows
        )
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def _rows(self, X: Any) -> Array:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, dtype=np.float64, reset=False))

    def _procedure(self, dataset: Dataset) -> PlannedTableFit:
        procedure = TableFit().planned(dataset)
        if self.cv is None:
            return procedure
        check_scalar(self.cv, "cv", Integral, min_val=2)
        return replace(procedure, plan=replace(procedure.plan, inner_folds=int(self.cv)))


def _check_magnitude(X: Array) -> None:
    if max(X.max(), -X.min()) > LARGEST_VALUE:
        raise ValueError(f"Input X contains a value beyond {LARGEST_VALUE:g}.")


def _check_classes(labels: NDArray[Any], classes: NDArray[np.intp]) -> None:
    """Raise a ValueError where there is nothing to tell apart, or no row to hold out."""
    if len(labels) < 2:
        raise ValueError(
            "This classifier needs samples of at least 2 classes in the data, but the data "
            f"contains only one class: {_shown(labels[0])}"
        )
    rows = np.bincount(classes)
    if rows.min() < 2:
        label = _shown(labels[rows.argmin()])
        raise ValueError(
            f"The least populated class in y, {label}, has only 1 member, which is too few. The "
            "minimum number of members of any class is 2, for the inner cross-validation."
        )


def _shown(label: Any) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)


def _dataset(X: Array, classes: NDArray[np.intp], number: int) -> Dataset:
    """Return rows as the procedure takes them: every column is a measurement."""
    names = [f"x{column}" for column in range(X.shape[1])]
    features = FeatureSet(
        Feature(name, "A number", "continuous", 0.0, "", -LARGEST_VALUE, LARGEST_VALUE)
        for name in names
    )
    codes = tuple((code, f"class {code}") for code in range(number))
    target = Feature(TARGET, "The class", "nominal", 0.0, codes=codes)
    frame = pd.DataFrame(X, columns=names).assign(**{TARGET: classes})
    return Dataset(frame, features, target, {}, "arrays")


def _linear(network: NeuralNetwork) -> NeuralNetwork:
    """Return a network whose outputs are the weighted sums of another's output layer."""
    form = network.layer_sizes, network.hidden_activation
    return NeuralNetwork(*form, "identity", network.parameters)


def _seed(random_state: Any) -> int:
    """Return the seed of a fit: an int is taken as it is, so that the recipes have the same."""
    generator = check_random_state(random_state)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))
