"""Progress bars: complete at the end, one after another, and shown on a terminal alone."""

from __future__ import annotations

import io
import os
import pty
import re

import pytest

from service.console.progress import progress_bars
from tests.terminal import read_all


class Terminal:
    """Standard error while a block runs; `text` is what it then shows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._controller, terminal = pty.openpty()
        self._stream = os.fdopen(terminal, "w")
        monkeypatch.setattr("sys.stderr", self._stream)

    def text(self) -> str:
        self._stream.close()
        return read_all(self._controller)

    def percents(self) -> list[int]:
        return [int(percent) for percent in re.findall(r"(\d+)%", self.text())]


@pytest.mark.parametrize(("parts", "total"), [(20_000, 1), (7, 7), (1, 180)])
def test_a_bar_shows_all_parts_that_were_reported(
    parts: int, total: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch)
    with progress_bars() as start:
        advance = start("heart", total)
        for _ in range(parts):
            advance(total / parts)
    percents = terminal.percents()
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)


def test_a_bar_that_is_not_complete_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    with progress_bars() as start:
        start("rows", 8)(6)
    assert terminal.percents()[-1] == 75


def test_the_next_bar_ends_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    with progress_bars() as start:
        start("fit", 2)(2)
        start("figures", 3)(1)
    first, second, rest = terminal.text().split("\r\n")
    assert "fit" in first
    assert "100%" in first
    assert "figures" in second
    assert "33%" in second
    assert rest == ""


def test_more_rows_than_expected_are_no_more_than_all(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    with progress_bars() as start:
        advance = start("rows", 0)
        advance(5)
        advance(5)
    assert max(terminal.percents()) == 100


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_nothing_is_written_where_there_is_no_terminal(
    stream: io.StringIO | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bars() as start:
        start("fit", 2)(2)
    assert stream is None or stream.getvalue() == ""
    assert capfd.readouterr() == ("", "")
