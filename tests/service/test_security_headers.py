from __future__ import annotations

from typing import Any, NoReturn

import httpx
import pytest

from service.protocols.native.scoring import Scorer
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


DOCUMENTS = ("/model", "/openapi.json")


def _assert_secured(response: httpx.Response, cache_control: str | None = "no-store") -> None:
    for name, value in SECURITY.items():
        assert response.headers.get_list(name) == [value]
    assert response.headers.get_list("cache-control") == ([cache_control] if cache_control else [])


@pytest.mark.parametrize(
    ("status", "method", "path", "parts"),
    ANSWERED,
    ids=[" ".join(map(str, way[:3])) for way in ANSWERED],
)
async def test_every_answer_has_the_headers_and_none_but_a_document_is_kept(
    client: httpx.AsyncClient, status: int, method: str, path: str, parts: dict[str, Any]
) -> None:
    response = await client.request(method, path, **parts)
    assert response.status_code == status
    _assert_secured(response, "no-cache" if path in DOCUMENTS else "no-store")


@pytest.mark.parametrize(("status", "path"), FILES)
async def test_files_have_the_headers_and_may_be_kept(
    client: httpx.AsyncClient, status: int, path: str
) -> None:
    etag = (await client.get(path)).headers.get("etag", "")
    response = await client.get(path, headers={"If-None-Match": etag} if status == 304 else {})
    assert response.status_code == status
    _assert_secured(response, None)


async def test_a_crash_has_the_headers_too(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(Scorer, "predict_valid", crash)
    response = await client.post("/predict", json=example())
    assert response.status_code == 500
    _assert_secured(response)


def test_no_header_names_what_runs(server: Server) -> None:
    with server.client() as client:
        for status, method, path, parts in ANSWERED:
            response = client.request(method, path, **parts)
            assert response.status_code == status
            assert "server" not in response.headers
