"""Scoring a file as most do it: pandas reads and writes it, a pipeline of scikit-learn scores it.

Run as ``python -m benchmarks.usual_pipeline SOURCE TARGET``; the weights are the served model's.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.artifact.artifact import Artifact

ARTIFACT = Path(__file__).parents[1] / "artifacts" / "heart.npz"


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def main(source: Path, target: Path) -> None:
    artifact = Artifact.load(ARTIFACT)
    model = as_pipeline(artifact)
    table = pd.read_csv(source)
    probabilities = model.predict_proba(table.drop(columns="id"))[:, 1]
    answers = pd.DataFrame({"id": table["id"], "probability": probabilities})
    answers["predicted_class"] = (probabilities > artifact.threshold).astype(int)
    answers["label"] = np.array(artifact.labels)[answers["predicted_class"]]
    answers.to_csv(target, index=False)


def as_pipeline(artifact: Artifact) -> Pipeline:
    """Return a pipeline that has been fitted to anything, with the weights of a model of ours."""
    nominal = [feature for feature in artifact.features if feature.kind == "nominal"]
    codes = [[code for code, _ in feature.codes] for feature in nominal]
    columns = ColumnTransformer(
        [
            (
                "nominal",
                OneHotEncoder(categories=codes, sparse_output=False),
                [f.name for f in nominal],
            )
        ],
        remainder="passthrough",
    )
    ours, scaler = artifact.pipeline, StandardScaler()
    network = ours.network
    mlp = MLPClassifier(network.layer_sizes[1:-1], activation=network.hidden_activation, max_iter=1)
    model = make_pipeline(columns, scaler, mlp)
    X = pd.DataFrame(artifact.golden_inputs, columns=artifact.features.names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, np.arange(len(X)) % 2)
    # The nominal columns come first there, in place here.
    order = np.argsort(~ours.encoding.is_indicator, kind="stable")
    scaler.mean_, scaler.scale_ = ours.mean[order], ours.scale[order]
    W1, *others = (network.parameters[f"W{layer + 1}"] for layer in range(network.depth))
    mlp.coefs_ = [W1[order], *others]
    mlp.intercepts_ = [network.parameters[f"b{layer + 1}"] for layer in range(network.depth)]
    return model


if __name__ == "__main__":
    main()
