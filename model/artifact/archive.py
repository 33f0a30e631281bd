"""The archive: arrays and one JSON document in an .npz file, read with suspicion.

Only what `pack` writes is accepted: members that are stored, not compressed, each an ``.npy`` of
version 1.0. So a file can't declare more than it holds, and nothing is allocated on its word.
Nothing of a member is ever unpickled or evaluated: its header is compared with the one form that
NumPy writes, and the numbers behind it are taken as they lie there.
"""

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from model.arrays import Array

MAX_BYTES = 16 * 2**20
"""A larger file is refused unread: 16 MiB hold a network of two million parameters."""

MAX_METADATA_BYTES = 4 * 2**20
"""A larger document is refused: 2,000 features with texts and codes of their own need 2 MiB."""

MAX_VALUES = 200_000
"""A document of more values is refused: as a Python object each may take 250 bytes."""

MAX_CARD_VALUES = 2 * MAX_VALUES
"""The card has the commas of sentences that are made of the codes too."""

MAX_MEMBERS = 1000
"""More are refused before a directory of them is read. The deepest network has 133."""

METADATA = "metadata"
FLOATS = np.dtype("<f8")
BYTES = np.dtype("|u1")

_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00.."
    rb"\{'descr': '([^']*)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


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
    members = {name: np.asarray(array, FLOATS, order="C") for name, array in arrays.items()}
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
        # The bytes that begin an entry of the directory; in 16 MiB of numbers they hardly occur.
        if content.count(zipfile.stringCentralDir) > MAX_MEMBERS:  # type: ignore[attr-defined]
            raise ArchiveFault("archive", f"there are more than {MAX_MEMBERS} members")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            raise ArchiveFault("archive", "not an .npz file, or truncated") from None
        members = self._zip.infolist()
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                problem = f"{shown(member.filename)} is compressed or encrypted"
                raise ArchiveFault("archive", problem)
        if sum(member.file_size for member in members) > len(content):
            raise ArchiveFault("archive", "the members declare more bytes than the file has")
        self.names = {member.filename.removesuffix(".npy") for member in members}
        if len(self.names) < len(members):
            raise ArchiveFault("keys", "a member occurs twice")

    def metadata(self) -> Any:
        """Return the JSON document.

        Raises
        ------
        ArchiveFault
            When it is missing, too large or not JSON in UTF-8, of finite numbers.
        """
        if METADATA not in self.names:
            raise ArchiveFault("keys", f"{METADATA} is missing")
        document = self._read(METADATA, BYTES).tobytes()
        if len(document) > MAX_METADATA_BYTES:
            raise ArchiveFault("size", f"{METADATA} is larger than {MAX_METADATA_BYTES} bytes")
        return read_json(document, METADATA, MAX_VALUES)

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return one array of finite numbers.

        Raises
        ------
        ArchiveFault
            When it isn't of this shape, not of 64-bit floats, damaged or not finite.
        """
        array = self.numbers(name, shape)
        if not np.isfinite(array).all():
            raise ArchiveFault("finite", f"{name} contains NaN or infinity")
        return array

    def numbers(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return one array like `array`, but accept numbers that are not finite."""
        numbers: Array = self._read(name, FLOATS, shape)
        return numbers

    def content(self, name: str) -> bytes:
        """Return the bytes of one member.

        Raises
        ------
        ArchiveFault
            When they are damaged.
        """
        try:
            return self._zip.read(f"{name}.npy")
        except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, OSError, ValueError):
            raise ArchiveFault("archive", f"{name} is damaged") from None

    def _read(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None = None) -> Any:
        """Return one member; without a shape, a row of as many items as there are."""
        content = self.content(name)
        header = _NPY_HEADER.match(content)
        if header is None:
            raise ArchiveFault("archive", f"{name} has no .npy header of version 1.0")
        if header[1] != dtype.str.encode():
            found = shown(header[1].decode("latin-1"))
            raise ArchiveFault("dtype", f"{name} has the type {found}, expected {dtype.str}")
        declared = tuple(int(size) for size in re.findall(rb"\d{1,18}", header[2]))
        items = (len(content) - header.end()) / dtype.itemsize
        expected = (int(items),) if shape is None else shape
        if declared != expected or math.prod(declared) != items:
            raise ArchiveFault("shape", f"{name} does not have the shape {expected}")
        return np.frombuffer(content, dtype, offset=header.end()).reshape(declared)


def read_json(document: bytes, name: str, max_values: int) -> Any:
    """Return a JSON document of at most `max_values` values whose numbers are all finite.

    Raises
    ------
    ArchiveFault
        When it is anything else.
    """
    if sum(map(document.count, (b"[", b"{", b","))) > max_values:
        raise ArchiveFault("size", f"{name} has more than {max_values} values")
    try:
        return json.loads(document.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise ArchiveFault("metadata", f"{name} is not a JSON document") from None


def shown(name: str) -> str:
    """Return a name out of a file, fit for one line of a terminal."""
    return ascii(name[:40])


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value
