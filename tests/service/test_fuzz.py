"""No request, however it is made, gets anything but an answer or a well-formed refusal."""

from __future__ import annotations

import asyncio
import json
import re
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from model.predictor import Predictor
from service.app import create_app
from service.problems import KINDS, KINDS_BY_STATUS
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service import hostile
from tests.service.samples import PROBLEM, as_object

FEW = settings(max_examples=300, derandomize=True, deadline=None, database=None)
MANY = settings(FEW, max_examples=600)
CHANCE = st.randoms(use_true_random=False)

MEMBERS = ["type", "title", "status", "detail", "errors"]
REFUSED = {
    kind.status for kind in (*KINDS.values(), *KINDS_BY_STATUS.values()) if kind.status < 500
}
JSON = [(b"content-type", b"application/json")]
KEY = "a-key-of-the-fuzzing-test"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    app: FastAPI,
    path: str,
    body: bytes = b"",
    method: str = "POST",
    headers: list[tuple[bytes, bytes]] = JSON,
) -> Answer:
    """Ask as a server would: what it lets through, and it alone, is free to be anything."""
    raw_path, _, query = path.partition("?")
    length = (b"content-length", b"%d" % len(body))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [*headers, length],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9000),
        "state": {},
    }
    arriving: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not arriving:
            await asyncio.Event().wait()  # the client stays
        return arriving.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *parts = sent
    given_headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in start["headers"]}
    return Answer(start["status"], given_headers, b"".join(part["body"] for part in parts))


def check_refusal(answer: Answer, *, is_head: bool = False) -> None:
    """Hold an error to docs/problems.md."""
    assert answer.status in REFUSED
    assert answer.headers["content-type"] == PROBLEM
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["x-request-id"])
    if is_head:
        return
    problem: dict[str, Any] = json.loads(answer.body)
    assert list(problem) == MEMBERS
    assert problem["status"] == answer.status
    assert bool(problem["errors"]) == (answer.status == 422)
    for error in problem["errors"]:
        assert list(error) == ["loc", "msg", "type"]
        assert error["loc"][0] == "body"
    told = hostile.without_loc(problem)
    assert not [mark for mark in hostile.MARKS if mark in told]


def check_answer(answer: Answer, body: bytes, predictor: Predictor, *, is_batch: bool) -> None:
    """Hold an answer to what a careful reader and the predictor make of the body."""
    records = hostile.meaning(body, is_batch=is_batch)
    if records is None:
        assert answer.status == 422
        check_refusal(answer)
        return
    assert answer.status == 200
    told = json.loads(answer.body)
    expected = predictor.predict_records(records) if records else np.empty(0)
    assert _probabilities(told) == expected.tolist()
    assert told["model_version"] == predictor.artifact.version


def _probabilities(told: dict[str, Any]) -> list[float]:
    if "data" in told:
        return [row[told["columns"].index("probability")] for row in told["data"]]
    return [row["probability"] for row in told.get("predictions", [told])]


@MANY
@given(rng=CHANCE)
def test_a_record_is_refused_or_gets_what_the_predictor_gives(
    app: FastAPI, predictor: Predictor, rng: Random
) -> None:
    body = hostile.body(rng, is_batch=False)
    check_answer(ask(app, "/predict", body), body, predictor, is_batch=False)


@MANY
@given(rng=CHANCE)
def test_a_batch_is_refused_or_gets_what_the_predictor_gives(
    app: FastAPI, predictor: Predictor, rng: Random
) -> None:
    body = hostile.body(rng, is_batch=True)
    check_answer(ask(app, "/predict/batch", body), body, predictor, is_batch=True)


@FEW
@given(body=st.binary(max_size=200), is_batch=st.booleans())
@example(body=b"", is_batch=False)
def test_bytes_without_sense_are_refused(
    app: FastAPI, predictor: Predictor, body: bytes, is_batch: bool
) -> None:
    path = "/predict/batch" if is_batch else "/predict"
    check_answer(ask(app, path, body), body, predictor, is_batch=is_batch)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@FEW
@given(value=JSON_VALUES, is_batch=st.booleans(), ascii_only=st.booleans())
def test_any_json_is_refused(
    app: FastAPI, predictor: Predictor, value: object, is_batch: bool, ascii_only: bool
) -> None:
    body = json.dumps({"instances": value} if is_batch else value, ensure_ascii=ascii_only)
    path = "/predict/batch" if is_batch else "/predict"
    check_answer(ask(app, path, body.encode()), body.encode(), predictor, is_batch=is_batch)


@pytest.fixture(scope="module")
def guarded() -> FastAPI:
    return create_app(Settings(artifact=ARTIFACT, api_keys=f"me:{KEY}"))


@MANY
@given(rng=CHANCE)
def test_headers_are_taken_or_refused(app: FastAPI, predictor: Predictor, rng: Random) -> None:
    body = as_object(hostile.good_pairs(rng)).encode()
    answer = ask(app, "/predict", body, headers=[*rng.choice([JSON, []]), *hostile.headers(rng)])
    if answer.status == 200:
        check_answer(answer, body, predictor, is_batch=False)
    else:
        check_refusal(answer)


@FEW
@given(rng=CHANCE)
def test_no_header_opens_what_needs_a_key(guarded: FastAPI, rng: Random) -> None:
    answer = ask(guarded, "/model", method="GET", headers=[*hostile.headers(rng)])
    assert answer.status == 401
    check_refusal(answer)


@FEW
@given(key=st.binary(max_size=40) | st.sampled_from([KEY.encode(), KEY.upper().encode()]))
def test_the_key_alone_opens_it(guarded: FastAPI, key: bytes) -> None:
    headers = [(b"authorization", b"Bearer " + key)]
    answer = ask(guarded, "/model", method="GET", headers=headers)
    assert (answer.status == 200) == (key.strip() == KEY.encode())
    if answer.status != 200:
        check_refusal(answer)


@MANY
@given(rng=CHANCE)
def test_every_path_is_answered_or_refused(app: FastAPI, rng: Random) -> None:
    method = rng.choice(hostile.METHODS)
    answer = ask(app, hostile.path(rng), method=method, headers=[*hostile.headers(rng)])
    if answer.status >= 400:
        check_refusal(answer, is_head=method == "HEAD")
    else:
        assert answer.status in {200, 304, 307}
