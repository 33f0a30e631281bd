"""What a stream, and any body, may cost: bytes at once, time, and clients that leave."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import closing, nullcontext
from threading import Event
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import create_app
from service.errors import ContentTooLarge, TooSlow
from service.settings import Settings
from service.wire.bodies import SLICE
from service.wire.lines import BLOCK_LINES, blocks_of_lines
from service.wire.pace import Pace
from tests.conftest import ARTIFACT
from tests.end_to_end.processes import http_client
from tests.examples import examples
from tests.exposition import read, total
from tests.service.exchanges import Exchange, answered, metric
from tests.service.samples import FEATURES, JSON, example
from tests.service.threaded import Threaded, threaded

pytestmark = pytest.mark.anyio

PATH = "/predict/batch"
REPORT = f"{PATH}?on_error=report"
CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}
DEFLATE = {"Content-Encoding": "deflate"}
RECORD = json.dumps(example()).encode()
HEADER = f"{','.join(FEATURES.names)}\n".encode()
ROW = f"{','.join(str(value) for value in example().values())}\n".encode()
ROWS = "heartline_rows_predicted_total"


class Turns:
    """Counts the turns of the event loop, and the most memory that Python's objects take."""

    async def __aenter__(self) -> Turns:
        self.count = 0
        self._task = asyncio.create_task(self._turn())
        tracemalloc.start()
        return self

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1

    async def __aexit__(self, *_: object) -> None:
        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self._task.cancel()


BOMB = 4 * 2**20
BOMBS = [
    ("gzip", b"\n"),
    *(
        pytest.param(coding, fill, marks=pytest.mark.slow)
        for coding, fill in [
            ("deflate", b"\n"),
            ("plain", b"\n"),
            ("gzip", b" "),
            ("deflate", b" \n"),
            ("gzip", b"\r\n"),
        ]
    ),
]


