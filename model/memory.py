"""Memory: how much of it the process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
"""Which control groups the process is in; a container is one."""

GROUPS = Path("/sys/fs/cgroup")
"""Where the limits of control groups are."""


def usable_memory() -> int:
    """Return the bytes that the machine has, or its container may use where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits()])


def _limits() -> Iterator[int]:
    """Yield the limits of the control groups that the process is in, and of those around them."""
    for path, name in _groups():
        for folder in (path, *path.parents):
            if folder.is_relative_to(GROUPS):
                limit = _text_of(folder / name).strip()
                if limit.isdecimal():  # not "max"
                    yield int(limit)


def _groups() -> Iterator[tuple[Path, str]]:
    """Yield the control groups that may limit memory, and the name of the file of their limit."""
    for line in _text_of(MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            yield GROUPS / path.lstrip("/"), "memory.max"
        elif "memory" in controllers.split(","):
            yield GROUPS / "memory" / path.lstrip("/"), "memory.limit_in_bytes"


def _text_of(path: Path) -> str:
    """Return what a file of the kernel holds, nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
