"""What the servers are asked: one record, and 1,000, in the form that each of them takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.servers import JSON, Question
from model.artifact.artifact import Artifact
from model.data import load_heart


class Patients:
    """Rows of the bundled data set as questions to a server, with the answer of a model.

    Parameters
    ----------
    artifact : Path
        The model's file.
    """

    def __init__(self, artifact: Path) -> None:
        self.artifact = artifact
        self.predictor = Artifact.load(artifact).predictor()
        self.features = self.predictor.features
        self.names = self.features.names

    def rows(self, count: int) -> list[list[float]]:
        """Return rows of the data set, over and over; whole numbers as such."""
        X = np.resize(load_heart().X, (count, len(self.names)))
        return [
            [int(value) if value.is_integer() else value for value in row] for row in X.tolist()
        ]

    def records(self, count: int) -> list[dict[str, float]]:
        """Return the same rows by name."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows(count)]

    def asked(self, path: str, count: int, form: object, place: Sequence[str | int]) -> Question:
        """Return the question about the first rows in a form that they have been put into."""
        body = json.dumps(form, separators=(",", ":")).encode()
        last = float(self.predictor.predict_proba(np.array(self.rows(count)))[-1])
        return Question("POST", path, body, JSON, count, place, last)
