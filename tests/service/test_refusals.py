from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from model.schema.features import Feature
from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import (
    CODED,
    FEATURES,
    JSON,
    MEASURED,
    PROBLEM,
    example,
    raw,
    with_pairs,
)

pytestmark = pytest.mark.anyio

Faults = list[tuple[list[str | int], str]]

MARKED = ['"ZZTOP"', '["ZZTOP", 98765.4321]', '{"age": "ZZTOP"}']

OF_ANOTHER_KIND = {
    **dict.fromkeys(('"54"', '""', "true", "false", "[]", "{}", *MARKED), "not_a_number"),
    **dict.fromkeys(("NaN", "Infinity", "-Infinity", "1e400", "9" * 400), "not_finite"),
    **dict.fromkeys(("98765", "-98765", "1e300"), "out_of_range"),
    "null": "null",
}

NOT_CODES = [*OF_ANOTHER_KIND, "2.5", "-1", "98", "0.9999999999999999"]


async def _refused(client: httpx.AsyncClient, body: str | bytes, *secrets: str) -> dict[str, Any]:
    response = await client.post("/predict", content=body, headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    assert all(list(error) == ["loc", "msg", "type"] for error in response.json()["errors"])
    for secret in ("98765", *secrets):
        assert secret not in response.text
    problem: dict[str, Any] = response.json()
    return problem


async def _faults(client: httpx.AsyncClient, body: str | bytes, *secrets: str) -> Faults:
    problem = await _refused(client, body, *secrets)
    return [(error["loc"], error["type"]) for error in problem["errors"]]


def _id(value: object) -> str:
    return value.name if isinstance(value, Feature) else str(value)[:24]


@pytest.mark.parametrize("feature", FEATURES, ids=_id)
async def test_a_missing_field_is_refused(client: httpx.AsyncClient, feature: Feature) -> None:
    record = example()
    del record[feature.name]
    faults = await _faults(client, json.dumps(record))
    assert faults == [(["body", feature.name], "missing")]


async def test_all_fields_missing_are_all_listed(client: httpx.AsyncClient) -> None:
    faults = await _faults(client, "{}")
    assert faults == [(["body", feature.name], "missing") for feature in FEATURES]


@pytest.mark.parametrize("feature", MEASURED, ids=_id)
async def test_a_measurement_of_another_kind_is_refused(
    client: httpx.AsyncClient, feature: Feature
) -> None:
    for text, kind in OF_ANOTHER_KIND.items():
        faults = await _faults(client, raw({feature.name: text}), "ZZTOP", "999")
        assert faults == [(["body", feature.name], kind)]


@pytest.mark.parametrize("feature", CODED, ids=_id)
async def test_what_is_not_a_code_is_refused(client: httpx.AsyncClient, feature: Feature) -> None:
    wrong_case = [json.dumps(name.upper()) for _, name in feature.codes]
    for text in (*NOT_CODES, *wrong_case):
        faults = await _faults(client, raw({feature.name: text}), "ZZTOP", "999", "2.5")
        assert faults == [(["body", feature.name], "null" if text == "null" else "unknown_code")]


@pytest.mark.parametrize("feature", MEASURED, ids=_id)
async def test_a_measurement_just_outside_of_its_range_is_refused(
    client: httpx.AsyncClient, feature: Feature
) -> None:
    for bound, beyond in ((feature.minimum, -math.inf), (feature.maximum, math.inf)):
        step = math.copysign(1, beyond)
        value = bound + step if feature.kind == "count" else math.nextafter(bound, beyond)
        faults = await _faults(client, raw({feature.name: repr(value)}))
        assert faults == [(["body", feature.name], "out_of_range")]


async def test_the_message_says_what_was_expected(client: httpx.AsyncClient) -> None:
    problem = await _refused(client, raw({"age": "98765.4321", "sex": "null"}))
    messages = {error["loc"][1]: error["msg"] for error in problem["errors"]}
    assert messages == {
        "age": f"Expected {FEATURES.by_accepted_name['age'].expected}.",
        "sex": f"Null is not accepted; expected {FEATURES.by_accepted_name['sex'].expected}.",
    }


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("aeg", "age"),
        ("Age", "did you mean age? Names are case-sensitive."),
        ("AGE", "did you mean age? Names are case-sensitive."),
        ("TrestBPS", "did you mean resting_blood_pressure? Names are case-sensitive."),
        ("serum_cholesterl", "serum_cholesterol"),
        ("trestbp", "did you mean resting_blood_pressure?"),
        ("qqqq", None),
        ("", None),
    ],
)
async def test_an_unknown_field_is_refused_with_the_nearest_name(
    client: httpx.AsyncClient, name: str, suggestion: str | None
) -> None:
    problem = await _refused(client, with_pairs(f'"{name}": "ZZTOP"'), "ZZTOP")
    (error,) = problem["errors"]
    assert (error["loc"], error["type"]) == (["body", name], "unknown_field")
    assert ("did you mean" in error["msg"]) == (suggestion is not None)
    assert (suggestion or "remove it") in error["msg"]


