from __future__ import annotations

from typing import Any, NoReturn

import httpx
import pytest

from service.scoring import Scorer
from tests.service.conftest import Server
from tests.service.samples import JSON, example

pytestmark = pytest.mark.anyio

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

ANSWERED: list[tuple[int, str, str, dict[str, Any]]] = [
    (200, "GET", "/livez", {}),
    (200, "GET", "/readyz", {}),
    (200, "GET", "/model", {}),
    (200, "GET", "/docs", {}),
    (200, "HEAD", "/docs", {}),
    (200, "GET", "/openapi.json", {}),
    (200, "POST", "/predict", {"json": example()}),
    (200, "POST", "/predict/batch", {"json": {"instances": [example()]}}),
    (307, "GET", "/", {}),
    (404, "GET", "/nowhere", {}),
    (405, "GET", "/predict", {}),
    (413, "POST", "/predict", {"content": " " * 2**17, "headers": JSON}),
    (415, "POST", "/predict", {"content": "{}"}),
    (422, "POST", "/predict", {"json": {}}),
]
FILES = [(200, "/static/docs.js"), (304, "/static/docs.js"), (404, "/static/nothing")]


def _assert_secured(response: httpx.Response, *, cached: bool = False) -> None:
    wanted = SECURITY if cached else {**SECURITY, "cache-control": "no-store"}
    for name, value in wanted.items():
        assert response.headers.get_list(name) == [value]
    assert ("cache-control" in response.headers) is not cached


@pytest.mark.parametrize(
    ("status", "method", "path", "parts"),
    ANSWERED,
    ids=[" ".join(map(str, way[:3])) for way in ANSWERED],
)
async def test_every_answer_has_the_headers_and_is_kept_nowhere(
    client: httpx.AsyncClient, status: int, method: str, path: str, parts: dict[str, Any]
) -> None:
    response = await client.request(method, path, **parts)
    assert response.status_code == status
    _assert_secured(response)


@pytest.mark.parametrize(("status", "path"), FILES)
async def test_files_have_the_headers_and_may_be_kept(
    client: httpx.AsyncClient, status: int, path: str
) -> None:
    etag = (await client.get(path)).headers.get("etag", "")
    response = await client.get(path, headers={"If-None-Match": etag} if status == 304 else {})
    assert response.status_code == status
    _assert_secured(response, cached=True)


async def test_a_crash_has_the_headers_too(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(Scorer, "predict_familiar", crash)
    response = await client.post("/predict", json=example())
    assert response.status_code == 500
    _assert_secured(response)


def test_no_header_names_what_runs(server: Server) -> None:
    with server.client() as client:
        for status, method, path, parts in ANSWERED:
            response = client.request(method, path, **parts)
            assert response.status_code == status
            assert "server" not in response.headers
