"""What is held of an answer, and when it is sent."""

from __future__ import annotations

from asyncio import Transport
from typing import Any

import pytest

from service.connections.joining_transport import JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Recorder(Transport):
    """Notes what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[Any] = []
        self.waiting = 0
        self.has_ended = False

    def write(self, data: Any) -> None:
        self.reported.append(data)

    def close(self) -> None:
        self.reported.append("closed")

    def is_closing(self) -> bool:
        return self.has_ended

    def get_write_buffer_size(self) -> int:
        return self.waiting


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def transport(recorder: Recorder) -> JoiningTransport:
    return JoiningTransport(recorder, recorder, lambda _: None)


def test_head_and_body_are_one_when_they_are_sent(
    transport: JoiningTransport, recorder: Recorder
) -> None:
    transport.write(HEAD)
    transport.write(b"body")
    assert recorder.reported == []
    transport.flush()
    transport.flush()
    assert recorder.reported == [HEAD + b"body"]


def test_a_body_that_goes_on_is_not_held(transport: JoiningTransport, recorder: Recorder) -> None:
    for data in (HEAD, b"bo", b"d", b"y"):
        transport.write(data)
    assert recorder.reported == [HEAD + b"bo", b"d", b"y"]


@pytest.mark.parametrize("data", [CHUNKED, CONTINUE, b"5\r\nchunk\r\n"])
def test_what_somebody_may_be_waiting_for_is_not_held(
    transport: JoiningTransport, recorder: Recorder, data: bytes
) -> None:
    transport.write(data)
    assert recorder.reported == [data]


def test_an_answer_after_one_that_is_held_comes_after_it(
    transport: JoiningTransport, recorder: Recorder
) -> None:
    for data in (HEAD, b"body", HEAD, b"more"):
        transport.write(data)
    transport.flush()
    assert b"".join(recorder.reported) == (HEAD + b"body" + HEAD + b"more")


@pytest.mark.parametrize("body", [[], [b"body"]])
def test_to_close_sends_what_is_held(
    transport: JoiningTransport, recorder: Recorder, body: list[bytes]
) -> None:
    for data in (HEAD, *body):
        transport.write(data)
    transport.close()
    assert recorder.reported == [b"".join((HEAD, *body)), "closed"]


def test_all_else_is_asked_of_the_transport(transport: JoiningTransport) -> None:
    assert transport.is_closing() is False


def test_each_write_is_counted(recorder: Recorder) -> None:
    sizes: list[int] = []
    transport = JoiningTransport(recorder, recorder, sizes.append)
    for data in (HEAD, b"body", b"more"):
        transport.write(data)
    assert sizes == [len(HEAD + b"body"), len(b"more")]


def test_nothing_is_written_after_the_end(transport: JoiningTransport, recorder: Recorder) -> None:
    recorder.has_ended = True
    transport.write(CHUNKED)
    assert recorder.reported == []


@pytest.mark.parametrize(("waiting", "reported"), [(0, ["closed"]), (1, [])])
def test_to_close_what_is_above_the_wire_closes_the_wire_too_when_all_is_sent(
    recorder: Recorder, waiting: int, reported: list[Any]
) -> None:
    wire, recorder.waiting = Recorder(), waiting
    JoiningTransport(recorder, wire, lambda _: None).close()
    assert recorder.reported == ["closed"]
    assert wire.reported == reported