def _bomb(coding: str, fill: bytes) -> list[bytes]:
    body = fill * (BOMB // len(fill))
    if coding == "plain":
        return [body]  # in one piece, as no server hands it over
    return [gzip.compress(body) if coding == "gzip" else zlib.compress(body)]


@pytest.mark.parametrize(("coding", "fill"), BOMBS, ids=str)
@pytest.mark.parametrize(
    ("headers", "target"),
    [(NDJSON, REPORT), (CSV, REPORT), (NDJSON, PATH), (JSON, PATH), (JSON, "/predict")],
    ids=str,
)
async def test_a_body_that_is_nothing_but_blanks_is_read_in_slices(
    app: FastAPI, coding: str, fill: bytes, headers: dict[str, str], target: str
) -> None:
    coded = {} if coding == "plain" else {"Content-Encoding": coding}
    parts = _bomb(coding, fill)
    async with Turns() as turns:
        exchange = await answered(app, {**headers, **coded}, target, parts)
    # A line that never ends, and a body for one record, are over soon.
    is_short = target == "/predict" or (b"\n" not in fill and headers is not JSON)
    assert is_short or turns.count > 0.9 * BOMB / SLICE
    whole = BOMB if headers is JSON and target != "/predict" else 0
    assert turns.peak < 2 * whole + 3 * 2**20
    assert exchange.status in (200, 413, 422)


@pytest.mark.parametrize("size", [1, 1000, SLICE])
async def test_a_line_is_too_large_before_it_has_ended(size: int) -> None:
    seen = 0

    async def blanks() -> AsyncIterator[bytes]:
        nonlocal seen
        for _ in range(10**6):
            seen += size
            yield b" " * size

    with pytest.raises(Exception, match="A line is larger than 5000 bytes"):
        async for _ in blocks_of_lines(blanks(), 5000):
            pass
    assert seen <= 5000 + size


@pytest.mark.parametrize("blanks", [0, 1, 5000])
async def test_a_line_is_measured_with_its_blanks_however_it_was_cut(blanks: int) -> None:
    body = b"one\n" + b" " * blanks + b"\ntwo"

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    for size in (1, 7, len(body)):
        is_too_large = blanks > 1000
        expectation: Any = pytest.raises(ContentTooLarge) if is_too_large else nullcontext()
        lines = []
        with expectation:
            async for block in blocks_of_lines(pieces(size), 1000):
                lines += block
        assert lines == ([b"one", b"two"] if not is_too_large else lines[:1])


@settings(max_examples=examples(100), derandomize=True, deadline=None, database=None)
@given(
    parts=st.lists(st.sampled_from([b"\n", b" ", b"\r", b"\t", b"\x0b", b"a", b",b", b"\0"])),
    size=st.integers(1, 9),
)
def test_lines_are_all_that_is_not_blank(parts: list[bytes], size: int) -> None:
    body = b"".join(parts)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def lines() -> list[bytes]:
        return [line async for block in blocks_of_lines(pieces(), 1000) for line in block]

    shown = [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip()]
    assert asyncio.run(lines()) == shown


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("cut", [1, 3, 1000])
async def test_what_is_compressed_well_comes_out_whole(
    app: FastAPI, compress: Callable[[bytes], bytes], cut: int
) -> None:
    body = compress((RECORD + b"\n" + b"\n" * 300_000) * 3)
    headers = {**NDJSON, **(GZIP if compress is gzip.compress else DEFLATE)}
    parts = [body[start : start + cut] for start in range(0, len(body), cut)]
    exchange = await answered(app, headers, REPORT, parts)
    assert [row["label"] for row in exchange.rows] == ["absence"] * 3


@pytest.mark.parametrize("length", [b"5", b"0"])
async def test_a_body_larger_than_it_declares_is_still_limited(app: FastAPI, length: bytes) -> None:
    headers = {**JSON, "Content-Length": length.decode()}
    exchange = await answered(app, headers, "/predict", [b" " * 50_000] * 2)
    assert exchange.status == 413


# Clients that leave


@pytest.mark.parametrize("target", [REPORT, PATH])
@pytest.mark.parametrize(
    "row", [RECORD + b"\n", b'{"cp": 1}\n', b"\n" * 100], ids=["good", "bad", "blank"]
)
async def test_a_stream_ends_when_its_client_has_left(target: str, row: bytes) -> None:
    app = create_app(
        Settings(artifact=ARTIFACT, max_bad_rows=10**6, max_batch_rows=10**6, max_batches=1)
    )
    body = gzip.compress((RECORD + b"\n") * BLOCK_LINES + row * (8 * 10**6 // len(row)))
    exchange = Exchange(app, {**NDJSON, **GZIP}, target)
    exchange.arrives(body)
    leaving = asyncio.create_task(_leave_after_some_turns(exchange))
    await exchange.run()
    await leaving
    assert exchange.body.count(b"\n") <= 5 * BLOCK_LINES
    assert await metric(app, ROWS) <= 5 * BLOCK_LINES
    assert (await answered(app, NDJSON, PATH, [RECORD])).status == 200


async def _leave_after_some_turns(exchange: Exchange) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    exchange.peer.has_left = True


@pytest.mark.parametrize(
    ("headers", "body"),
    [(JSON, b'{"instances": [%b]}' % RECORD), (NDJSON, RECORD), (CSV, HEADER + ROW)],
    ids=["json", "ndjson", "csv"],
)
async def test_what_a_client_has_left_behind_is_not_computed(
    headers: dict[str, str], body: bytes
) -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_batches=1))
    exchange = Exchange(app, headers, PATH)
    exchange.peer.has_left = True
    exchange.arrives(body)
    await exchange.run()
    assert exchange.status == 400
    assert await metric(app, ROWS) == 0
    assert (await answered(app, headers, PATH, [body])).status == 200


def _request(*headers: str, target: str = REPORT) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: heartline", "Content-Type: application/x-ndjson"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _connected(served: Threaded) -> closing[socket.socket]:
    return closing(socket.create_connection(served.address, timeout=30))


CHUNKED = "Transfer-Encoding: chunked"
ROWS_LEFT_BEHIND = 40_000


@pytest.mark.parametrize("fast", [True, False])
def test_a_server_ends_the_stream_of_a_client_that_has_closed(fast: bool) -> None:
    body = gzip.compress((RECORD + b"\n") * ROWS_LEFT_BEHIND)
    assert len(body) < SLICE  # so that all of it has arrived when the client leaves
    limits = Settings(artifact=ARTIFACT, max_batches=1)
    with threaded(limits, fast=fast) as served:
        connection = socket.create_connection(served.address)
        connection.sendall(
            _request("Content-Encoding: gzip", f"Content-Length: {len(body)}") + body
        )
        connection.recv(1000)
        connection.close()
        url = f"http://127.0.0.1:{served.address[1]}"
        with http_client(url) as client:
            while True:  # until the place of the stream is free
                answer = client.post(PATH, content=RECORD, headers=NDJSON)
                if answer.status_code == 200:
                    break
                assert answer.status_code == 503
            counted = total(read(client.get("/metrics").text), ROWS)
    assert counted < ROWS_LEFT_BEHIND / 2


# Time


@pytest.mark.parametrize("fast", [True, False])
def test_a_stream_that_is_answered_outlasts_the_deadline_of_a_body(fast: bool) -> None:
    with (
        threaded(Settings(artifact=ARTIFACT), fast=fast) as served,
        _connected(served) as connection,
        connection.makefile("rb") as file,
    ):
        connection.sendall(_request(CHUNKED, "Connection: close"))
        for _ in range(3):
            connection.sendall(_chunk(RECORD + b"\n"))
            assert any(b"absence" in line for line in file)
            _run_out(served)
        connection.sendall(b"0\r\n\r\n")
        assert file.read().endswith(b"0\r\n\r\n")


def _run_out(served: Threaded) -> None:
    """Do what the timer does at the deadline of a body."""
    protocol, has_run = served.connection(), Event()

    def run() -> None:
        protocol._run_out(30)
        has_run.set()

    protocol.loop.call_soon_threadsafe(run)
    assert has_run.wait(30)


def test_a_stream_that_is_idle_is_cut_short_and_ends_in_order() -> None:
    limits = Settings(artifact=ARTIFACT, max_stream_idle_seconds=0.1, max_body_seconds=1)
    with threaded(limits) as served, _connected(served) as connection:
        connection.sendall(_request(CHUNKED) + _chunk(RECORD + b"\n" + RECORD[:20]))
        received = b""
        while chunk := connection.recv(2**16):
            received += chunk
    assert b"absence" in received
    assert (
        b'"errors":[{"loc":["body",1],"msg":"Nothing arrived for 0.1 s.","type":"cut_short"}]'
        in received
    )
    assert received.endswith(b"0\r\n\r\n")


def test_a_stream_whose_answer_has_not_begun_keeps_the_deadline_of_a_body() -> None:
    limits = Settings(artifact=ARTIFACT, max_stream_idle_seconds=0.1, max_body_seconds=1)
    with threaded(limits) as served, _connected(served) as connection:
        connection.sendall(_request(CHUNKED) + _chunk(RECORD[:20]))
        assert connection.recv(2**16).startswith(b"HTTP/1.1 408 ")


async def _dribble(pieces: list[bytes], pause: float) -> AsyncIterator[bytes]:
    """Arrive at a rate, which is what is measured."""
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


@pytest.mark.parametrize("kind", ["slow", "not due", "quick"])
async def test_a_stream_must_keep_its_rate(kind: str) -> None:
    pace = Pace(idle_seconds=30, bytes_per_second=10_000, window_seconds=0.02)
    pace.is_due = kind != "not due"
    body = [b"x"] * 50 if kind != "quick" else [b"x" * 10_000] * 50
    kept = pace.keep(_dribble(body, 0.001))
    if kind == "slow":
        with pytest.raises(TooSlow, match="10000 bytes a second"):
            [piece async for piece in kept]
    else:
        assert [piece async for piece in kept] == body


async def test_time_in_which_the_service_does_not_read_is_not_the_clients() -> None:
    pace = Pace(idle_seconds=0.05, bytes_per_second=10_000, window_seconds=0.02)
    pace.is_due = True
    body = [b"x"] * 3
    kept = []
    async for piece in pace.keep(_dribble(body, 0)):
        await asyncio.sleep(0.06)  # the time that must not count
        kept.append(piece)
    assert kept == body


async def test_a_burst_makes_up_for_a_pause() -> None:
    pace = Pace(idle_seconds=30, bytes_per_second=100, window_seconds=1)
    pace.is_due = True
    pace._check_rate(0.9, 1)
    pace._check_rate(0.2, 200)
    with pytest.raises(TooSlow):
        pace._check_rate(1, 50)
