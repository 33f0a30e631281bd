"""Rivals: the models of scikit-learn and Keras that a network is compared with."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from model.arrays import Array
from model.evaluation.validation import Rows
from model.reports.comparison import Contender, Predict
from model.schema.classes import class_probabilities

HIDDEN_UNITS = 8
LEARNING_RATE = 0.001
ITERATIONS = 100


def rivals() -> tuple[Contender, ...]:
    """Return all rivals.

    Raises
    ------
    ModuleNotFoundError
        When Keras or its backend is not installed; its name is the error's.

    Notes
    -----
    The source's network in Keras has no activation on its hidden layer, so its two layers compute
    a single linear layer. The network with the intended activation is included as well.
    """
    _import_keras()
    return (
        Contender("scikit-learn MLPClassifier", fit_mlp_classifier),
        Contender("scikit-learn LogisticRegression", fit_logistic_regression),
        Contender("scikit-learn RandomForestClassifier", fit_random_forest),
        Contender("Keras, hidden layer without activation", partial(fit_keras, "linear")),
        Contender("Keras, ReLU hidden layer", partial(fit_keras, "relu")),
    )


def fit_mlp_classifier(X: Array, classes: Rows, random_state: int) -> Predict:
    """Fit scikit-learn's network of 8 hidden units by 100 iterations of Adam."""
    model = MLPClassifier(
        hidden_layer_sizes=(HIDDEN_UNITS,),
        learning_rate_init=LEARNING_RATE,
        max_iter=ITERATIONS,
        random_state=random_state,
    )
    with warnings.catch_warnings():
        # It stops at max_iter, before it has converged: the setting of the source.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _fit_classifier(model, X, classes)


def fit_logistic_regression(X: Array, classes: Rows, random_state: int) -> Predict:
    """Fit a logistic regression with scikit-learn's own strength of penalty."""
    return _fit_classifier(LogisticRegression(max_iter=1000, random_state=random_state), X, classes)


def fit_random_forest(X: Array, classes: Rows, random_state: int) -> Predict:
    """Fit a random forest of 300 trees."""
    return _fit_classifier(
        RandomForestClassifier(n_estimators=300, random_state=random_state), X, classes
    )


def fit_keras(hidden_activation: str, X: Array, classes: Rows, random_state: int) -> Predict:
    """Fit Keras' network of 8 hidden units by 100 epochs of Adam, in batches of 32 rows.

    Parameters
    ----------
    hidden_activation : str
        Keras' name of it.
    X : Array of shape (n, d)
        Encoded and scaled rows.
    classes : Rows of shape (n,)
        The class of each row, counted from 0.
    random_state : int
        Seed of the initialisation and of the order of the rows. The global generators of Python
        and NumPy take it too: that is how Keras is seeded.
    """
    keras = _import_keras()
    keras.utils.set_random_seed(random_state)
    labels = int(classes.max()) + 1
    is_binary = labels == 2
    model = keras.Sequential(
        [
            keras.Input((X.shape[1],)),
            keras.layers.Dense(HIDDEN_UNITS, activation=hidden_activation),
            keras.layers.Dense(1, activation="sigmoid")
            if is_binary
            else keras.layers.Dense(labels, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        # "Sparse" takes the numbers of the classes in place of their indicators.
        loss="binary_crossentropy" if is_binary else "sparse_categorical_crossentropy",
    )
    # JAX has no 64-bit integers by default.
    model.fit(X, classes.astype(np.int32), epochs=ITERATIONS, verbose=0)
    # For a single row it is the fastest of Keras' ways.
    return lambda rows: class_probabilities(model.predict_on_batch(rows), "softmax")


def _fit_classifier(model: Any, X: Array, classes: Rows) -> Predict:
    model.fit(X, classes)
    return lambda rows: class_probabilities(model.predict_proba(rows), "softmax")


@cache
def _import_keras() -> Any:
    """Import Keras with JAX on the CPU, independent of the user's settings.

    Notes
    -----
    Keras reads its home directory while it is imported, and writes a file where there is none.
    """
    with (
        TemporaryDirectory() as home,
        _environment(KERAS_BACKEND="jax", KERAS_HOME=home, JAX_PLATFORMS="cpu"),
    ):
        import keras  # noqa: PLC0415  # the environment comes first

        # Starts the backend, so that its time is not part of the first fit.
        keras.ops.zeros(1)
    return keras


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