@pytest.mark.parametrize(
    "name",
    ["x" * 64, "x" * 65, "x" * 60_000, "\x00\x1b\n", "naïve ☃ 💔", "a:b", "__class__", "\u2028"],
    ids=["64", "65", "100000", "control", "unicode", "colon", "dunder", "separator"],
)
async def test_no_more_than_64_characters_of_an_unknown_name_are_repeated(
    client: httpx.AsyncClient, name: str
) -> None:
    for ascii_only in (True, False):
        key = json.dumps(name, ensure_ascii=ascii_only)
        problem = await _refused(client, with_pairs(f"{key}: 98765.4321"))
        (error,) = problem["errors"]
        assert (error["loc"], error["type"]) == (["body", name[:64]], "unknown_field")
        assert name not in error["msg"]


TWICE = {
    "the same key": (with_pairs('"age": 98765.4321'), ["age"]),
    "the same value": (with_pairs('"age": 54'), ["age"]),
    "an escaped key": (with_pairs('"\\u0061ge": 54'), ["age"]),
    "three times": (with_pairs('"age": 54', '"age": 55'), ["age"]),
    "two fields": (with_pairs('"age": 54', '"sex": 1'), ["age", "sex"]),
    "an alias": (with_pairs('"cp": 3'), ["cp"]),
    "two aliases": (with_pairs('"chol": 240', '"serum_cholestoral": 240'), ["chol"]),
    "the alias twice": (with_pairs('"cp": 3', '"cp": 3'), ["cp"]),
    "a key and an alias": (with_pairs('"cp": 3', '"chest_pain": 3'), ["cp", "chest_pain"]),
    "in a value that is dropped": (raw({"age": '{"a": {"b": 1}}, "age": 54'}), ["age"]),
}


@pytest.mark.parametrize(("body", "names"), TWICE.values(), ids=TWICE.keys())
async def test_a_field_given_twice_is_refused(
    client: httpx.AsyncClient, body: str, names: list[str]
) -> None:
    faults = await _faults(client, body)
    duplicates = {str(loc[1]) for loc, kind in faults if kind == "duplicate_field"}
    assert {kind for _, kind in faults} <= {"duplicate_field", "out_of_range"}
    assert duplicates >= set(names)


async def test_all_faults_are_listed_at_once(client: httpx.AsyncClient) -> None:
    record = {k: v for k, v in example().items() if k not in ("thal", "oldpeak")}
    body = raw({"age": "98765.4321", "sex": '"ZZTOP"', "cp": "3", "fbs": "0"}, record)
    body = f'{body[:-1]}, "colour": "ZZTOP", "trestbps": null, "slope_of_the_peak": 2}}'
    faults = await _faults(client, body, "ZZTOP")
    assert sorted(faults) == sorted(
        [
            (["body", "age"], "out_of_range"),
            (["body", "sex"], "unknown_code"),
            (["body", "thal"], "missing"),
            (["body", "oldpeak"], "missing"),
            (["body", "colour"], "unknown_field"),
            (["body", "cp"], "duplicate_field"),
            (["body", "fbs"], "duplicate_field"),
            (["body", "trestbps"], "duplicate_field"),
            (["body", "slope_of_the_peak"], "duplicate_field"),
        ]
    )


