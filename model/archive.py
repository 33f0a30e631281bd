"""The archive: arrays and one JSON document in an .npz file, read with suspicion.

Only what `pack` writes is accepted: members that are stored, not compressed, each an ``.npy`` of
version 1.0. So a file can't declare more than it holds, and nothing is allocated on its word.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy

from model.arrays import Array

MAX_BYTES = 8 * 2**20
"""A larger file is refused unread: 8 MiB hold a network of a million parameters."""

METADATA = "metadata"
FLOATS = np.dtype("<f8")
BYTES = np.dtype("u1")


class ArchiveFault(Exception):
    """A check that the archive failed, by name, and what was found."""

    def __init__(self, check: str, problem: str) -> None:
        super().__init__(check, problem)
        self.check = check
        self.problem = problem


def pack(arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> bytes:
    """Return the bytes of an .npz file with these arrays and this JSON document.

    Notes
    -----
    `numpy.savez` writes no time of day, so that the same contents give the same bytes.
    """
    document = json.dumps(metadata, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    stream = io.BytesIO()
    members = {name: np.asarray(array, dtype=FLOATS) for name, array in arrays.items()}
    members[METADATA] = np.frombuffer(document.encode(), dtype=BYTES)
    np.savez(stream, allow_pickle=False, **members)
    return stream.getvalue()


class Archive:
    """An .npz file opened for reading.

    Parameters
    ----------
    content : bytes
        The whole file.

    Raises
    ------
    ArchiveFault
        When it is no zip file, repeats a member, or declares more than it can hold.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ArchiveFault("archive", f"not an .npz file ({error})") from None
        members = self._zip.infolist()
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise ArchiveFault("archive", f"{_shown(member.filename)} is not stored plainly")
        if sum(member.file_size for member in members) > len(content):
            raise ArchiveFault("archive", "the members declare more bytes than the file has")
        self.names = {member.filename.removesuffix(".npy") for member in members}
        if len(self.names) < len(members):
            raise ArchiveFault("keys", "a member stands in the file twice")

    def metadata(self) -> Any:
        """Return the JSON document.

        Raises
        ------
        ArchiveFault
            When it is missing or not JSON.
        """
        if METADATA not in self.names:
            raise ArchiveFault("keys", f"{METADATA} is missing")
        document = self._read(METADATA, BYTES, None).tobytes()
        try:
            return json.loads(document, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise ArchiveFault("metadata", "not a JSON document") from None

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return one array of finite numbers.

        Raises
        ------
        ArchiveFault
            When it isn't of this shape, not of 64-bit floats, damaged or not finite.
        """
        array: Array = self._read(name, FLOATS, shape)
        if not np.isfinite(array).all():
            raise ArchiveFault("finite", f"{name} holds NaN or infinity")
        return array

    def _read(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> Any:
        """Return one member, its header compared with what is expected before it is believed."""
        try:
            content = self._zip.read(f"{name}.npy")
            stream = io.BytesIO(content)
            if npy.read_magic(stream) != (1, 0):
                raise ValueError("another .npy version")
            declared, _, declared_dtype = npy.read_array_header_1_0(stream)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            KeyError,
            NotImplementedError,
            ValueError,
        ) as error:
            raise ArchiveFault("archive", f"{name} is damaged ({_reason(error)})") from None
        if declared_dtype != dtype:
            raise ArchiveFault("dtype", f"{name} is {declared_dtype}, expected {dtype}")
        held = (len(content) - stream.tell()) // dtype.itemsize
        if declared != (shape or (held,)):
            raise ArchiveFault("shape", f"{name} is {declared}, expected {shape or (held,)}")
        if len(content) - stream.tell() != dtype.itemsize * int(np.prod(declared)):
            raise ArchiveFault("shape", f"{name} holds another number of bytes than it declares")
        stream.seek(0)
        return npy.read_array(stream, allow_pickle=False)


def _shown(name: str) -> str:
    """Return a member's name, fit for one line of a terminal."""
    return ascii(name[:40])


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:80] if str(error) else type(error).__name__


def _refuse_constant(constant: str) -> None:
    raise ValueError(constant)
