"""An artifact that `heartline verify` passes is served, and every other one is rejected by a check.

Whatever is done to the metadata: there is no third kind, which would fail at the start or later.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact import sections
from model.artifact.artifact import CHECKS, Artifact
from model.errors import ArtifactError
from service.app import create_app
from service.cli import cli
from service.settings import Settings
from tests.exposition import read, series
from tests.model import corruption as c
from tests.model.properties import PROPERTY
from tests.model.sectioned import FORMAT_1, Reference, with_section

JSON = {"Content-Type": "application/json"}
METADATA = c.metadata()
FEATURES, ABOUT = METADATA["features"], METADATA["about"]
MEASURED, CODED = 0, 2
"""Places of the features age and chest_pain."""

SECTION_CHECKS = ("reference.rows", "reference.probabilities")

LONE = "\ud800"
"""A lone surrogate, which JSON can escape and UTF-8 cannot hold."""


def with_feature(place: int, **changed: object) -> dict[str, Any]:
    return {"features": [*FEATURES[:place], FEATURES[place] | changed, *FEATURES[place + 1 :]]}


def with_codes(names: list[str]) -> dict[str, Any]:
    codes = [[code, name] for code, name in enumerate(names, start=1)]
    return with_feature(CODED, codes=codes)


def about(**changed: object) -> dict[str, Any]:
    return {"about": ABOUT | changed}


def nested(depth: int, kind: type = list) -> Any:
    found: Any = "end"
    for _ in range(depth):
        found = [found] if kind is list else {"part": found}
    return found


def golden_rows(rows: int) -> bytes:
    """Repeat the golden rows until there are so many."""
    inputs, outputs = c.array("golden_inputs"), c.array("golden_probabilities")
    document = json.dumps(METADATA | {"golden_rows": rows})
    return c.with_members(
        metadata=c.document(document),
        golden_inputs=c.npy(np.resize(inputs, (rows, inputs.shape[1]))),
        golden_probabilities=c.npy(np.resize(outputs, rows)),
    )


def scaled(factor: float) -> bytes:
    """Multiply the weights of the last layer."""
    return c.with_members(W2=c.npy(c.array("W2") * factor))


def with_scale(scale: float) -> bytes:
    changed = c.array("scaler_scale").copy()
    changed[0] = scale
    return c.with_members(scaler_scale=c.npy(changed))


REJECTED: dict[str, tuple[str, dict[str, Any] | bytes]] = {
    # Lone surrogates, in any text.
    "surrogate in the name": ("text", {"name": f"heart{LONE}"}),
    "surrogate in a label": ("text", {"labels": ["absence", f"presence{LONE}"]}),
    "surrogate in the reason": ("text", {"threshold_reason": LONE}),
    "surrogate in the use": ("text", about(intended_use=LONE)),
    "surrogate deep in about": ("text", about(training={"a": [{"b": [LONE]}]})),
    "surrogate in a key of about": ("text", about(**{LONE: 1})),
    "surrogate in a deep key of about": ("text", about(training={"a": {LONE: 1}})),
    "surrogate in a key beside": ("text", {LONE: 1}),
    **{
        f"surrogate in {part} of a feature": ("text", with_feature(MEASURED, **{part: value}))
        for part, value in [
            ("name", f"a{LONE}"),
            ("description", LONE),
            ("unit", LONE),
            ("aliases", [f"a{LONE}"]),
        ]
    },
    "surrogate in the name of a code": ("text", with_codes(["a", "b", "c", LONE])),
    # Control characters.
    "NUL in the name": ("text", {"name": "he\0art"}),
    "NUL in a description": ("text", with_feature(MEASURED, description="a\0b")),
    "carriage return in the reason": ("text", {"threshold_reason": "a\rb"}),
    "line feed in the name": ("metadata", {"name": "he\nart"}),
    "line feed in a unit": ("metadata", with_feature(MEASURED, unit="mm\nHg")),
    "line feed in a label": ("metadata", {"labels": ["absence", "pre\nsence"]}),
    # Names.
    "empty name": ("metadata", {"name": ""}),
    "name that is a number": ("metadata", {"name": 5}),
    "name of 65 characters": ("metadata", {"name": "a" * 65}),
    "empty label": ("metadata", {"labels": ["", "presence"]}),
    "label of 65 characters": ("metadata", {"labels": ["a" * 65, "presence"]}),
    "label with outer blanks": ("metadata", {"labels": ["presence ", "presence"]}),
    "label not in NFC": ("metadata", {"labels": ["e\u0301", "\u00e9"]}),
    "feature with a control character": ("metadata", with_feature(MEASURED, name="a\u200bb")),
    "feature with outer blanks": ("metadata", with_feature(MEASURED, name=" age")),
    "feature of 65 characters": ("metadata", with_feature(MEASURED, name="a" * 65)),
    "feature not in NFC": ("metadata", with_feature(MEASURED, name="e\u0301")),
    "alias with a control character": ("metadata", with_feature(MEASURED, aliases=["a\tb"])),
    "alias with outer blanks": ("metadata", with_feature(MEASURED, aliases=["a "])),
    "alias of 65 characters": ("metadata", with_feature(MEASURED, aliases=["a" * 65])),
    "empty alias": ("metadata", with_feature(MEASURED, aliases=[""])),
    "code with outer blanks": ("metadata", with_codes(["a", "b", "c", " d"])),
    "code named as another": ("metadata", with_codes(["2", "1", "3", "4"])),
    "code named as no number": ("metadata", with_codes(["a", "b", "c", "nan"])),
    "empty code": ("metadata", with_codes(["a", "b", "c", ""])),
    # Sizes.
    "about nested 900 deep": ("limits", about(training=nested(900))),
    "about nested 900 deep in objects": ("limits", about(training=nested(900, dict))),
    "about nested 33 deep": ("limits", about(training=nested(33))),
    "320 labels": ("limits", {"labels": [f"class {n}" for n in range(320)], "threshold": None}),
    "2,001 features": (
        "limits",
        {"features": [FEATURES[0] | {"name": f"f{n}"} for n in range(2001)]},
    ),
    "100,000 codes": ("size", with_codes([f"code {n}" for n in range(100_000)])),
    "1,001 codes": ("limits", with_codes([f"code {n}" for n in range(1001)])),
    "17 aliases": ("limits", with_feature(MEASURED, aliases=[f"a{n}" for n in range(17)])),
    "250,000 golden rows": ("limits", {"golden_rows": 250_000}),
    "257 golden rows": ("limits", golden_rows(257)),
    "65 layers": ("limits", {"layer_sizes": [22, *[1] * 64]}),
    "description of 1 MB": ("limits", with_feature(MEASURED, description="a" * 10**6)),
    "reason of 2,001 characters": ("limits", {"threshold_reason": "a" * 2001}),
    "key of 2,001 characters": ("limits", about(**{"a" * 2001: 1})),
    # Numbers.
    "observed of one number": ("metadata", with_feature(MEASURED, observed=[29.0])),
    "observed of three numbers": ("metadata", with_feature(MEASURED, observed=[29, 30, 77])),
    "observed in the wrong order": ("metadata", with_feature(MEASURED, observed=[77, 29])),
    "observed of 10^400": ("limits", with_feature(MEASURED, observed=[29, 10**400])),
    "observed of 1e301": ("limits", with_feature(MEASURED, observed=[29, 1e301])),
    "observed of NaN": ("metadata", with_feature(MEASURED, observed=[29, float("nan")])),
    "observed of texts": ("metadata", with_feature(MEASURED, observed=["29", "77"])),
    "observed of true": ("metadata", with_feature(MEASURED, observed=[True, 77])),
    "observed codes that are none": ("metadata", with_feature(CODED, observed=[1, 9])),
    "observed codes twice": ("metadata", with_feature(CODED, observed=[1, 1])),
    "minimum of -10^400": ("limits", with_feature(MEASURED, minimum=-(10**400))),
    "minimum above maximum": ("metadata", with_feature(MEASURED, minimum=111)),
    "minimum that is a text": ("metadata", with_feature(MEASURED, minimum="18")),
    "code of 10^400": ("limits", with_feature(CODED, codes=[[10**400, "a"]], example=10**400)),
    "code above 2^53": ("limits", with_feature(CODED, codes=[[2**53 + 1, "a"]], example=2**53 + 1)),
    "10^400 in about": ("limits", about(training={"seed": 10**400})),
    "scale that makes the folded weights overflow": ("finite", with_scale(1e-310)),
    "scale that makes the folded bias overflow": ("finite", with_scale(1e-300)),
    "weights beyond all sums": ("finite", scaled(1e300)),
    # The card.
    "no metrics": ("card", {"about": {k: v for k, v in ABOUT.items() if k != "metrics"}}),
    "about that is empty": ("card", {"about": {}}),
    "metrics that are a list": ("card", about(metrics=[0.5])),
    "metric that is a text": ("card", about(metrics={"accuracy": "high"})),
    "metric that is true": ("card", about(metrics={"accuracy": True})),
    "metric that is null": ("card", about(metrics={"accuracy": None})),
    "metric without its interval": ("card", about(metrics={"accuracy": {"value": 0.5}})),
    "NaN in a metric": ("metadata", about(metrics={"accuracy": float("nan")})),
    "limits that are a text": ("card", about(limits="none")),
    "limits that are numbers": ("card", about(limits=[1])),
    "use that is a list": ("card", about(intended_use=["a"])),
    "subgroups that are a list": ("card", about(subgroups=[])),
    "subgroup without rows": ("card", about(subgroups={"women": {"metrics": {}}})),
}

NAMES = [
    [
        "probability", "label", "errors", "warnings", "instances", "columns", "data", "body",
        "record", "unknown", "predicted_class", "threshold", "model_version",
    ],
    [
        "_age", "__init__", "__pydantic_config__", "self", "class", "model_config", "field_0",
        "$ref", "#", "{age}", "%s", "a.b/c", "1",
    ],
    [
        "null", "\u00e9", "sepal length (cm)", "a" * 64, "\U0001f600" * 64, "A", "a", "ID", "true",
        "a  b", "'", "`", "\u03bc",
    ],
    [
        "a:b", '"', "\\", ",", "*", "^.*$", '{"a":1}', 'a"b', "x;y", "::", "['", '\\"', "\\u003a",
    ],
]  # fmt: skip
"""Names for all features of a model."""

SERVED: dict[str, dict[str, Any] | bytes] = {
    "as it is": {},
    "the longest name, of four bytes each": {"name": "\U0001f600" * 64},
    "a name with a comma and quotes": {"name": 'a, "b" \\ {c}'},
    "labels with commas and quotes": {"labels": ["a, b", '"c" \\']},
    "labels that look like columns": {"labels": ["predicted_class", "probability"]},
    "a feature with a comma, a colon and quotes": with_feature(MEASURED, name='a, b: "c" \\'),
    "an alias with a comma, a colon and quotes": with_feature(MEASURED, aliases=['a, b: "c" \\']),
    "a feature called id": with_feature(MEASURED, name="id"),
    "an alias called id": with_feature(MEASURED, aliases=["id"]),
    **{
        f"features called {names[0]} and so on": {
            "features": [
                feature | {"name": name, "aliases": []}
                for feature, name in zip(FEATURES, names, strict=True)
            ]
        }
        for names in NAMES
    },
    "codes with commas": with_codes(["a, b", "c", "d", "e"]),
    "codes named as themselves": with_codes(["1", "2", "3", "4"]),
    "codes called null and true": with_codes(["null", "true", "false", "d"]),
    "the most codes": with_codes([f"code {n}" for n in range(1000)]),
    "the most aliases": with_feature(MEASURED, aliases=[f"a{n}" for n in range(16)]),
    "the longest texts": {
        **with_feature(MEASURED, description="a" * 2000, unit="u" * 64),
        "threshold_reason": "b" * 2000,
    },
    "texts of all kinds": about(not_for="", intended_use='a\nb\tc \u2028 \U0001f600 \\ " <p>'),
    "about nested as deep as is allowed": about(training=nested(29)),
    "the most golden rows": golden_rows(256),
    "one golden row": golden_rows(1),
    "observed of one value": with_feature(MEASURED, observed=[54, 54]),
    "observed beyond the range": with_feature(MEASURED, observed=[-1e300, 1e300]),
    "observed of one code": with_feature(CODED, observed=[1]),
    "an example that was not observed": with_feature(CODED, example=4, observed=[1]),
    "no metrics at all": about(metrics={}, limits=[], subgroups={}),
    "a wide range": with_feature(MEASURED, minimum=-1e200, maximum=1e200),
    "codes below zero": with_feature(
        CODED, codes=[[-(2**53), "a"], *FEATURES[CODED]["codes"]], observed=[-(2**53)]
    ),
}  # fmt: skip


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program know the tests' own section."""
    monkeypatch.setattr(sections, "SECTIONS", (Reference,))


