"""Files: written completely or not at all, and read only if they are regular files."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def read_regular(path: Path) -> bytes:
    """Return the content of a file; reject a device or a named pipe, which may have no end."""
    # O_NONBLOCK: the opening of a named pipe would otherwise wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: a main file first, then those that accompany it.

    Raises
    ------
    OSError
        When one cannot be written; then all old files are still there.

    Notes
    -----
    Each file is on the disk under a temporary name before it is renamed: neither a full disk nor a
    crash leaves an incomplete file. The old accompanying files are removed before the main file is
    replaced: if the renaming is interrupted, no file accompanies a main file of another version.
    """
    temporaries: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            temporaries[path] = _temporary(path)
            with _naming(path):
                _write(temporaries[path], content)
        for path in list(contents)[1:]:
            with _naming(path):
                path.unlink(missing_ok=True)
        for path, temporary in temporaries.items():
            with _naming(path):
                temporary.replace(path)
    finally:
        for temporary in temporaries.values():
            with suppress(OSError):
                temporary.unlink()


def check_writable(path: Path, size: int) -> None:
    """Raise an OSError unless a file of this size can be written; leave nothing behind."""
    with _naming(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        missing = [folder for folder in path.parents if not folder.exists()]
        if not path.parents[len(missing)].is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        temporary = _temporary(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, bytes(size))
        finally:
            for remove in (temporary.unlink, *(folder.rmdir for folder in missing)):
                with suppress(OSError):
                    remove()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def _write(temporary: Path, content: bytes) -> None:
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the path in an error, not the temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
