"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.files import replace_files


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"", b"new" * 1000):
        replace_files({path: content})
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_files({path: b"new"})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, move = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        order.append(f"fsync of {os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return move(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    replace_files({tmp_path / "file": b"12345"})
    assert order[:2] == ["fsync of 5 bytes", "rename"]


def test_what_a_killed_process_left_behind_does_not_stop_the_next(tmp_path: Path) -> None:
    # In a container every process has the same number.
    path = tmp_path / "file"
    (tmp_path / f".{path.name}.{os.getpid()}.tmp").write_bytes(b"half a fi")
    replace_files({path: b"new"})
    assert path.read_bytes() == b"new"


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_files({tmp_path / "missing" / "file": b""})
