"""The fast path: what it answers is what the whole stack answers, to the last byte."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, NoReturn

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from service.adapters.uvicorn_internals import CLOSE_HEADER
from service.app import create_app
from service.protocols.native.plain_heads import (
    KNOWN_BYTES,
    KNOWN_HEADS,
    KnownHeads,
    PlainHead,
    PlainHeads,
)
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.end_to_end.processes import http_client, wait_until
from tests.exposition import Series, read
from tests.service.connections import PATIENCE, post
from tests.service.samples import JSON, MEASURED, example, random_records, raw, with_pairs
from tests.service.threaded import Threaded, threaded
from tests.service.wire import Connection, run

GOOD = json.dumps(example()).encode()
KEY = "k" * 16
VALID = [
    GOOD,
    GOOD.replace(b'"chest_pain"', b'"cp"'),
    json.dumps(example(sex="male", thal="normal")).encode(),
    json.dumps(example(age=105.4321)).encode(),
]
OPEN = Settings(artifact=ARTIFACT)
KEYED = Settings(artifact=ARTIFACT, api_keys=f"laboratory:{KEY}")


class Told(NamedTuple):
    """All that is to be seen of a request, but for the times and a random id."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    lines: list[dict[str, Any]]
    metrics: dict[Series, float]


class Way(NamedTuple):
    """An application that is served, with the fast path or without."""

    threaded: Threaded

    @property
    def address(self) -> tuple[str, int]:
        return self.threaded.address

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Keep a connection open on which nothing is asked any more."""
        with socket.create_connection(self.address, PATIENCE) as connection:
            connection.sendall(PLAIN)
            assert connection.recv(12) == b"HTTP/1.1 200"
            yield

    def client(self) -> httpx.Client:
        host, port = self.address
        return http_client(f"http://{host}:{port}")

    def ask(self, caplog: pytest.LogCaptureFixture, **request: Any) -> Told:
        caplog.clear()
        with self.client() as client:
            answer = client.request(**{"method": "POST", "url": "/predict", **request})
            metrics = client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})
        names = ("method", "route", "status", "key_name", "trace_id", "span_id")
        lines = [
            {name: getattr(record, name, None) for name in names}
            for record in caplog.records
            if record.name == "heartline.access"
        ]
        own = request.get("headers", {}).get("X-Request-ID") == "mine"
        changing = {b"date"} if own else {b"date", b"x-request-id"}
        headers = [pair for pair in answer.headers.raw if pair[0] not in changing]
        counted = {
            series: value
            for series, value in read(metrics.text).items()
            if series[0].startswith("heartline_") and "seconds" not in series[0]
        }
        return Told(answer.status_code, headers, answer.content, lines[:1], counted)

    def answers(self, pieces: list[bytes], number: int) -> list[bytes]:
        """Send pieces one after the other, and return so many answers, without their dates."""
        answers = []
        with socket.create_connection(self.address, PATIENCE) as connection:
            received = connection.makefile("rb")
            for piece in pieces:
                connection.sendall(piece)
                self.threaded.turn()  # so that each arrives alone
            for _ in range(number):
                head = b"".join(iter(received.readline, b"\r\n"))
                length = re.search(rb"content-length: (\d+)", head)
                body = received.read(int(length[1]) if length else 0)
                answers.append(re.sub(rb"date: .*\r\n", b"", head) + body)
        return answers


@contextmanager
def _both(settings: Settings) -> Iterator[tuple[Way, Way]]:
    with threaded(settings) as fast, threaded(settings, fast=False) as slow:
        yield Way(fast), Way(slow)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Way, Way]]:
    """Both ways; each is sent the same requests, so that the counts stay the same."""
    with _both(OPEN) as both:
        yield both


@pytest.fixture(scope="module")
def both_keyed() -> Iterator[tuple[Way, Way]]:
    with _both(KEYED) as both:
        yield both


def _chunks() -> Iterator[bytes]:
    yield GOOD[:50]
    yield GOOD[50:]


def _requests() -> dict[str, dict[str, Any]]:
    unfamiliar = example(age=105.4321)
    traced = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    return {
        "plain": {"content": GOOD, "headers": JSON},
        "with an id": {"content": GOOD, "headers": {**JSON, "X-Request-ID": "mine"}},
        "with an id that is none": {"content": GOOD, "headers": {**JSON, "X-Request-ID": "a b"}},
        "within a trace": {"content": GOOD, "headers": {**JSON, **traced}},
        "as UTF-8": {
            "content": GOOD,
            "headers": {"Content-Type": "application/json; charset=utf-8"},
        },
        "in chunks": {"content": _chunks(), "headers": JSON},
        "compressed": {
            "content": gzip.compress(GOOD),
            "headers": {**JSON, "Content-Encoding": "gzip"},
        },
        "with aliases": {"content": GOOD.replace(b"chest_pain", b"cp"), "headers": JSON},
        "with names of codes": {"json": example(sex="male")},
        "to be warned of": {"json": unfamiliar},
        "of other numbers": {"content": raw({"chest_pain": "3.0"}), "headers": JSON},
        "with a fault": {"json": example(age=5)},
        "with a field twice": {"content": with_pairs('"age": 54'), "headers": JSON},
        "without a body": {"headers": JSON},
        "too long": {"content": GOOD.ljust(2**16 + 1), "headers": JSON},
        "of another kind": {"content": GOOD, "headers": {"Content-Type": "text/csv"}},
        "of no kind": {"content": GOOD},
        "with GET": {"method": "GET"},
        "elsewhere": {"url": "/predict/", "content": GOOD, "headers": JSON},
    }


@pytest.mark.parametrize("name", _requests())
def test_both_ways_answer_log_and_count_the_same(
    name: str, both: tuple[Way, Way], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reported, due = [way.ask(caplog, **_requests()[name]) for way in both]
    assert reported == due
    assert len(reported.lines) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {},
    ],
)
def test_both_ways_know_the_keys(
    headers: dict[str, str], both_keyed: tuple[Way, Way], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reported, due = [
        way.ask(caplog, content=GOOD, headers={**JSON, **headers}) for way in both_keyed
    ]
    assert reported == due


PLAIN = post("/predict", GOOD, "X-Request-ID: mine")
OTHER = post("/predict", b"{}", "X-Request-ID: mine")
LAST = post("/predict", GOOD, "X-Request-ID: mine", "Connection: close")


@pytest.mark.parametrize(
    "pieces",
    [
        [PLAIN],
        [PLAIN, PLAIN],
        [PLAIN * 3],
        [PLAIN + OTHER + PLAIN],
        [OTHER + PLAIN],
        [PLAIN + PLAIN[:50], PLAIN[50:]],
        [PLAIN[:-50], PLAIN[-50:]],
        [PLAIN[:-50], PLAIN[-50:] + PLAIN],
        [PLAIN[: -len(GOOD)], GOOD],
        [LAST],
        [PLAIN + LAST],
        [PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0")],
        [b"\r\n" + PLAIN],
        [PLAIN[:-50], b"", PLAIN[-50:], PLAIN],
        [PLAIN[:20], PLAIN[20:]],
        [PLAIN, OTHER, PLAIN, LAST],
        [PLAIN.replace(b"/predict", b"/predict?a=b"), PLAIN.replace(b"/predict", b"/%70redict")],
    ],
    ids=range(17),
)
@pytest.mark.parametrize("others", [0, 1])
def test_both_ways_answer_the_same_however_requests_arrive(
    pieces: list[bytes], others: int, both: tuple[Way, Way]
) -> None:
    number = b"".join(pieces).count(b"POST")
    with ExitStack() as stack:
        for way in both * others:  # a connection that is alone is answered at once
            stack.enter_context(way.idle())
        reported, due = [way.answers(pieces, number) for way in both]
    assert reported == due
    assert [answer[:12] for answer in reported].count(b"HTTP/1.1 200") == number - b"".join(
        pieces
    ).count(OTHER)


@pytest.mark.parametrize("place", range(PLAIN.count(b"\r\n")))
def test_both_ways_refuse_a_head_with_a_line_feed_alone(place: int, both: tuple[Way, Way]) -> None:
    head = PLAIN[: -len(GOOD)].split(b"\r\n")
    sent = b"\r\n".join(head[: place + 1]) + b"\n" + b"\r\n".join(head[place + 1 :]) + GOOD
    assert sent.count(b"\n") == PLAIN.count(b"\n")
    reported, due = [way.answers([sent], 1) for way in both]
    assert reported == due


def test_who_asks_whether_to_go_on_is_asked_to(both: tuple[Way, Way]) -> None:
    request = post("/predict", GOOD, "X-Request-ID: mine", "Expect: 100-continue")
    pieces = [request[: -len(GOOD)], GOOD]
    reported, due = [way.answers(pieces, 2) for way in both]
    assert reported == due
    assert reported[0] == b"HTTP/1.1 100 Continue\r\n"


def test_both_ways_close_while_the_service_is_stopping() -> None:
    with _both(OPEN) as both:
        for way in both:
            way.answers([PLAIN], 1)  # the server has begun
            server = way.threaded.server
            server.config.encoded_headers += [CLOSE_HEADER]
            state = server.server_state
            state.default_headers = [*state.default_headers, CLOSE_HEADER]
        (reported,), (due,) = [way.answers([PLAIN], 1) for way in both]
    assert reported == due
    assert b"\r\nconnection: close\r\n" in reported


def test_both_ways_show_of_a_client_that_leaves(
    both: tuple[Way, Way], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "heartline.access")

    def lines() -> list[logging.LogRecord]:
        # The line of the request before, for /metrics, is written after its answer.
        return [line for line in caplog.records if line.__dict__["route"] == "/predict"]

    reported = []
    for way in both:
        caplog.clear()
        assert way.answers([PLAIN[:-50]], 0) == []
        wait_until(lambda: bool(lines()))
        (line,) = lines()
        reported.append((line.__dict__["status"], way.ask(caplog, url="/").metrics))
    assert reported[0] == reported[1]


@pytest.mark.parametrize("way", [0, 1], ids=["fast", "slow"])
def test_what_arrives_on_many_connections_at_once_is_answered_on_each(
    way: int, both: tuple[Way, Way]
) -> None:
    bodies = set()

    def ask(number: int) -> None:
        request = post("/predict", GOOD, f"X-Request-ID: number-{number}")
        for answer in both[way].answers([request] * 20, 20):
            head, _, body = answer.rpartition(b"\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert head.endswith(b"\r\nx-request-id: number-%d" % number)
            bodies.add(body)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    assert len(bodies) == 1


def test_a_client_that_does_not_read_is_waited_for() -> None:
    with (
        threaded(OPEN) as fast,
        socket.create_connection(fast.address, PATIENCE) as client,
    ):
        client.sendall(PLAIN)
        assert client.recv(12) == b"HTTP/1.1 200"
        connection = fast.connection()
        connection.loop.call_soon_threadsafe(connection.pause_writing)
        wait_until(lambda: connection.flow.write_paused)
        client.recv(2**16)
        client.sendall(PLAIN)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(PATIENCE)
        connection.loop.call_soon_threadsafe(connection.resume_writing)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_any_familiar_record_gets_the_same_bytes_both_ways(both: tuple[Way, Way]) -> None:
    ranges = {f.name: (min(f.observed), max(f.observed)) for f in MEASURED}
    fast, slow = both
    with fast.client() as one, slow.client() as other:
        for record in random_records(100, seed=7):
            seen = {name: min(max(record[name], low), high) for name, (low, high) in ranges.items()}
            body = {**record, **seen}
            answers = [client.post("/predict", json=body) for client in (one, other)]
            assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("settings", "headers"), [(OPEN, {}), (KEYED, {"Authorization": f"Bearer {KEY}"})]
)
def test_a_plain_request_does_not_reach_the_application(
    settings: Settings, headers: dict[str, str]
) -> None:
    async def stack(scope: Scope, receive: Receive, send: Send) -> NoReturn:
        raise NotImplementedError

    with threaded(settings) as served:
        fast = Way(served)
        fast.answers([b"GET /livez HTTP/1.1\r\nHost: heartline\r\n\r\n"], 1)  # it has begun
        served.server.config.loaded_app = stack
        with fast.client() as client:
            for body in VALID:
                answer = client.post("/predict", content=body, headers={**JSON, **headers})
                assert answer.status_code == 200
            assert client.post("/predict", content=GOOD, headers=headers).status_code == 500


def test_a_body_that_comes_right_after_its_head_is_waited_for_and_a_later_one_handed_on() -> None:
    async def stack(scope: Scope, receive: Receive, send: Send) -> NoReturn:
        raise NotImplementedError

    with threaded(OPEN) as served:
        fast = Way(served)
        fast.answers([PLAIN], 1)  # it has begun
        served.server.config.loaded_app = stack
        head, body = PLAIN[: -len(GOOD)], GOOD
        (answer,) = fast.answers([head, body], 1)
        assert answer.startswith(b"HTTP/1.1 200 ")
        with socket.create_connection(fast.address, PATIENCE) as connection:
            connection.sendall(head)
            assert connection.recv(12) == b"HTTP/1.1 500"


@pytest.mark.parametrize("sent", [PLAIN, OTHER, PLAIN[:-1]])
def test_a_client_that_leaves_before_its_turn_takes_nothing_along(sent: bytes) -> None:
    async def scenario() -> None:
        stays, leaves = Connection(OPEN), Connection(OPEN)
        leaves.protocol.connections.update(stays.protocol.connections)  # so that it has to wait
        leaves.protocol.data_received(sent)
        leaves.wire.is_closed = True
        leaves.protocol.connection_lost(None)
        await stays.send(PLAIN)
        assert await stays.answers(1) == [200]
        await leaves.until(lambda: not leaves.state.tasks)
        assert leaves.wire.written == b""

    run(scenario)


@pytest.mark.parametrize("connections", [1, 3])
def test_a_turn_is_logged_before_any_of_its_answers_is_sent(
    connections: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "heartline.access")
    lines_before: list[int] = []

    async def scenario() -> None:
        opened = [Connection(OPEN) for _ in range(connections)]
        for one in opened:
            if connections > 1:
                one.protocol.connections.add(object())  # else it would not wait for the turn
            send = one.wire.write

            def write(data: bytes, send: Any = send) -> None:
                lines_before.append(len(caplog.records))
                send(data)

            one.wire.write = write  # type: ignore[method-assign]
            one.protocol.data_received(PLAIN)
        for one in opened:
            assert await one.answers(1) == [200]

    run(scenario)
    assert lines_before == [connections] * connections


def test_a_connection_remembers_few_heads() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        for number in range(3 * KNOWN_HEADS):
            padding = "x" * (KNOWN_BYTES if number % 2 else 1)
            headers = (f"X-Request-ID: {number}", f"X-Padding: {padding}")
            await connection.send(post("/predict", GOOD, *headers))
        assert connection.wire.statuses() == [200] * (3 * KNOWN_HEADS)
        known = connection.protocol._heads._known
        assert 0 < len(known) <= KNOWN_HEADS
        assert max(map(len, known)) <= KNOWN_BYTES

    run(scenario)


NAMES = ["Content-Length", "content-length", "CONTENT-LENGTH", "Content-length"]
FIELDS = [
    "Host: heartline",
    "Content-Type: application/json",
    "X-Length: \tcontent-length: 5",
    "Content-Encoding: gzip",
    "Transfer-Encoding: chunked",
    "Content-Length: ",
    "Content-Length: 7",
    "content-length: 07",
    "Expect: 100-continue",
    "X-Request-ID: mine",
]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Heads that differ in little, among them such as a parser refuses."""
    name = draw(st.sampled_from(NAMES))
    length = draw(st.sampled_from(["0", "1", "9", "264", "0264", "65536", "65537", "+5", "5 ", ""]))
    others = draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True))
    lines = draw(st.permutations([f"{name}: {length}", *FIELDS[:2], *others]))
    target = draw(st.sampled_from(["/predict", "/predict", "/livez"]))
    return "\r\n".join([f"POST {target} HTTP/1.1", *lines, "", ""]).encode()


