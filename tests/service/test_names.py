"""Names of columns and codes stand as a file has them, whatever marks are within, in every form."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.schema.features import Feature, FeatureSet, is_name
from service.app import create_app
from service.errors import InvalidInput
from service.files.score_file import Tally, score_file
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import STREAMS
from service.settings import Settings
from tests.examples import examples
from tests.optional import optional_artifact
from tests.service.files.samples import write

MARKS = st.text(st.sampled_from(":\"\\,;'{}[]*^$ a=#.|\u00e9\u2028"), min_size=1, max_size=6)
NAMES = MARKS.filter(is_name)
SOME = [
    "a:b",
    'say "x"',
    "back\\slash",
    "a, b",
    "*",
    "^a.*$",
    "^.*$",
    "x;y;z",
    "id.",
    "'",
    "\\u003a",
]
MANY = settings(max_examples=examples(60), derandomize=True, deadline=None, database=None)


def model_of(names: Sequence[str], codes: Sequence[str], like: Artifact) -> Artifact:
    """Return a model of a measurement for each name but the first, which has codes."""
    features = [
        Feature(names[0], "Coded", "nominal", 0, codes=tuple(enumerate(codes)), observed=(0, 1),
                texts_only=True),
        *(Feature(name, "A number", "continuous", 1.5, "", -9, 9, observed=(0, 2))
          for name in names[1:]),
    ]  # fmt: skip
    return optional_artifact(like, FeatureSet(features))


def as_csv(rows: Sequence[Sequence[Any]]) -> list[bytes]:
    lines = []
    for row in rows:
        text = StringIO()
        csv.writer(text, lineterminator="").writerow(row)
        lines.append(text.getvalue().encode())
    return lines


def probabilities_of(scorer: Scorer, records: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return what each form of a request says of records."""
    found: dict[str, list[float]] = {}
    texts = [json.dumps(record) for record in records]
    escaped = [json.dumps(record, ensure_ascii=False) for record in records]
    for name, lines in (("record", texts), ("plain record", escaped)):
        answers = [json.loads(scorer.predict(line.encode()).body) for line in lines]
        found[name] = [answer["probability"] for answer in answers]
    batch = f'{{"instances": [{",".join(texts)}]}}'.encode()
    names = [*records[0]]
    table = {"columns": names, "data": [[*record.values()] for record in records]}
    for name, answer in (("", scorer.predict_batch), (" by row", scorer.predict_row_by_row)):
        told = json.loads(answer(batch).body)["predictions"]
        found[f"batch{name}"] = [one["probability"] for one in told]
        told = json.loads(answer(json.dumps(table).encode()).body)
        place = told["columns"].index("probability")
        found[f"table{name}"] = [row[place] for row in told["data"]]
    bodies = {
        "application/x-ndjson": [text.encode() for text in texts],
        "text/csv": as_csv([names, *([*record.values()] for record in records)]),
    }
    for media_type, of in bodies.items():
        stream = STREAMS[media_type](scorer)
        rows = stream.without_header(of)
        found[media_type] = [one["probability"] for one in stream.other_answers(rows)]
        plain = stream.plain_answers(rows)
        if plain is not None:
            found[f"plain {media_type}"] = [one["probability"] for one in plain]
    return found


@given(
    st.lists(NAMES, min_size=2, max_size=4, unique=True),
    st.lists(NAMES.filter(lambda name: not name.isdigit()), min_size=2, max_size=3, unique=True),
    st.integers(0, 99),
)
@MANY
def test_every_form_takes_any_name_that_can_be_printed(
    artifact: Artifact, names: list[str], codes: list[str], seed: int
) -> None:
    model = model_of(names, codes, artifact)
    scorer = Scorer(model.predictor(), max_rows=10)
    numbers = np.random.default_rng(seed).integers(-9, 9, (3, len(names) - 1))
    records: list[dict[str, Any]] = [
        {names[0]: codes[row % 2], **dict(zip(names[1:], map(float, numbers[row]), strict=True))}
        for row in range(3)
    ]
    rows = [[float(row % 2), *numbers[row]] for row in range(3)]
    due = model.predictor().predict_proba(np.array(rows)).tolist()
    for form, told in probabilities_of(scorer, records).items():
        assert told == due, form


