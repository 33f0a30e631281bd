"""What the head of a request must be: RFC 9110 and RFC 9112, over a socket and both ways."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.errors import NotHttp
from service.http.heads import check_head
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.conftest import Server
from tests.service.connections import (
    RECORD,
    answers,
    assert_is_problem,
    connected,
    post,
    statuses,
)
from tests.service.wire import Connection, run

OPEN = Settings(artifact=ARTIFACT)
CLOSE = "Connection: close"

VALID_HOSTS = [
    *(b"example.com", b"example.com:80", b"example.com:", b"a", b"127.0.0.1:8000", b"[::1]"),
    *(
        b"[::1]:8000",
        b"[2001:db8::1]",
        b"[::ffff:1.2.3.4]",
        b"a_b-c~d.e!$&'()*+,;=",
        b"%41%c3",
        b"",
    ),
    *(b"xn--bcher-kva.example", b"a.", b"example.com \t"),
]
INVALID_HOSTS = [
    *(b"a b", b"a/b", b"a:b", b"a:1:2", b":80", b"a@b", b"user@a:1", b"http://a", b"a?b", b"a#b"),
    *(
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[g::1]",
        b"[1.2.3.4]",
        b"[]",
        b"%4",
        b"%zz",
        b"\xc3\xa4",
        b"a\\b",
    ),
    *(b'"a"', b"a:123456", b"a, b", b"[::1]:x", b"<a>", b"a\tb", b"a:-1"),
]
# A comma is one of RFC 3986's sub-delims, a blank is not.


@pytest.mark.parametrize("host", VALID_HOSTS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_valid_host_is_taken(version: str, host: bytes) -> None:
    assert check_head(version, [(b"accept", b"*/*"), (b"host", host)]) == 0


@pytest.mark.parametrize("host", INVALID_HOSTS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_invalid_host_is_refused(version: str, host: bytes) -> None:
    with pytest.raises(NotHttp):
        check_head(version, [(b"accept", b"*/*"), (b"host", host)])


PLAIN = post("/predict", RECORD, CLOSE)
HOST = b"Host: heartline\r\n"
CHUNKED = PLAIN.replace(
    b"Content-Length: %d\r\n" % len(RECORD), b"Transfer-Encoding: chunked\r\n"
).replace(RECORD, b"%x\r\n%b\r\n0\r\n\r\n" % (len(RECORD), RECORD))


def old(request: bytes) -> bytes:
    return request.replace(b"HTTP/1.1", b"HTTP/1.0")


CASES = {
    "no host": (PLAIN.replace(HOST, b""), 400, "not-http"),
    "two hosts": (PLAIN.replace(HOST, HOST + b"Accept: a\r\n" + HOST), 400, "not-http"),
    "two hosts, one bad": (PLAIN.replace(HOST, b"Host: a b\r\n" + HOST), 400, "not-http"),
    "a bad host": (PLAIN.replace(HOST, b"Host: a b\r\n"), 400, "not-http"),
    "an absolute target, no host": (
        PLAIN.replace(b" /predict", b" http://heartline/predict").replace(HOST, b""),
        400,
        "not-http",
    ),
    "two hosts in 1.0": (old(PLAIN).replace(HOST, HOST + HOST), 400, "not-http"),
    "a bad host in 1.0": (old(PLAIN).replace(HOST, b"Host: a b\r\n"), 400, "not-http"),
    "2.0": (PLAIN.replace(b"HTTP/1.1", b"HTTP/2.0"), 400, "not-http"),
    "0.9": (PLAIN.replace(b"HTTP/1.1", b"HTTP/0.9"), 400, "not-http"),
    "9.9": (PLAIN.replace(b"HTTP/1.1", b"HTTP/9.9"), 400, "not-http"),
    "no version": (b"GET /livez\r\n\r\n", 400, "not-http"),
    "another coding": (CHUNKED.replace(b" chunked", b" gzip, chunked"), 501, "not-implemented"),
    "another coding, apart": (
        CHUNKED.replace(b"Transfer", b"Transfer-Encoding: gzip\r\nTransfer", 1),
        501,
        "not-implemented",
    ),
    "chunked twice": (CHUNKED.replace(b" chunked", b" chunked, chunked"), 400, "not-http"),
    "chunked not last": (CHUNKED.replace(b" chunked", b" chunked, gzip"), 400, "not-http"),
    "a coding alone": (CHUNKED.replace(b" chunked", b" gzip"), 501, "not-implemented"),
    "a parameter": (CHUNKED.replace(b" chunked", b" chunked;q=1"), 501, "not-implemented"),
    "a coding and a length": (
        CHUNKED.replace(b"chunked", b"chunked\r\nContent-Length: 3", 1),
        400,
        "not-http",
    ),
    "a coding in 1.0": (old(CHUNKED), 400, "not-http"),
}
TAKEN = {
    "plain": PLAIN,
    "no host in 1.0": old(PLAIN).replace(HOST, b""),
    "an empty host": PLAIN.replace(HOST, b"Host:\r\n"),
    "an absolute target": PLAIN.replace(b" /predict", b" http://other:80/predict"),
    "chunks": CHUNKED,
    "chunks in capitals": CHUNKED.replace(b" chunked", b" CHUNKED "),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fast", [True, False])
def test_a_head_that_the_rfcs_forbid_is_refused_before_anything_is_counted(
    case: str, fast: bool
) -> None:
    request, status, slug = CASES[case]

    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        connection.protocol.data_received(request)
        assert not connection.state.tasks
        assert_is_problem(connection.wire.written, status, slug)
        assert connection.wire.is_closed

    run(scenario)


@pytest.mark.parametrize("case", TAKEN)
@pytest.mark.parametrize("fast", [True, False])
def test_a_head_that_the_rfcs_allow_is_taken(case: str, fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(TAKEN[case])
        assert await connection.answers(1) == [200]

    run(scenario)


@pytest.mark.parametrize(("version", "expected"), [(b"1.1", [100, 200]), (b"1.0", [200])])
def test_a_client_of_http_1_0_is_not_asked_to_continue(version: bytes, expected: list[int]) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        request = post("/predict", RECORD, CLOSE, "Expect: 100-continue")
        head, blank, body = request.replace(b"1.1", version, 1).partition(b"\r\n\r\n")
        await connection.send(head + blank)
        for _ in range(50):
            await connection.send(b"")
        await connection.send(body)
        assert await connection.answers(len(expected)) == expected

    run(scenario)


# The cases of h1spec: https://github.com/uNetworking/h1spec

WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNFINISHED = [
    *(b"G", b"GET ", b"GET /livez", b"GET /livez ", b"GET /livez HTTP", b"GET /livez HTTP/1.1"),
    *(b"GET /livez HTTP/1.1\r", b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHos"),
    *(b"GET /livez HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: "),
    *(WHOLE[:-4], WHOLE[:-3], WHOLE[:-2], WHOLE[:-1]),
]
START = b"GET /livez HTTP/1.1\r\nHost: a.example\r\n"
TO_PREDICT = b"POST /predict HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n"
FINISHED = {
    "no version": (b"GET /livez \r\n\r\n", 400),
    "expects to continue": (START + b"Expect: 100-continue\r\n\r\n", 200),
    "valid": (START + b"\r\n", 200),
    "a tab and an empty value": (b"GET /livez HTTP/1.1\r\nhoSt:\ta.example\r\nnone:\r\n\r\n", 200),
    "brackets in a name": (START + b"X-Bad[]: a\r\n\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400),
    "two hosts": (START + b"Host: b.example\r\n\r\n", 400),
    "a length far below zero": (START + b"Content-Length: -%b\r\n\r\n" % (b"123456789" * 3), 400),
    "a length below zero": (START + b"Content-Length: -1234\r\n\r\n", 400),
    "a length of letters": (START + b"Content-Length: abc\r\n\r\n", 400),
    "a blank value": (START + b"X-None: \r\n\r\n", 200),
    "a control character": (START + b"X-Bell: a\x07\r\n\r\n", 400),
    "an unknown version": (b"GET /livez HTTP/9.9\r\nHost: a.example\r\n\r\n", 400),
    "words before the method": (b"Some words" + START + b"\r\n", 400),
    "a lone carriage return": (START + b"\rX-Some: a\r\n\r\n", 400),
    "a body": (TO_PREDICT + b"Content-Length: %d\r\n\r\n%b" % (len(RECORD), RECORD), 200),
    "a body in chunks": (
        TO_PREDICT
        + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(RECORD), RECORD),
        200,
    ),
    "two lengths": (
        TO_PREDICT + b"content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(RECORD), RECORD),
        400,
    ),
}


@pytest.mark.parametrize("name", FINISHED)
def test_a_request_of_h1spec_gets_the_answer_that_is_due(name: str, server: Server) -> None:
    request, status = FINISHED[name]
    with connected(server) as connection:
        connection.sendall(request)
        answered = b""
        while b"\r\n\r\n" not in answered.replace(b" 100 Continue\r\n\r\n", b""):
            answered += connection.recv(2**16)
    last = b"HTTP/1.1 " + answered.split(b"HTTP/1.1 ")[-1]
    assert last.startswith(b"HTTP/1.1 %d " % status)


def test_a_request_of_h1spec_that_is_unfinished_is_waited_for(server: Server) -> None:
    assert len(UNFINISHED) + len(FINISHED) == 33  # as many as h1spec has

    def finish(start: bytes) -> list[bytes]:
        with connected(server) as connection:
            connection.sendall(start)
            with connected(server) as other:  # By the time that this is answered, all has come.
                other.sendall(WHOLE[:-2] + CLOSE.encode() + b"\r\n\r\n")
                assert statuses(other) == [200]
            connection.sendall(WHOLE[len(start) : -2] + CLOSE.encode() + b"\r\n\r\n")
            return answers(connection)

    # What of the last two bytes has come already ends the head before the header that closes.
    starts = [start for start in UNFINISHED if len(start) <= len(WHOLE) - 2]
    with ThreadPoolExecutor(len(starts)) as pool:
        for (answer,) in pool.map(finish, starts):
            assert answer.startswith(b"HTTP/1.1 200 ")
    for start in set(UNFINISHED) - set(starts):
        with connected(server) as connection:
            connection.sendall(start)
            connection.sendall(WHOLE[len(start) :] + WHOLE[:-2] + CLOSE.encode() + b"\r\n\r\n")
            assert statuses(connection) == [200, 200]