TEXT = json.dumps(example())
MALFORMED: dict[str, str | bytes] = {
    "empty": "",
    "white space": " \n",
    "truncated": TEXT[:-1],
    "cut in a string": '{"age": "98765',
    "trailing comma": f"{TEXT[:-1]},}}",
    "trailing garbage": f"{TEXT} ZZTOP",
    "two documents": f"{TEXT}{TEXT}",
    "single quotes": TEXT.replace('"', "'"),
    "a comment": f"{TEXT} // 98765.4321",
    "two byte order marks": f"\ufeff\ufeff{TEXT}",
    "a byte order mark alone": "\ufeff",
    "a byte order mark at the end": f"{TEXT}\ufeff",
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-32": TEXT.encode("utf-32-be"),
    "invalid UTF-8": b'{"ZZTOP\xff": 1}',
    "overlong UTF-8": b'{"age\xc0\x80": 1}',
    "UTF-8 of a surrogate": b'{"\xed\xa0\x80": 1}',
    "a lone surrogate in a key": '{"\\ud800ZZTOP": 1}',
    "a lone surrogate in a value": '{"age": "\\udc00ZZTOP"}',
    "a control character": '{"age": "ZZ\x01TOP"}',
    "NUL": "\x00",
    "NUL after the record": f"{TEXT}\x00",
    "300 deep": f'{{"age": {"[" * 300}{"]" * 300}}}',
    "60,000 deep": "[" * 60_000,
    "an integer of 5,000 digits": raw({"age": "9" * 5000}),
    "a leading zero": raw({"age": "054"}),
    "a plus sign": raw({"age": "+54"}),
    "hexadecimal": raw({"age": "0x36"}),
    "no fraction": raw({"age": "54."}),
    "a bare word": raw({"age": "ZZTOP"}),
    "a malformed duplicate": f'{TEXT[:-1]}, "age": 98765.4321,}}',
    "form data": "age=98765.4321&sex=ZZTOP",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_malformed_json_is_refused(
    client: httpx.AsyncClient, path: str, body: str | bytes
) -> None:
    response = await client.post(path, content=body, headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    (error,) = response.json()["errors"]
    assert (error["loc"], error["type"]) == (["body"], "json_invalid")
    assert not any(secret in response.text for secret in ("ZZTOP", "98765"))


@pytest.mark.parametrize(
    "body", ["[]", f"[{TEXT}]", "98765.4321", '"ZZTOP"', "true", "null", "NaN", "9" * 400]
)
async def test_a_body_that_is_not_an_object_is_refused(
    client: httpx.AsyncClient, body: str
) -> None:
    kind = "null" if body == "null" else "not_an_object"
    assert await _faults(client, body, "ZZTOP", "999") == [(["body"], kind)]


async def test_deep_nesting_within_the_parsers_limit_is_one_fault(
    client: httpx.AsyncClient,
) -> None:
    body = raw({"age": f"{'[' * 190}{']' * 190}"})
    assert await _faults(client, body) == [(["body", "age"], "not_a_number")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=utf-8; charset=latin-1"},
        {**JSON, "Content-Encoding": "br"},
        {**JSON, "Content-Encoding": "gzip, gzip"},
        {**JSON, "Content-Encoding": "gzip, identity"},
        {**JSON, "Content-Encoding": "identity, gzip"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_what_does_not_announce_plain_json_is_415(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    response = await client.post(path, content=TEXT.encode(), headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (415, PROBLEM)


@pytest.fixture
async def small_client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(artifact=ARTIFACT, max_record_bytes=1024, max_batch_bytes=1024))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(("size", "status"), [(1023, 200), (1024, 200), (1025, 413), (5000, 413)])
async def test_a_body_over_the_limit_is_413_announced_or_not(
    small_client: httpx.AsyncClient, path: str, size: int, status: int
) -> None:
    text = TEXT if path == "/predict" else f'{{"instances": [{TEXT}]}}'
    body = text.encode().ljust(size)

    async def in_chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 100):
            yield body[start : start + 100]

    announced = await small_client.post(path, content=body, headers=JSON)
    chunked = await small_client.post(path, content=in_chunks(), headers=JSON)
    assert "content-length" in announced.request.headers
    assert "content-length" not in chunked.request.headers
    assert [announced.status_code, chunked.status_code] == [status, status]


async def test_what_announces_too_much_is_413_before_it_is_read(
    small_client: httpx.AsyncClient,
) -> None:
    read = []

    async def endless() -> AsyncIterator[bytes]:
        read.append(True)
        yield b" "

    headers = {**JSON, "Content-Length": "1025"}
    response = await small_client.post("/predict", content=endless(), headers=headers)
    assert (response.status_code, read) == (413, [])


async def test_what_is_left_out_of_the_list_is_not_called_listed(
    client: httpx.AsyncClient,
) -> None:
    problem = await _refused(client, with_pairs(*(f'"u{number}": 0' for number in range(150))))
    assert len(problem["errors"]) == 150 or "every fault is listed" not in problem["detail"]


def _many_faults() -> Iterator[tuple[str, str, str]]:
    unknown = ", ".join(f'"chest_pain{number}": 0' for number in range(60_000))
    yield "unknown fields", "/predict/batch", f'{{"instances": [{{{unknown}}}]}}'
    rows = [{f"chest_pain{number}": 0 for number in range(15)}] * 5_000
    yield "bad rows", "/predict/batch", json.dumps({"instances": rows})


MANY_FAULTS = list(_many_faults())


@pytest.mark.parametrize(
    ("path", "body"), [case[1:] for case in MANY_FAULTS], ids=[case[0] for case in MANY_FAULTS]
)
async def test_a_body_of_many_faults_does_not_hold_up_the_others(
    client: httpx.AsyncClient, path: str, body: str
) -> None:
    # The event loop stands still meanwhile; both bodies are a quarter of the limit or less.
    started = time.process_time()
    response = await client.post(path, content=body, headers=JSON)
    assert response.status_code == 422
    assert time.process_time() - started < 3


A_LIST = f"[{TEXT}]"
A_BATCH = f'{{"instances": [{TEXT}]}}'
A_TABLE = json.dumps({"columns": FEATURES.names, "data": [[*example().values()]]})
MISPLACED = [
    ("/predict", A_BATCH, "This is a batch; send it to POST /predict/batch."),
    ("/predict", A_TABLE, "This is a batch; send it to POST /predict/batch."),
    (
        "/predict",
        A_LIST,
        'Send one record as an object, or many to POST /predict/batch: {"instances": [...]}.',
    ),
    (
        "/predict/batch",
        TEXT,
        'This is one record; send it to POST /predict, or in a list: {"instances": [...]}.',
    ),
    ("/predict/batch", A_LIST, 'Send a list of records in an object: {"instances": [...]}.'),
]


@pytest.mark.parametrize(("path", "body", "sentence"), MISPLACED)
async def test_a_body_of_another_path_is_refused_with_where_it_belongs(
    client: httpx.AsyncClient, path: str, body: str, sentence: str
) -> None:
    answer = await client.post(path, content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(f" {sentence}")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", with_pairs('"Instances": 1')),
        ("/predict", raw({"sex": '"instances"'})),
        ("/predict", '"instances"'),
        ("/predict", "7"),
        ("/predict", f"{A_BATCH}x"),
        ("/predict/batch", '{"instances": [{}]}'),
        ("/predict/batch", '{"other": 1}'),
        ("/predict/batch", f'{{"instances": [{with_pairs(chr(34) + "x" + chr(34) + ": 1")}]}}'),
        ("/predict/batch", "7"),
    ],
)
async def test_any_other_refusal_says_nothing_of_other_paths(
    client: httpx.AsyncClient, path: str, body: str
) -> None:
    answer = await client.post(path, content=body, headers=JSON)
    assert answer.status_code == 422
    assert "POST" not in answer.json()["detail"]
    assert "[...]" not in answer.json()["detail"]