@given(st.lists(heads(), min_size=2, max_size=20))
def test_a_head_means_the_same_after_others_as_alone(sent: list[bytes]) -> None:
    plain = PlainHeads(None, 2**16)
    known = KnownHeads(plain)
    for head in sent:
        found = known.find(head)
        assert found == KnownHeads(plain).find(head)
        if found is not None:
            (length,) = re.findall(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
            assert found == (plain.read(head), int(length))


def test_bodies_of_any_length_have_one_head(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    read = PlainHeads.read

    def note(self: PlainHeads, head: bytes) -> PlainHead | None:
        parsed.append(head)
        return read(self, head)

    monkeypatch.setattr(PlainHeads, "read", note)

    async def scenario() -> None:
        connection = Connection(OPEN)
        for padding in range(50):
            await connection.send(post("/predict", GOOD + b" " * padding))
        assert connection.wire.statuses() == [200] * 50
        assert len(parsed) == 1

    run(scenario)


@pytest.mark.parametrize(
    "settings", [{"tracing": True}, {"cors_origins": ("https://app.example",)}], ids=str
)
def test_where_more_is_added_to_every_answer_there_is_no_fast_path(
    settings: dict[str, Any],
) -> None:
    assert create_app(OPEN).state.fast_path
    assert create_app(Settings(artifact=ARTIFACT, **settings)).state.fast_path is None


def test_a_crash_is_left_to_the_stack_which_answers_it(
    both: tuple[Way, Way], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorer, "predict_valid", None)
    for way in both:
        with way.client() as client:
            answer = client.post("/predict", content=GOOD, headers=JSON)
        assert answer.json()["type"] == "urn:heartline:problem:internal-error"
