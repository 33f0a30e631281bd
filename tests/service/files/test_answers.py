"""The answers to the rows of a file are those of POST /predict, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.files.score_file import Tally, score_file
from tests.conftest import ARTIFACT
from tests.service.files.samples import answered, read, write
from tests.service.samples import CODED, FEATURES, example, random_records

RECORDS = random_records(400, 3)
FORMATS = [".csv", ".ndjson", ".parquet"]


def reported(path: Path) -> list[dict[str, Any]]:
    """Return the rows of answers, numbers read from text where they are text."""
    rows = read(path)
    for row in rows:
        for name, value in row.items():
            if name.startswith("probability"):
                row[name] = float(value)
            elif name in ("row", "predicted_class"):
                row[name] = int(value)
    return rows


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_answer_is_that_of_post_predict(
    predictor: Predictor, tmp_path: Path, source: str, target: str
) -> None:
    rows = [{"id": f"p{number}", **record} for number, record in enumerate(RECORDS)]
    answers = tmp_path / f"answers{target}"
    tally = score_file(predictor, write(tmp_path / f"rows{source}", rows), answers)
    assert tally == Tally(scored=len(RECORDS))
    assert reported(answers) == [
        {"row": number, "id": f"p{number - 1}", **answered(predictor, record)}
        for number, record in enumerate(RECORDS, start=1)
    ]
    assert {path.name for path in tmp_path.iterdir()} == {f"rows{source}", answers.name}


@pytest.mark.parametrize("source", FORMATS)
def test_more_than_two_classes_have_a_column_each(tmp_path: Path, source: str) -> None:
    iris = Artifact.load(ARTIFACT.with_name("iris.npz")).predictor()
    features = iris.features
    rows = [
        dict(zip(features.names, row, strict=True)) for row in features.golden_inputs(50).tolist()
    ]
    score_file(iris, write(tmp_path / f"rows{source}", rows), tmp_path / "answers.csv")
    no_id = {"id": None} if source == ".ndjson" else {}
    assert reported(tmp_path / "answers.csv") == [
        {"row": number, **no_id, **answered(iris, row)} for number, row in enumerate(rows, start=1)
    ]


@pytest.mark.parametrize("source", FORMATS)
def test_names_of_codes_and_aliases_mean_what_they_mean_in_a_request(
    predictor: Predictor, tmp_path: Path, source: str
) -> None:
    names = {feature.name: feature.codes[-1][1] for feature in CODED}
    rows = [
        {FEATURES.by_accepted_name[name].accepted_names[-1]: value for name, value in row.items()}
        for row in (example(**names), example(**names, age=79))
    ]
    score_file(predictor, write(tmp_path / f"rows{source}", rows), tmp_path / "answers.csv")
    assert [row["probability"] for row in reported(tmp_path / "answers.csv")] == [
        answered(predictor, row)["probability"] for row in rows
    ]


def test_numbers_of_every_width_are_taken(predictor: Predictor, tmp_path: Path) -> None:
    for kind in (pl.Int8(), pl.UInt64(), pl.Float32(), pl.Decimal(10, 3)):
        table = pl.DataFrame([example(age=60, oldpeak=1, resting_blood_pressure=120)])
        narrow = table.with_columns(pl.col("age", "oldpeak", "thal").cast(kind))
        narrow.write_parquet(tmp_path / "rows.parquet")
        score_file(predictor, tmp_path / "rows.parquet", tmp_path / "answers.csv")
        (answer,) = reported(tmp_path / "answers.csv")
        expected = answered(predictor, table.row(0, named=True))
        assert answer == {"row": 1, **expected}


def test_a_text_may_have_spaces_and_a_mark_of_its_byte_order(
    predictor: Predictor, tmp_path: Path
) -> None:
    names, values = zip(*example(sex="male", age=54.0).items(), strict=True)
    text = f"\ufeff{','.join(names)}\r\n{', '.join(map(str, values))} \r\n"
    (tmp_path / "rows.csv").write_bytes(text.encode())
    assert score_file(predictor, tmp_path / "rows.csv", tmp_path / "a.csv") == Tally(scored=1)


def test_the_digits_of_a_probability_are_all_there(predictor: Predictor, tmp_path: Path) -> None:
    rows = [
        dict(zip(FEATURES.names, row, strict=True)) for row in FEATURES.golden_inputs(3000).tolist()
    ]
    score_file(predictor, write(tmp_path / "rows.csv", rows), tmp_path / "answers.csv")
    X = np.array([list(row.values()) for row in rows])
    alone = [float(predictor.predict_proba(X[[row]])[0]) for row in range(len(X))]
    assert [row["probability"] for row in reported(tmp_path / "answers.csv")] == alone
