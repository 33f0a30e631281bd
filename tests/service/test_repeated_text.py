"""What a client sends is repeated in three places, all of them in the answer to itself."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from service.app import create_app
from service.faults import MAX_BAD_NAMES, MAX_BAD_ROWS, MAX_NAME
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import FEATURES, JSON, example, raw, with_pairs

pytestmark = pytest.mark.anyio

WORD, NUMBER = "zq7marked", "739184652"
MARK = re.compile(f"{WORD}|{NUMBER}")
OURS = "https://app.example"
NDJSON, CSV = "application/x-ndjson", "text/csv"

NAMED = with_pairs(f'"{WORD}": {NUMBER}')
VALUES = [
    raw({"age": NUMBER}),
    raw({"age": f'"{WORD}"', "sex": f'["{WORD}", {NUMBER}]', "thal": f'{{"{WORD}": 1}}'}),
    with_pairs(f'"age": {NUMBER}'),
    raw({"age": f"1{NUMBER}.{NUMBER}"}),
    f'"{WORD}"',
    f"[{NUMBER}]",
    NUMBER,
    f'{{"{WORD}": {NUMBER}',
    f'{{"age": {WORD}}}',
    f'{{"age": "\\{WORD}"}}',
]
TABLES = [
    json.dumps({"columns": FEATURES.names, "data": [[WORD] * 13, [int(NUMBER)], WORD]}),
    json.dumps({"columns": [int(NUMBER), [WORD], {WORD: 1}], "data": []}),
    json.dumps({"columns": WORD, "data": int(NUMBER)}),
]
NAMED_TABLES = [
    json.dumps({"columns": [WORD, "age"], "data": []}),
    json.dumps({"columns": FEATURES.names, "data": [], WORD: int(NUMBER)}),
]


class Sent(NamedTuple):
    path: str
    body: str
    media_type: str = "application/json"
    method: str = "POST"


def _csv(name: str, value: object, own: object = None) -> str:
    record = {"id": own, **example()} if own else example()
    record[name] = value
    return "\n".join(",".join(map(str, line)) for line in (record, record.values()))


def _silent() -> Iterator[Sent]:
    """Yield requests of which nothing at all is repeated."""
    for body in VALUES:
        yield Sent("/predict", body)
        yield Sent("/predict/batch", f'{{"instances": [{body}]}}')
        for query in ("", "?on_error=report"):
            yield Sent(f"/predict/batch{query}", body, NDJSON)
    for body in TABLES:
        yield Sent("/predict/batch", body)
    for query in ("", "?on_error=report", f"?on_error={WORD}", f"?{WORD}={NUMBER}"):
        yield Sent(f"/predict/batch{query}", _csv("age", WORD), CSV)
        yield Sent(f"/predict/batch{query}", _csv("age", NUMBER), CSV)
        yield Sent(f"/predict/batch{query}", f'"{WORD}\n{NUMBER}', NDJSON)
    yield Sent("/predict", json.dumps(example()), f"text/{WORD}")
    yield Sent("/predict", json.dumps(example()), f"application/json; charset={WORD}")
    for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD", WORD.upper()):
        for path in (f"/{WORD}", f"/static/{WORD}?{NUMBER}", f"/?{WORD}={NUMBER}", "/predict"):
            yield Sent(path, "", "text/plain", method)


def _named() -> Iterator[Sent]:
    """Yield requests with unknown fields."""
    for body in (NAMED, with_pairs(f'"{WORD * 20}": "{WORD}"')):
        yield Sent("/predict", body)
        yield Sent("/predict/batch", f'{{"instances": [{body}], "{WORD}": 1}}')
        for query in ("", "?on_error=report"):
            yield Sent(f"/predict/batch{query}", body, NDJSON)
    yield Sent("/predict/batch", _csv(WORD, NUMBER), CSV)
    for body in NAMED_TABLES:
        yield Sent("/predict/batch", body)


def _identified() -> Iterator[Sent]:
    """Yield streams whose rows have an id, good ones and bad ones."""
    for query in ("", "?on_error=report"):
        yield Sent(f"/predict/batch{query}", with_pairs(f'"id": "{WORD}"'), NDJSON)
        yield Sent(f"/predict/batch{query}", _csv("age", 54, WORD), CSV)
    yield Sent("/predict/batch?on_error=report", _csv("age", NUMBER, WORD), CSV)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(artifact=ARTIFACT, cors_origins=(OURS,)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


async def _ask(client: httpx.AsyncClient, sent: Sent, **headers: str) -> httpx.Response:
    given = {
        "Content-Type": sent.media_type,
        "Cookie": f"{WORD}={NUMBER}",
        "User-Agent": WORD,
        "Accept": WORD,
        "Origin": OURS,
        "Access-Control-Request-Headers": WORD,
        "If-None-Match": f'"{WORD}"',
        "X-Request-ID": f"{WORD} {NUMBER}",
        "traceparent": f"00-{WORD}",
        f"X-{WORD}": NUMBER,
    }
    return await client.request(
        sent.method, sent.path, content=sent.body, headers={**given, **headers}
    )


def _reported(answer: httpx.Response) -> str:
    return f"{answer.headers.multi_items()} {answer.text}"


async def test_no_value_and_no_other_text_is_repeated(client: httpx.AsyncClient) -> None:
    for sent in _silent():
        assert not MARK.search(_reported(await _ask(client, sent))), sent


async def test_of_an_unknown_field_the_name_is_repeated_and_cut(client: httpx.AsyncClient) -> None:
    for sent in _named():
        answer = await _ask(client, sent)
        if answer.status_code == 422:
            problem = answer.json()
            for error in problem["errors"]:
                if error["type"] == "unknown_field":
                    assert len(error["loc"].pop()) <= MAX_NAME
            rest = f"{answer.headers.multi_items()} {json.dumps(problem)}"
        else:
            rest = re.sub(f'"loc":\\["body",0,"({WORD})+[a-z7]*"\\]', "", _reported(answer))
        assert WORD in answer.text
        assert not MARK.search(rest), sent


async def test_the_id_of_a_row_comes_back_with_its_answer(client: httpx.AsyncClient) -> None:
    for sent in _identified():
        answer = await _ask(client, sent)
        assert answer.status_code == 200
        reported = _reported(answer)
        assert len(MARK.findall(reported)) == reported.count(WORD) == 1, sent


async def test_a_request_id_is_repeated_where_it_is_well_formed(client: httpx.AsyncClient) -> None:
    sent = Sent("/predict", json.dumps(example()))
    answer = await _ask(client, sent, **{"X-Request-ID": WORD})
    assert answer.headers["X-Request-ID"] == WORD
    assert len(MARK.findall(_reported(answer))) == 1
    for text in (f"{WORD} ", f"{WORD}{'a' * 64}", f"{WORD}\n", f'"{WORD}"', f"{WORD}é"):
        header = text.encode("latin-1")
        answer = await client.post(
            "/predict",
            content=sent.body,
            headers=[(b"content-type", b"application/json"), (b"x-request-id", header)],
        )
        assert not MARK.search(_reported(answer))


async def test_the_largest_error_is_bounded(client: httpx.AsyncClient) -> None:
    """The bounds that SECURITY.md states."""
    names = {60 * chr(1) + str(number): None for number in range(MAX_BAD_NAMES + 20)}
    rows = [{**dict.fromkeys(FEATURES.names), **names}] * (MAX_BAD_ROWS + 1)
    body = json.dumps({"instances": rows, **names})
    answer = await client.post("/predict/batch", content=body, headers=JSON)
    errors: list[dict[str, Any]] = answer.json()["errors"]
    assert answer.status_code == 422
    assert len(errors) == MAX_BAD_NAMES + MAX_BAD_ROWS * (len(FEATURES) + MAX_BAD_NAMES)
    assert len(answer.content) < 8 * 2**20
