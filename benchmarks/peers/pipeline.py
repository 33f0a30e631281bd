"""The same network as a scikit-learn pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers.network import ARRAYS


def make_pipeline() -> Pipeline:
    """Return a fitted pipeline with the weights of the artifact."""
    rows, classes = np.eye(2, len(ARRAYS["W1"])), np.array([0, 1])
    scaler = StandardScaler().fit(rows)
    scaler.mean_, scaler.scale_ = ARRAYS["scaler_mean"], ARRAYS["scaler_scale"]
    network = MLPClassifier((len(ARRAYS["W2"]),)).partial_fit(rows, classes, classes=classes)
    network.coefs_ = [ARRAYS["W1"], ARRAYS["W2"]]
    network.intercepts_ = [ARRAYS["b1"], ARRAYS["b2"]]
    return Pipeline([("scaler", scaler), ("network", network)])


_pipeline = make_pipeline()


def probabilities(rows: Any) -> Any:
    """Return the probability of each row."""
    return _pipeline.predict_proba(rows)[:, 1]
