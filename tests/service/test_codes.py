"""HEARTLINE_CODES=names: coded columns accept the names of their codes, and no number."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from model.schema.features import FeatureSet
from service.app import create_app
from service.errors import InvalidInput
from service.files.score_file import score_file
from service.inference.model_file import ModelFile
from service.protocols.native.scoring import Scorer
from service.protocols.native.trial import try_out
from service.settings import Settings
from service.wire.decoding import Decoder
from service.wire.record_reader import RecordReader
from tests.conftest import ARTIFACT, ROOT
from tests.service.files.samples import read, write
from tests.service.samples import CODED, FEATURES, example

IRIS = ROOT / "artifacts" / "iris.npz"
NAMED = FEATURES.with_names_only().example()
FORMS = ["record", "batch", "table", "csv", "ndjson"]
SUFFIXES = [".csv", ".ndjson", ".jsonl", ".parquet"]


@cache
def _app(path: Path, codes: str) -> FastAPI:
    return create_app(Settings(artifact=path, codes=codes))


def _client(path: Path, codes: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(_app(path, codes))
    return httpx.AsyncClient(transport=transport, base_url="http://heartline")


@pytest.fixture
async def named() -> AsyncIterator[httpx.AsyncClient]:
    async with _client(ARTIFACT, "names") as client:
        yield client


async def _ask(
    client: httpx.AsyncClient, form: str, record: dict[str, Any], on_error: str = "refuse"
) -> httpx.Response:
    """Send a record in one of the forms."""
    text = StringIO()
    csv.writer(text).writerows([record.keys(), record.values()])
    path, media_type, body = {
        "record": ("/predict", "application/json", json.dumps(record)),
        "batch": ("/predict/batch", "application/json", json.dumps({"instances": [record]})),
        "table": (
            "/predict/batch",
            "application/json",
            json.dumps({"columns": [*record], "data": [[*record.values()]]}),
        ),
        "csv": ("/predict/batch", "text/csv", text.getvalue()),
        "ndjson": ("/predict/batch", "application/x-ndjson", json.dumps(record)),
    }[form]
    query = f"?on_error={on_error}" if form in ("csv", "ndjson") else ""
    headers = {"Content-Type": media_type}
    return await client.post(f"{path}{query}", content=body, headers=headers)


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_names_get_the_answer_of_their_codes(
    client: httpx.AsyncClient, named: httpx.AsyncClient, form: str
) -> None:
    answer = await _ask(named, form, NAMED)
    assert answer.status_code == 200
    assert answer.content == (await _ask(client, form, example())).content


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("feature", CODED, ids=lambda feature: feature.name)
async def test_a_code_is_refused_in_every_form(
    named: httpx.AsyncClient, form: str, feature: Any
) -> None:
    for code, _ in feature.codes:
        answer = await _ask(named, form, {**NAMED, feature.name: code})
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert (fault["loc"][-1], fault["type"]) == (feature.name, "unknown_code")
        assert all(name in fault["msg"] for _, name in feature.codes)
        assert not any(f"{code} (" in fault["msg"] for code, _ in feature.codes)


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_code_is_reported_in_a_stream(named: httpx.AsyncClient, form: str) -> None:
    answer = await _ask(named, form, example(), "report")
    assert answer.status_code == 200
    assert answer.text.count("unknown_code") == len(CODED)


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_what_is_no_number_is_refused_as_before(named: httpx.AsyncClient, form: str) -> None:
    for value in ("no such name", "Female", True, 0.5):
        answer = await _ask(named, form, {**NAMED, "sex": value})
        assert (answer.status_code, answer.text.count("unknown_code")) == (422, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_without_coded_columns_nothing_changes(form: str) -> None:
    record = dict(Artifact.load(IRIS).features.example())
    async with _client(IRIS, "any") as any_client, _client(IRIS, "names") as names_client:
        answers = [await _ask(client, form, record) for client in (any_client, names_client)]
        documents = [await client.get("/openapi.json") for client in (any_client, names_client)]
    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content
    assert documents[0].json() == documents[1].json()


@pytest.mark.anyio
async def test_the_documents_show_names_alone(named: httpx.AsyncClient) -> None:
    document = (await named.get("/openapi.json")).json()
    record = document["components"]["schemas"]["InputRecord"]["properties"]
    columns = document["components"]["schemas"]["Table"]["properties"]["data"]["items"]
    for number, feature in enumerate(FEATURES):
        if feature.is_coded:
            names = [name for _, name in feature.codes]
            for field in (record[feature.name], columns["prefixItems"][number]):
                assert field["enum"] == names
                assert field["examples"] == [NAMED[feature.name]]
                assert not any(f"{code} (" in field["description"] for code, _ in feature.codes)
    for path in ("/predict", "/predict/batch"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        for media_type, shown in content.items():
            for value in _examples(shown):
                body = value if isinstance(value, str) else json.dumps(value)
                headers = {"Content-Type": media_type}
                answer = await named.post(path, content=body, headers=headers)
                assert answer.status_code == 200, (media_type, answer.text)


def _examples(content: dict[str, Any]) -> Iterator[Any]:
    yield from (example["value"] for example in content.get("examples", {}).values())
    if "example" in content:
        yield content["example"]


@pytest.mark.anyio
async def test_the_card_shows_names_alone(named: httpx.AsyncClient) -> None:
    shown = {f["name"]: f["expected"] for f in (await named.get("/model")).json()["features"]}
    assert shown["thal"] == "normal, fixed defect or reversible defect"
    assert shown["sex"] == "female or male"


def test_names_are_read_quickly_in_every_shape_and_numbers_in_none() -> None:
    features = FEATURES.with_names_only()
    decoder = Decoder(features, 10)
    for record, expected in ((NAMED, [*example().values()]), (example(), None)):
        line = json.dumps(record).encode()
        table = {"columns": [*record], "data": [[*record.values()]]}
        cells = [[str(value) for value in record.values()]]
        lines, batch = decoder.lines([line]), decoder.batch(b'{"instances": [%b]}' % line)
        rows = [
            batch and batch[0],
            decoder.table(json.dumps(table).encode()),
            decoder.cells([*record], cells),
            lines and lines[0],
        ]
        assert RecordReader(features).record(line) == expected
        assert [None if X is None else X.tolist() for X in rows] == [expected and [expected]] * 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_hold_names_alone(artifact: Artifact, tmp_path: Path, suffix: str) -> None:
    any_model = artifact.predictor()
    names_model = replace(artifact, features=artifact.features.with_names_only()).predictor()
    named, codes = (tmp_path / f"{name}{suffix}" for name in ("named", "codes"))
    target = tmp_path / "answers.ndjson"
    write(named, [NAMED] * 3)
    write(codes, [example()] * 3)
    score_file(any_model, codes, target)
    expected = read(target)
    tally = score_file(names_model, named, target)
    assert (tally.scored, tally.rejected) == (3, 0)
    assert read(target) == expected
    tally = score_file(names_model, codes, target)
    assert (tally.scored, tally.rejected) == (0, 3)
    reasons = read(tmp_path / f"answers.rejected{suffix}")[0]["reasons"]
    assert reasons == _reasons(names_model, example())
    assert reasons.count("unknown_code") == len(CODED)


def test_a_category_of_parquet_is_a_name(artifact: Artifact, tmp_path: Path) -> None:
    predictor = replace(artifact, features=artifact.features.with_names_only()).predictor()
    source, target = tmp_path / "rows.parquet", tmp_path / "answers.csv"
    frame = pl.DataFrame([NAMED])
    frame.with_columns(pl.col(pl.String).cast(pl.Categorical)).write_parquet(source)
    assert score_file(predictor, source, target).scored == 1
    texts = {feature.name: str(example()[feature.name]) for feature in CODED}
    pl.DataFrame([{**NAMED, **texts}]).write_parquet(source)
    assert score_file(predictor, source, target).rejected == 1


def _reasons(predictor: Predictor, record: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as refusal:
        Scorer(predictor, 1).predict(json.dumps(record).encode())
    return " ".join(
        f"{fault['loc'][-1]}: {fault['msg']} ({fault['type']})" for fault in refusal.value.faults
    )


def test_a_name_may_read_as_its_own_code(artifact: Artifact) -> None:
    numbered = [
        replace(feature, codes=((0, "0"), (1, "1"))) if feature.name == "sex" else feature
        for feature in FEATURES
    ]
    features = FeatureSet(numbered).with_names_only()
    scorer = Scorer(replace(artifact, features=features).predictor(), 1)
    try_out(scorer)
    with pytest.raises(InvalidInput):
        scorer.predict(json.dumps({**features.example(), "sex": 1}).encode())


def test_a_new_model_follows_the_setting(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    artifact.save(path)
    file = ModelFile(Settings(artifact=path, codes="names"))
    replace(artifact, name="another").save(path)
    used: list[Artifact] = []
    assert file.read_again(used.append)
    for model in (file.artifact, *used):
        assert [f.named_only for f in model.features] == [f.is_coded for f in FEATURES]


def test_an_artifact_does_not_hold_the_setting(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    replace(artifact, features=artifact.features.with_names_only()).save(path)
    assert Artifact.load(path).features.to_json() == artifact.features.to_json()
    assert not any(feature.named_only for feature in Artifact.load(path).features)


OTHER_CODES: dict[str, dict[float, int]] = {
    "chest_pain": {1: 3, 2: 1, 3: 2, 4: 0},
    "resting_ecg_results": {0: 1, 1: 2, 2: 0},
    "slope_of_the_peak": {1: 2, 2: 1, 3: 0},
    "thal": {3: 2, 6: 1, 7: 3},
}
"""The codes of the widespread copy of the data, by those that are used here."""


def _in_other_codes(record: dict[str, float]) -> dict[str, float]:
    return {name: OTHER_CODES.get(name, {}).get(v, v) for name, v in record.items()}


def test_as_many_rows_in_other_codes_are_accepted_as_the_documents_say(
    predictor: Predictor, artifact: Artifact
) -> None:
    """The figures of README and docs/codes.md."""
    rows = np.loadtxt(ROOT / "model" / "data" / "heart.dat")[:, : len(FEATURES)].tolist()
    records = [dict(zip(FEATURES.names, row, strict=True)) for row in rows]
    accepted, changed = _compared(predictor, records)
    assert (len(records), accepted, changed) == (270, 31, 11)
    names_only = replace(artifact, features=FeatureSet(FEATURES).with_names_only())
    assert _compared(names_only.predictor(), records)[0] == 0
    for page in ("README.md", "docs/codes.md"):
        text = (ROOT / page).read_text()
        assert f"{accepted} are accepted without" in text
        assert f"{changed} of these get another label" in text


def _compared(predictor: Predictor, records: list[dict[str, float]]) -> tuple[int, int]:
    """Return how many are accepted in other codes without a warning, and get another label."""
    scorer, right = Scorer(predictor, 1), predictor.predict_records(records)
    accepted = changed = 0
    for record, probability in zip(records, right, strict=True):
        try:
            answer = json.loads(scorer.predict(json.dumps(_in_other_codes(record)).encode()).body)
        except InvalidInput:
            continue
        accepted += not answer["warnings"]
        changed += answer["predicted_class"] != (probability > answer["threshold"])
    return accepted, changed


NOTE = "Kaggle's heart.csv has other codes in this column than UCI's data."
CASE = "Names of codes are case-sensitive."
NOTED = [
    ("chest_pain", 0, NOTE),
    ("thal", 2, NOTE),
    ("num_of_major_vessels", 4, NOTE),
    ("chest_pain", 9, None),
    ("chest_pain", False, None),
    ("sex", "Male", CASE),
    ("thal", "NORMAL", CASE),
    ("sex", "man", None),
]


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value", "note"), NOTED)
async def test_a_fault_says_what_is_known_of_the_value(
    client: httpx.AsyncClient, form: str, name: str, value: Any, note: str | None
) -> None:
    answer = await _ask(client, form, example(**{name: value}))
    (fault,) = answer.json()["errors"]
    assert fault["msg"].startswith("Expected ")
    assert fault["msg"].endswith(note or f"{FEATURES.by_accepted_name[name].expected}.")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("name", "value", "note"), NOTED)
def test_a_reason_in_a_file_says_what_is_known_of_the_value(
    predictor: Predictor, tmp_path: Path, suffix: str, name: str, value: Any, note: str | None
) -> None:
    if isinstance(value, str | bool) and suffix == ".parquet":
        rows = [example(**{name: value})] * 2
    else:
        rows = [example(), example(**{name: value})]
    source = tmp_path / f"rows{suffix}"
    write(source, rows)
    score_file(predictor, source, tmp_path / "answers.ndjson")
    reasons = read(tmp_path / f"answers.rejected{suffix}")[0]["reasons"]
    assert (note or f"{FEATURES.by_accepted_name[name].expected}.") in reasons
    assert (NOTE in reasons, CASE in reasons) == (note == NOTE, note == CASE)
