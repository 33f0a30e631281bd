from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import pytest

from service.http.pages import routes

pytestmark = pytest.mark.anyio

PAGES = Path(routes.__file__).parent
SWAGGER_UI = PAGES / "static" / "swagger-ui"


async def test_the_root_leads_to_the_docs(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "docs")
    followed = await client.get("/", follow_redirects=True)
    assert (followed.status_code, followed.url.path) == (200, "/docs")


async def test_everything_that_the_docs_load_is_relative_and_there(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    script = await client.get("/static/docs.js")
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    links += re.findall(r'url: "([^"]*)"', script.text)
    assert len(links) >= 6
    for link in links:
        assert re.fullmatch(r"[a-z][\w./-]*", link)
        assert (await client.get(f"/{link}")).status_code == 200


@pytest.mark.parametrize("name", ["docs.html", "static/docs.js"])
def test_our_own_pages_name_no_other_host(name: str) -> None:
    text = (PAGES / name).read_text()
    assert not re.search(r"https?:|(?<!:)//\w", text)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("docs.js", "text/javascript; charset=utf-8"),
        ("swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui/favicon-32x32.png", "image/png"),
    ],
)
async def test_a_static_file_has_its_content_type(
    client: httpx.AsyncClient, path: str, content_type: str
) -> None:
    response = await client.get(f"/static/{path}")
    assert response.status_code == 200
    assert response.headers["content-type"] == content_type
    assert response.content == (PAGES / "static" / path).read_bytes()


def test_the_vendored_files_are_what_they_were() -> None:
    lines = (SWAGGER_UI / "SHA256SUMS").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split() for line in lines)}
    files = {path.name: path for path in SWAGGER_UI.iterdir() if path.name != "SHA256SUMS"}
    assert digests == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }


@pytest.mark.parametrize("path", ["/docs/", "/redoc", "/docs/oauth2-redirect"])
async def test_other_pages_of_fastapi_are_not_there(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/docs"), ("HEAD", "/docs"), ("GET", "/static/docs.js")]
)
@pytest.mark.parametrize("given", ["x", "bytes=", "bytes=9-1", "bytes=99999999-", "bytes=0-3"])
async def test_a_range_is_ignored(
    client: httpx.AsyncClient, method: str, path: str, given: str
) -> None:
    whole = await client.request(method, path)
    asked = await client.request(method, path, headers={"Range": given})
    assert (asked.status_code, asked.content) == (200, whole.content)
