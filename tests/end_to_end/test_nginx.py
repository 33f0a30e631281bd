"""The lines for nginx of docs/operations.md, run by nginx in front of a real service."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import ROOT
from tests.end_to_end.load import BODY
from tests.end_to_end.processes import PATIENCE, reserved_port, started, wait_until
from tests.exposition import read, total
from tests.service.connections import post
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
    with reserved_port() as port:
        listening = f"127.0.0.1:{port}"
        lines = lines_of_the_page(urlsplit(address).netloc, listening)
        with running_nginx(tmp_path_factory.mktemp("nginx"), lines, listening) as url:
            yield url


@pytest.fixture(scope="module")
def upgrading_proxy(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[str]:
    """The address of an nginx that passes Upgrade on, as for WebSockets."""
    plain = 'proxy_set_header Connection "";'
    upgrade = 'proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade;'
    with reserved_port() as port:
        listening = f"127.0.0.1:{port}"
        lines = lines_of_the_page(urlsplit(address).netloc, listening)
        assert lines.count(plain) == 1
        lines = lines.replace(plain, upgrade)
        with running_nginx(tmp_path_factory.mktemp("nginx"), lines, listening) as url:
            yield url


@contextmanager
def running_nginx(folder: Path, lines: str, listening: str) -> Iterator[str]:
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
    with socket.create_connection(address_of(proxy), timeout=PATIENCE) as connection:
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


METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("number", [1, 1000])  # nginx sends so many apart from the head.
def test_no_body_gets_past_what_nginx_denies(
    upgrading_proxy: str, address: str, upgrade: str, number: int
) -> None:
    before = answered_metrics(address)
    headers = (f"Upgrade: {upgrade}", "Connection: Upgrade, close")
    request = post("/predict", METRICS * number, *headers)
    received = b""
    with socket.create_connection(address_of(upgrading_proxy), timeout=PATIENCE) as connection:
        connection.sendall(request)
        while data := connection.recv(2**16):
            received += data
    assert received.startswith(b"HTTP/1.1 422 ")
    assert received.count(b"HTTP/1.1") == 1
    assert b"heartline_" not in received
    assert answered_metrics(address) == before + 1  # the look before


def answered_metrics(address: str) -> float:
    return total(
        read(httpx.get(f"{address}/metrics").text), "heartline_requests_total", route="/metrics"
    )


def test_a_prediction_comes_through_an_nginx_that_passes_upgrade_on(
    upgrading_proxy: str, address: str
) -> None:
    headers = {**JSON, "Upgrade": "h2c", "Connection": "Upgrade"}
    through = httpx.post(f"{upgrading_proxy}/predict", content=BODY, headers=headers)
    direct = httpx.post(f"{address}/predict", content=BODY, headers=JSON)
    assert (through.status_code, through.content) == (200, direct.content)


def address_of(url: str) -> tuple[str, int]:
    host, port = urlsplit(url).netloc.split(":")
    return host, int(port)
