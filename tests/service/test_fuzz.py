"""No request, however it is made, gets anything but an answer or a well-formed refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.inference.predictor import Predictor
from service.app import create_app
from service.http.problems import KINDS, KINDS_BY_STATUS
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service import hostile
from tests.service.asking import JSON, Answer, Asker
from tests.service.careful import FORMS, Form
from tests.service.questions import Question, check, marks_in
from tests.service.samples import PROBLEM, as_object

pytestmark = pytest.mark.slow

FEW = settings(max_examples=300, derandomize=True, deadline=None, database=None)
MANY = settings(FEW, max_examples=600)
CHANCE = st.randoms(use_true_random=False)

MEMBERS = ["type", "title", "status", "detail", "errors"]
REFUSED = {
    kind.status for kind in (*KINDS.values(), *KINDS_BY_STATUS.values()) if kind.status < 500
}
KEY = "a-key-of-the-fuzzing-test"


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
    assert not marks_in(hostile.without_loc(problem))


@pytest.fixture(scope="module")
def ask(app: FastAPI) -> Iterator[Asker]:
    with closing(Asker(app)) as asker:
        yield asker


@FEW
@given(body=st.binary(max_size=200), form=st.sampled_from(FORMS))
@example(body=b"", form="record")
def test_bytes_without_sense_are_refused(
    ask: Asker, predictor: Predictor, body: bytes, form: Form
) -> None:
    asked = Question(form, body)
    check(asked, ask(asked.path, body, headers=asked.headers), predictor)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@FEW
@given(
    value=JSON_VALUES, form=st.sampled_from(["record", "batch", "ndjson"]), is_ascii=st.booleans()
)
def test_any_json_is_refused(
    ask: Asker, predictor: Predictor, value: object, form: Form, is_ascii: bool
) -> None:
    document = {"instances": value} if form == "batch" else value
    asked = Question(form, json.dumps(document, ensure_ascii=is_ascii).encode())
    check(asked, ask(asked.path, asked.body, headers=asked.headers), predictor)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Asker]:
    app = create_app(Settings(artifact=ARTIFACT, api_keys=f"me:{KEY}"))
    with closing(Asker(app)) as asker:
        yield asker


@MANY
@given(rng=CHANCE)
def test_headers_are_taken_or_refused(ask: Asker, predictor: Predictor, rng: Random) -> None:
    asked = Question("record", as_object(hostile.good_pairs(rng)).encode())
    given_headers = [*rng.choice([JSON, []]), *hostile.headers(rng)]
    answer = ask(asked.path, asked.body, headers=given_headers)
    if answer.status == 200:
        check(asked, answer, predictor)
    else:
        check_refusal(answer)


@FEW
@given(rng=CHANCE)
def test_no_header_opens_what_needs_a_key(guarded: Asker, rng: Random) -> None:
    answer = guarded("/model", method="GET", headers=[*hostile.headers(rng)])
    assert answer.status == 401
    check_refusal(answer)


@FEW
@given(key=st.binary(max_size=40) | st.sampled_from([KEY.encode(), KEY.upper().encode()]))
def test_the_key_alone_opens_it(guarded: Asker, key: bytes) -> None:
    headers = [(b"authorization", b"Bearer " + key)]
    answer = guarded("/model", method="GET", headers=headers)
    assert (answer.status == 200) == (key.strip() == KEY.encode())
    if answer.status != 200:
        check_refusal(answer)


@MANY
@given(rng=CHANCE)
def test_every_path_is_answered_or_refused(ask: Asker, rng: Random) -> None:
    method = rng.choice(hostile.METHODS)
    answer = ask(hostile.path(rng), method=method, headers=[*hostile.headers(rng)])
    if answer.status >= 400:
        check_refusal(answer, is_head=method == "HEAD")
    else:
        assert answer.status in {200, 304, 307}
