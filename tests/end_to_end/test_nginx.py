"""The lines for nginx of docs/operations.md, run by nginx in front of a real service."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import ROOT
from tests.end_to_end.load import BODY
from tests.end_to_end.processes import PATIENCE, free_port, started, wait_until
from tests.service.samples import JSON, PROBLEM

AROUND = """
daemon off; user root; pid nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path bodies; proxy_temp_path answers;
  fastcgi_temp_path unused; uwsgi_temp_path unused; scgi_temp_path unused;
  {lines}
}}
"""


def lines_of_the_page(service: str, proxy: str) -> str:
    """Return the page's lines, but for its addresses and what depends on a clock."""
    page = (ROOT / "docs" / "operations.md").read_text()
    lines = page.partition("```nginx\n")[2].partition("```")[0]
    for theirs, ours in (
        ("127.0.0.1:8000", service),
        ("\nserver {\n", f"\nserver {{\n  listen {proxy};\n"),
        ("client_header_timeout 10s", "client_header_timeout 1s"),
        ("rate=5r/s", "rate=1r/m"),
    ):
        assert lines.count(theirs) == 1
        lines = lines.replace(theirs, ours)
    return lines


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[str]:
    """The address of nginx in front of the service."""
    folder, listening = tmp_path_factory.mktemp("nginx"), f"127.0.0.1:{free_port()}"
    lines = lines_of_the_page(urlsplit(address).netloc, listening)
    (folder / "nginx.conf").write_text(AROUND.format(lines=lines))
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf"]
    with started(command, log := folder / "log") as process:
        wait_until(lambda: process.poll() is not None or answers(listening))
        assert process.poll() is None, log.read_text()
        yield f"http://{listening}"


def answers(listening: str) -> bool:
    try:
        return httpx.get(f"http://{listening}/model").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_a_prediction_comes_through_as_the_service_gives_it(proxy: str, address: str) -> None:
    through, direct = (
        httpx.post(f"{url}/predict", content=BODY, headers=JSON) for url in (proxy, address)
    )
    assert (through.status_code, through.content) == (200, direct.content)
    assert through.headers.keys() >= {"x-request-id", "content-security-policy"}


def test_what_nginx_lets_through_is_the_services_to_refuse(proxy: str) -> None:
    too_large = httpx.post(f"{proxy}/predict", content=b" " * 2**17, headers=JSON)
    assert (too_large.status_code, too_large.headers["content-type"]) == (413, PROBLEM)
    headers = {f"X-{number}": "a" * 8000 for number in range(3)}
    long_head = httpx.get(f"{proxy}/model", headers=headers)
    assert (long_head.status_code, long_head.headers["content-type"]) == (431, PROBLEM)


def test_what_is_larger_than_any_batch_gets_no_further(proxy: str) -> None:
    answer = httpx.post(f"{proxy}/predict", content=b" " * (8 * 2**20 + 1), headers=JSON)
    assert answer.status_code == 413
    assert "nginx" in answer.text


def test_a_head_that_takes_too_long_ends_its_connection(proxy: str) -> None:
    host, port = urlsplit(proxy).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /model HTTP/1.1\r\nHost: x\r\n")
        assert connection.recv(2**16) == b""


def test_more_batches_than_the_rate_are_refused(proxy: str) -> None:
    body = b'{"instances": [%s]}' % BODY
    with httpx.Client(base_url=proxy, headers=JSON) as client:
        statuses = [client.post("/predict/batch", content=body).status_code for _ in range(13)]
    assert statuses == [200] * 11 + [503] * 2


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_what_is_for_operators_is_not_for_clients(proxy: str, path: str) -> None:
    assert httpx.get(f"{proxy}{path}").status_code == 403