@pytest.fixture(scope="module")
def sectioned(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sectioned") / "heart.npz"
    with_section(artifact).save(path)
    return path.read_bytes()


def content_of(changed: dict[str, Any] | bytes) -> bytes:
    return changed if isinstance(changed, bytes) else c.with_metadata(changed)


def is_verified(path: Path) -> bool:
    """Run the command; look at what it says of a file that it rejects."""
    done = CliRunner().invoke(cli, ["verify", str(path)])
    if done.exit_code == 0:
        return True
    assert isinstance(done.exception, ArtifactError), done.exception
    assert done.exception.check in CHECKS + SECTION_CHECKS
    assert len(str(done.exception).splitlines()) == 1
    assert len(str(done.exception)) < len(str(path)) + 300
    str(done.exception).encode()
    return False


class Client:
    """Asks an application, one question at a time."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path))

    def post(self, path: str, **parts: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, **parts))

    async def _ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        client = httpx.AsyncClient(transport=self._transport, base_url="http://heartline")
        return await client.request(method, path, **parts)


def assert_served(path: Path) -> None:
    """Start an application, and ask it in every form."""
    client = Client(create_app(Settings(artifact=path)))
    artifact = Artifact.load(path)
    record = artifact.features.example()
    document = client.get("/openapi.json").json()
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    answer = found(client.post("/predict", json=record))
    for example in examples["examples"].values():
        assert found(client.post("/predict", json=example["value"])) == answer
    shown = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
    assert shown["application/json"]["example"] == answer
    batch = found(client.post("/predict/batch", json={"instances": [record]}))["predictions"][0]
    table = {"columns": [*record], "data": [[*record.values()]]}
    row = found(client.post("/predict/batch", json=table))["data"][0]
    assert answer["probability"] == batch["probability"] == row[0]
    lines = document["paths"]["/predict/batch"]["post"]["requestBody"]["content"]
    for media_type in ("text/csv", "application/x-ndjson"):
        headers = {"Content-Type": media_type}
        text = lines[media_type]["example"]
        sent = client.post("/predict/batch", content=text.encode(), headers=headers)
        assert sent.status_code == 200, sent.text
        rows: Iterator[dict[str, Any]] = (
            csv.DictReader(StringIO(sent.text, newline=""))
            if media_type == "text/csv"
            else map(json.loads, sent.text.splitlines())
        )
        assert float(next(rows)["probability"]) == answer["probability"]
    assert found(client.get("/readyz"))["model_version"] == artifact.version
    assert found(client.get("/model"))["name"] == artifact.name
    info = series("heartline_model_info", name=artifact.name, version=artifact.version)
    assert read(client.get("/metrics").text)[info] == 1


def found(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize("name", REJECTED)
def test_what_would_break_is_rejected_by_its_check(name: str, tmp_path: Path) -> None:
    check, changed = REJECTED[name]
    path = tmp_path / "changed.npz"
    path.write_bytes(content_of(changed))
    with pytest.raises(ArtifactError) as caught:
        Artifact.load(path)
    assert caught.value.check == check, caught.value
    assert not is_verified(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVED)
def test_what_is_unusual_and_allowed_is_served(name: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.npz"
    path.write_bytes(content_of(SERVED[name]))
    assert is_verified(path)
    assert_served(path)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of the metadata."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield (*at, key)
        if isinstance(part, (dict, list)):
            yield from places(part, (*at, key))


def replaced(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    if not at:
        return other
    copy = value.copy()
    copy[at[0]] = replaced(value[at[0]], at[1:], other)
    return copy


PLACES = sorted(places({**METADATA, "about": {}, "encoding": []}), key=str) + [
    ("about", *at) for at in places(ABOUT)
]

AWKWARD = st.sampled_from(
    [
        LONE, "", " ", "a ", "a,b", "id", "a\nb", "\0", "e\u0301", "nan", "1", "a" * 64, "a" * 65,
        "a" * 2001, "\u2028", "\U0001f600" * 64, "record", "sex", None, True, False, 0, 1, -1, 2,
        0.5, -0.0, 1e300, 1e301, 10**400, 2**53 + 1, 5e-324, [], {}, [0, 1], [1.0, 0.0], [[]],
        [[1, "a"]], [[1, "a"], [2, "a"]], {"value": 1}, nested(40), ["a", "b"], ["a", "b", "c"],
    ]
)  # fmt: skip
AWKWARD |= st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8) | st.integers()


@pytest.mark.slow
@settings(PROPERTY, max_examples=25)
@given(at=st.sampled_from(PLACES), other=AWKWARD)
def test_what_is_verified_is_served_whatever_stands_in_the_metadata(
    at: tuple[Any, ...], other: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.npz"
    path.write_bytes(c.with_document(json.dumps(replaced(METADATA, at, other))))
    if is_verified(path):
        assert_served(path)


@pytest.mark.parametrize("is_known", [True, False])
def test_an_artifact_with_a_section_is_served_as_without(
    is_known: bool, sectioned: bytes, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if is_known:
        request.getfixturevalue("known")
    path = tmp_path / "sectioned.npz"
    path.write_bytes(sectioned)
    assert is_verified(path)
    assert_served(path)


DECLARED = {"rows": [14, 13], "probabilities": [14]}
SECTIONED = {"reference": {"required": False, "arrays": DECLARED, "document": {"origin": "a"}}}


@pytest.mark.usefixtures("known")
@settings(PROPERTY, max_examples=25)
@given(at=st.sampled_from(sorted(places(SECTIONED), key=str)), other=AWKWARD)
def test_what_is_verified_is_served_whatever_is_declared_of_a_section(
    at: tuple[Any, ...], other: Any, sectioned: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.npz"
    document = json.dumps(METADATA | {"sections": replaced(SECTIONED, at, other)})
    path.write_bytes(c.zipped((c.members(sectioned) | {"metadata": c.document(document)}).items()))
    if is_verified(path):
        assert_served(path)


def test_a_file_of_format_1_gives_the_same_answers(tmp_path: Path) -> None:
    document = {}
    newer = tmp_path / "heart.npz"
    Artifact.load(FORMAT_1).save(newer)
    for path in (FORMAT_1, newer):
        client, artifact = Client(create_app(Settings(artifact=path))), Artifact.load(path)
        X = artifact.features.golden_inputs(50).tolist()
        records = [dict(zip(artifact.features.names, row, strict=True)) for row in X]
        answers = [found(client.post("/predict", json=record)) for record in records[:5]]
        answers.append(found(client.post("/predict/batch", json={"instances": records})))
        assert {answer.pop("model_version") for answer in answers} == {artifact.version}
        document[path] = answers
    assert document[FORMAT_1] == document[newer]
    assert_served(FORMAT_1)
