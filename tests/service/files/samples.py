"""Files of made-up rows, written by other means than those that read them, and what is due."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from model.inference.predictor import Predictor
from service.errors import InvalidInput
from service.faults import as_text
from service.protocols.native.scoring import Scorer

Rows = Sequence[Mapping[str, Any]]


def write(path: Path, rows: Rows) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Return what a user of the standard library reads."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [
                {key: value or None for key, value in row.items()} for row in csv.DictReader(file)
            ]
    return [json.loads(line) for line in path.read_text().splitlines()]


@cache
def _scorer(predictor: Predictor) -> Scorer:
    return Scorer(predictor, max_rows=1)


def answered(predictor: Predictor, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that say what POST /predict says."""
    answer = json.loads(_scorer(predictor).predict(json.dumps(record).encode()).body)
    reported = (
        {"probability": answer["probability"]}
        if "probability" in answer
        else {f"probability_{label}": value for label, value in answer["probabilities"].items()}
    )
    return {
        **reported,
        "predicted_class": answer["predicted_class"],
        "label": answer["label"],
        "model_version": answer["model_version"],
        "warnings": " ".join(map(as_text, answer["warnings"])) or None,
    }


def reasons(predictor: Predictor, record: Mapping[str, Any]) -> str:
    """Return the column that says why POST /predict refuses, empty where it does not."""
    try:
        _scorer(predictor).predict(json.dumps(record).encode())
    except InvalidInput as refusal:
        return " ".join(map(as_text, refusal.faults))
    return ""
