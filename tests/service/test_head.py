"""HEAD: wherever GET is answered, with the same head."""

from __future__ import annotations

import pytest

from tests.exposition import read
from tests.service.conftest import Server
from tests.service.connections import connected, statuses

PATHS = [
    *("/", "/docs", "/openapi.json", "/static/docs.js", "/static/none", "/nowhere"),
    *("/livez", "/readyz", "/metrics", "/model", "/predict", "/predict/batch"),
]


@pytest.mark.parametrize("path", PATHS)
def test_head_gets_the_head_of_what_get_gets(server: Server, path: str) -> None:
    with server.client() as client:
        get, head = (client.request(method, path) for method in ("GET", "HEAD"))
    changing = {"x-request-id", "date", *(["content-length"] if path == "/metrics" else [])}
    heads = [
        {name: value for name, value in answer.headers.items() if name not in changing}
        for answer in (get, head)
    ]
    assert (head.status_code, heads[1]) == (get.status_code, heads[0])
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0 or path == "/"


def test_head_is_logged_as_such_and_counted_under_its_route(server: Server) -> None:
    series = ("heartline_requests_total", frozenset({("route", "/livez"), ("status", "200")}))
    with server.client() as client:
        before = read(client.get("/metrics").text)
        client.head("/livez", headers={"X-Request-ID": "only-the-head"})
        after = read(client.get("/metrics").text)
    assert after[series] == before[series] + 1
    line = server.log_of("only-the-head")
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/livez", 200)


@pytest.mark.parametrize("path", ["/livez", "/docs", "/openapi.json"])
def test_of_a_path_that_is_read_get_and_head_are_allowed(server: Server, path: str) -> None:
    with server.client() as client:
        answer = client.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_no_body_stands_between_the_answer_to_head_and_the_next(server: Server) -> None:
    head = b"HEAD /model HTTP/1.1\r\nHost: heartline\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(head * 3 + head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(connection) == [200] * 4
