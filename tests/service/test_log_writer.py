from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from service.observability import log_writer
from service.observability.log_writer import LineWriter

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
def test_lines_that_fail_are_counted_and_told_of_when_writing_works_again(
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
