from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from model.inference.predictor import Predictor
from service.faults import FAULT_TYPES
from service.http.problems import KINDS, KINDS_BY_STATUS, Kind
from service.protocols.native.scoring import Scorer
from tests.conftest import ROOT
from tests.service.samples import JSON, PROBLEM, example, raw

pytestmark = pytest.mark.anyio

MEMBERS = ["type", "title", "status", "detail", "errors"]
PATIENT_VALUE = "98765.4321"
GOOD = json.dumps(example())
TOO_LARGE = " " * (8 * 2**20 + 1)

WAYS_TO_FAIL: list[tuple[int, str, str, dict[str, Any]]] = [
    (404, "GET", "/98765.4321", {}),
    (404, "GET", "/predict/", {}),
    (404, "GET", "/docs/", {}),
    (404, "GET", "/static", {}),
    (404, "GET", "/static/", {}),
    (404, "GET", "/static/98765.4321", {}),
    (404, "GET", "/static/swagger-ui", {}),
    (404, "GET", "/static/%2e%2e/docs.html", {}),
    (404, "GET", "/static/%00", {}),
    (404, "GET", f"/static/{'a' * 5000}", {}),
    (404, "POST", "/%ff", {"content": GOOD}),
    (405, "GET", "/predict", {}),
    (405, "PUT", "/predict/batch", {"content": GOOD, "headers": JSON}),
    (405, "DELETE", "/livez", {}),
    (405, "POST", "/readyz", {}),
    (405, "POST", "/model", {}),
    (405, "POST", "/", {}),
    (405, "POST", "/docs", {}),
    (405, "POST", "/openapi.json", {}),
    (405, "POST", "/static/docs.js", {}),
    (405, "BREW", "/predict", {}),
    (413, "POST", "/predict", {"content": TOO_LARGE, "headers": JSON}),
    (413, "POST", "/predict/batch", {"content": TOO_LARGE, "headers": JSON}),
    (415, "POST", "/predict", {"content": GOOD}),
    (415, "POST", "/predict/batch", {"content": GOOD}),
    (422, "POST", "/predict", {"content": raw({"age": PATIENT_VALUE}), "headers": JSON}),
    (422, "POST", "/predict", {"content": PATIENT_VALUE, "headers": JSON}),
    (422, "POST", "/predict", {"content": f'{{"age": {PATIENT_VALUE}', "headers": JSON}),
    (422, "POST", "/predict/batch", {"content": GOOD, "headers": JSON}),
]


def _assert_is_problem(response: httpx.Response, status: int) -> None:
    problem = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    assert len(response.headers.get_list("x-request-id")) == 1
    assert list(problem) == MEMBERS
    assert problem["type"].startswith("urn:heartline:problem:")
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert bool(problem["errors"]) == (status == 422)
    assert all(list(error) == ["loc", "msg", "type"] for error in problem["errors"])
    assert PATIENT_VALUE not in response.text
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("status", "method", "path", "request_parts"),
    WAYS_TO_FAIL,
    ids=[f"{status}-{method}-{path[:40]}" for status, method, path, _ in WAYS_TO_FAIL],
)
async def test_every_error_has_the_same_shape(
    client: httpx.AsyncClient, status: int, method: str, path: str, request_parts: dict[str, Any]
) -> None:
    _assert_is_problem(await client.request(method, path, **request_parts), status)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_a_crash_has_the_same_shape_and_reveals_nothing(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise RuntimeError(f"value {PATIENT_VALUE}")

    monkeypatch.setattr(Scorer, "predict_valid", crash)
    monkeypatch.setattr(Scorer, "batch", crash)
    response = await client.post(path, content=GOOD, headers={**JSON, "X-Request-ID": "mine"})
    _assert_is_problem(response, 500)
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["connection"] == "close"
    assert "RuntimeError" not in response.text


async def test_an_unsound_model_is_not_ready_but_alive(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "is_sound", lambda _predictor: False)
    _assert_is_problem(await client.get("/readyz"), 503)
    assert (await client.get("/livez")).status_code == 200


async def test_a_client_that_goes_away_amid_the_body_is_no_crash(app: FastAPI) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    arriving = iter([{"type": "http.request", "body": b"{", "more_body": True}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["type"] == "urn:heartline:problem:client-disconnected"


@pytest.mark.parametrize(
    "name",
    sorted(
        {kind.slug for kind in (*KINDS.values(), *KINDS_BY_STATUS.values())}
        | set(FAULT_TYPES)
        | {"outside_training_range", "unseen_code"}
    ),
)
def test_every_kind_of_problem_and_fault_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "problems.md").read_text()


@pytest.mark.parametrize("kind", [*KINDS.values(), *KINDS_BY_STATUS.values()])
def test_the_page_of_problems_has_the_status_and_title_of_each_kind(kind: Kind) -> None:
    page = (ROOT / "docs" / "problems.md").read_text()
    section = page.partition(f"### `{kind.slug}`\n")[2].partition("\n")[0]
    assert re.match(rf"{kind.status}\b", section)
    assert f', "{kind.title}". ' in section
