from __future__ import annotations

import errno
import fcntl
import os
import socket
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from service.observability import log_writer
from service.observability.log_writer import LineWriter
from tests.end_to_end.processes import wait_until

LINE = b"%07d\n"


class Pipe(NamedTuple):
    reader: int
    writer: int


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe as small as the kernel makes one."""
    pipe = Pipe(*os.pipe())
    fcntl.fcntl(pipe.writer, fcntl.F_SETPIPE_SZ, 4096)
    yield pipe
    for descriptor in pipe:
        os.close(descriptor)


def notice(number: int) -> bytes:
    return b"dropped %d\n" % number


def put(writer: LineWriter, lines: list[bytes]) -> None:
    for line in lines:
        if writer.fits(line):
            writer.write([line])


def read_until(descriptor: int, end: bytes) -> bytes:
    text = b""
    while not text.endswith(end):
        text += os.read(descriptor, 65_536)
    return text


@pytest.mark.parametrize("is_blocking", [True, False])
def test_what_a_full_pipe_does_not_take_waits_up_to_a_bound_and_then_is_dropped_and_counted(
    pipe: Pipe, is_blocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MAX_WAITING_BYTES", 100_000)
    os.set_blocking(pipe.writer, is_blocking)
    writer = LineWriter(pipe.writer, notice)
    counted: list[int] = []
    writer.count_drops(counted.append)
    lines = [LINE % number for number in range(20_000)]
    put(writer, lines)
    dropped = writer.dropped
    assert sum(counted) == dropped
    assert 20_000 - (100_000 + 4096 + 8) // 8 <= dropped <= 20_000 - 100_000 // 8
    *kept, last = read_until(pipe.reader, notice(dropped)).splitlines(keepends=True)
    # The thread may have filled the pipe before the first was dropped, or after it.
    assert kept == sorted(set(kept) & set(lines))
    assert kept[:12_000] == lines[:12_000]
    assert len(kept) == 20_000 - dropped
    assert last == notice(dropped)
    put(writer, [b"after\n"])
    assert read_until(pipe.reader, b"after\n") == b"after\n"


def test_many_lines_are_written_in_pieces_that_a_pipe_takes_whole(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = os.write

    def noted(descriptor: int, content: bytes) -> int:
        sizes.append(len(content))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", noted)
    writer = LineWriter(pipe.writer, notice)
    lines = [b"a" * 1500 + b"\n"] * 6 + [b"b" * 5000 + b"\n"] + [b"end\n"]
    for line in lines:
        assert writer.fits(line)
    writer.write(lines)
    assert read_until(pipe.reader, b"end\n") == b"".join(lines)
    assert sizes == [3002, 3002, 3002, 5001, 4]


def test_a_flush_waits_for_what_is_written_and_gives_up_on_what_is_not(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "FLUSH_SECONDS", 0.05)
    writer = LineWriter(pipe.writer, notice)
    writer.flush()
    put(writer, [b"one\n"])
    writer.flush()
    assert os.read(pipe.reader, 100) == b"one\n"
    put(writer, [b"x" * 4095 + b"\n"] * 3 + [b"end\n"])
    writer.flush()  # returns
    assert len(read_until(pipe.reader, b"end\n")) == 3 * 4096 + 4


def broken(number: int) -> Callable[[int, bytes], int]:
    def write(descriptor: int, content: bytes) -> int:
        raise OSError(number, os.strerror(number))

    return write


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
def test_lines_that_fail_are_counted_and_reported_of_when_writing_works_again(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    writer = LineWriter(pipe.writer, notice)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken(number))
        put(writer, [b"one\n", b"two\n"])
        writer.flush()
        assert writer.dropped == 2
    put(writer, [b"three\n"])
    writer.flush()
    assert os.read(pipe.reader, 100) == b"three\ndropped 2\n"


def test_after_a_line_that_was_cut_by_a_full_disk_the_next_begins_on_its_own(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, answers = os.write, iter([6, None])

    def write_some(descriptor: int, content: bytes) -> int:
        if (size := next(answers, len(content))) is None:
            raise OSError(errno.ENOSPC, "")
        return write(descriptor, content[:size])

    monkeypatch.setattr(os, "write", write_some)
    writer = LineWriter(pipe.writer, notice)
    lines = [b"one\n", b"two\n", b"three\n"]
    for line in lines:
        assert writer.fits(line)
    writer.write(lines)
    put(writer, [b"four\n"])
    writer.flush()
    assert os.read(pipe.reader, 100) == b"one\ntw\nfour\ndropped 2\n"


def test_a_file_keeps_all_lines_in_order(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno(), notice)
        lines = [LINE % number for number in range(5000)]
        put(writer, lines)
        writer.flush()
    assert (tmp_path / "log").read_bytes() == b"".join(lines)


def test_drops_before_somebody_counts_are_counted_later(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MAX_WAITING_BYTES", 1)
    writer = LineWriter(pipe.writer, notice)
    put(writer, [b"one\n"])
    counted: list[int] = []
    writer.count_drops(counted.append)
    assert counted == [1]


def put_now(writer: LineWriter, lines: list[bytes]) -> None:
    """Put lines as a turn of the event loop does."""
    assert all(map(writer.fits, lines))
    writer.write_now(lines)


def test_a_pipe_with_room_is_written_to_without_the_thread(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LineWriter, "write", None)  # to be called fails
    writer = LineWriter(pipe.writer, notice)
    for _ in range(3):
        put_now(writer, [b"one\n", b"two\n"])
        assert os.read(pipe.reader, 100) == b"one\ntwo\n"
        writer.flush()


def test_what_a_pipe_has_no_room_for_is_written_later_in_order(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer, notice)
    turns = [
        [LINE % number for number in range(start, start + 100)] for start in range(0, 5000, 100)
    ]
    for turn in turns:
        put_now(writer, turn)  # returns although the pipe is not read
    text = read_until(pipe.reader, turns[-1][-1])
    assert text == b"".join(line for turn in turns for line in turn)


@pytest.mark.parametrize("is_blocking", [True, False])
def test_a_pipe_that_another_process_has_filled_is_not_waited_for(
    pipe: Pipe, is_blocking: bool
) -> None:
    os.set_blocking(pipe.writer, is_blocking)
    os.write(pipe.writer, b"x" * 4000)
    writer = LineWriter(pipe.writer, notice)
    put_now(writer, [b"y" * 200 + b"\n", b"end\n"])
    assert read_until(pipe.reader, b"end\n") == b"x" * 4000 + b"y" * 200 + b"\nend\n"


def test_a_line_that_is_longer_than_a_pipe_takes_whole_keeps_its_place(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer, notice)
    lines = [b"one\n", b"x" * 10_000 + b"\n", b"two\n", b"end\n"]
    put_now(writer, lines)
    assert read_until(pipe.reader, b"end\n") == b"".join(lines)


def test_the_thread_is_done_with_a_pipe_when_it_has_caught_up(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LineWriter(pipe.writer, notice)
    put_now(writer, [b"x" * 4000 + b"\n", b"y" * 4000 + b"\n", b"end\n"])
    read_until(pipe.reader, b"end\n")
    wait_until(writer._is_idle)
    monkeypatch.setattr(LineWriter, "write", None)
    put_now(writer, [b"after\n"])
    assert os.read(pipe.reader, 100) == b"after\n"


def test_lines_for_a_pipe_without_a_reader_are_counted() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    writer = LineWriter(descriptor, notice)
    put_now(writer, [b"one\n", b"two\n"])
    writer.flush()
    os.close(descriptor)
    assert writer.dropped == 2


def test_after_a_drop_the_number_comes_before_later_lines(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LineWriter(pipe.writer, notice)
    with monkeypatch.context() as patch:
        patch.setattr(log_writer, "MAX_WAITING_BYTES", 1)
        assert not writer.fits(b"one\n")
    put_now(writer, [b"two\n"])
    writer.flush()
    put_now(writer, [b"three\n"])
    writer.flush()
    assert os.read(pipe.reader, 100) == b"two\ndropped 1\nthree\n"


def test_a_system_that_can_only_wait_leaves_all_to_the_thread(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "RWF_NOWAIT")
    writer = LineWriter(pipe.writer, notice)
    put_now(writer, [b"one\n"])
    assert read_until(pipe.reader, b"\n") == b"one\n"


def test_a_kernel_that_cannot_write_without_waiting_leaves_all_to_the_thread(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "")

    monkeypatch.setattr(os, "pwritev", unsupported)
    writer = LineWriter(pipe.writer, notice)
    put_now(writer, [b"one\n", b"two\n"])
    assert read_until(pipe.reader, b"two\n") == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["socket", "terminal"])
def test_what_is_no_pipe_gets_its_lines_from_the_thread(kind: str) -> None:
    with ExitStack() as stack:
        if kind == "socket":
            reader, descriptor = (stack.enter_context(end).fileno() for end in socket.socketpair())
        else:
            reader, descriptor = os.openpty()
            tty.setraw(descriptor)
            stack.callback(os.close, reader)
            stack.callback(os.close, descriptor)
        writer = LineWriter(descriptor, notice)
        put_now(writer, [b"one\n", b"two\n"])
        assert read_until(reader, b"two\n") == b"one\ntwo\n"


def test_a_descriptor_that_is_closed_drops_and_counts() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    os.close(descriptor)
    writer = LineWriter(descriptor, notice)
    put_now(writer, [b"one\n"])
    writer.flush()
    assert writer.dropped == 1