@given(
    st.lists(NAMES, min_size=2, max_size=3, unique=True),
    st.integers(0, 2),
    st.booleans(),
)
@MANY
def test_a_name_that_is_given_twice_is_a_fault_in_every_form(
    artifact: Artifact, names: list[str], twice: int, escapes: bool
) -> None:
    model = model_of(names, ["a:b", '"'], artifact)
    scorer = Scorer(model.predictor(), max_rows=10)
    values = ["a:b", *[1.5] * (len(names) - 1)]
    pairs = [*zip(names, values, strict=True)]
    pairs.insert(0, pairs[twice % len(pairs)])

    def text(name: object) -> str:
        plain = json.dumps(name)
        return plain.replace(":", "\\u003a") if escapes else plain

    record = "{" + ",".join(f"{text(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    good = json.dumps(dict(pairs))
    table = {"columns": [name for name, _ in pairs], "data": [[value for _, value in pairs]]}
    bodies = [f'{{"instances": [{good},{record}]}}', json.dumps(table)]
    with pytest.raises(InvalidInput) as caught:
        scorer.predict(record.encode())
    assert [fault["type"] for fault in caught.value.faults] == ["duplicate_field"]
    for body in bodies:
        with pytest.raises(InvalidInput) as caught:
            scorer.predict_batch(body.encode())
        assert [fault["type"] for fault in caught.value.faults] == ["duplicate_field"]
    lines = [good.encode(), record.encode()]
    assert STREAMS["application/x-ndjson"](scorer).plain_answers(lines) is None
    _, answer = STREAMS["application/x-ndjson"](scorer, 1).other_answers(lines)
    assert [fault["type"] for fault in answer["errors"]] == ["duplicate_field"]


@pytest.fixture(scope="module")
def marked(artifact: Artifact) -> Artifact:
    return model_of(SOME, [name for name in SOME if name != "'"], artifact)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".ndjson", ".parquet"])
def test_files_take_such_names(marked: Artifact, tmp_path: Path, suffix: str) -> None:
    record = marked.features.example()
    bad = {**record, "*": 10.0, "^a.*$": 10.0}
    source = tmp_path / f"rows{suffix}"
    if suffix == ".tsv":
        lines = ["\t".join(f'"{cell}"' for cell in cells) for cells in _quoted(record, bad)]
        source.write_text("\n".join(lines))
    else:
        write(source, [record, bad])
    predictor = marked.predictor()
    assert score_file(predictor, source, tmp_path / "answers.parquet") == Tally(1, 1)
    found = pl.read_parquet(tmp_path / "answers.parquet")["probability"].to_list()
    body = json.dumps(record).encode()
    assert found == [json.loads(Scorer(predictor, 1).predict(body).body)["probability"]]


def _quoted(*records: dict[str, Any]) -> list[list[str]]:
    rows = [[*records[0]], *([*map(str, record.values())] for record in records)]
    return [[cell.replace('"', '""') for cell in row] for row in rows]


@pytest.mark.anyio
async def test_the_documents_show_such_names(marked: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "marked.npz"
    marked.save(path)
    app = create_app(Settings(artifact=path, reload_seconds=3600))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        document = (await client.get("/openapi.json")).json()
        record = document["components"]["schemas"]["InputRecord"]
        assert set(record["properties"]) == {*SOME, "id"}
        assert record["required"] == SOME
        content = document["paths"]["/predict/batch"]["post"]["requestBody"]["content"]
        for media_type in ("application/x-ndjson", "text/csv"):
            answer = await client.post(
                "/predict/batch",
                content=content[media_type]["example"],
                headers={"Content-Type": media_type},
            )
            assert answer.status_code == 200, answer.text
        bad: dict[str, list[int]] = {name: [] for name in SOME}
        answer = await client.post("/predict", json=bad)
        assert [error["loc"][-1] for error in answer.json()["errors"]] == SOME
        card = (await client.get("/model")).json()
        assert [feature["name"] for feature in card["features"]] == SOME
        assert (await client.get("/metrics")).status_code == 200


def test_a_model_with_such_names_keeps_them(marked: Artifact, tmp_path: Path) -> None:
    loaded = marked.save(tmp_path / "marked.npz")
    assert loaded.features.names == SOME
    aliased = replace(marked.features[1], aliases=("a:", '"', ","))
    assert aliased.accepted_names == (SOME[1], "a:", '"', ",")
