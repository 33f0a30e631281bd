"""Artifacts taken apart and put together wrongly."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tests.conftest import ARTIFACT

ORIGINAL = ARTIFACT.read_bytes()


def members(content: bytes = ORIGINAL) -> dict[str, bytes]:
    """Return the .npy files by name, without the suffix."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}


NAMES = tuple(members())
ARRAYS = tuple(name for name in NAMES if name != "metadata")


def zipped(parts: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file; unlike `zipfile` itself in silence where a name comes twice."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in parts:
            archive.NameToInfo.clear()
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content, compression)
    return stream.getvalue()


def with_members(**changed: bytes) -> bytes:
    return zipped((members() | changed).items())


def without(name: str) -> bytes:
    return zipped((other, content) for other, content in members().items() if other != name)


def npy(array: np.ndarray[Any, Any], *, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def npy_declaring(header: str, data: bytes = b"") -> bytes:
    """Return an .npy file with the given declaration."""
    line = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + data


def array(name: str, content: bytes = ORIGINAL) -> np.ndarray[Any, Any]:
    member = io.BytesIO(members(content)[name])
    loaded: np.ndarray[Any, Any] = np.load(member, allow_pickle=False)
    return loaded


def metadata() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(array("metadata").tobytes())
    return document


def document(text: str) -> bytes:
    return npy(np.frombuffer(text.encode(), dtype="u1"))


def with_metadata(changed: Mapping[str, Any]) -> bytes:
    # What Python writes as Infinity is valid JSON when written as 1e999.
    text = json.dumps(metadata() | dict(changed)).replace("Infinity", "1e999")
    return with_members(metadata=document(text))


def with_document(text: str) -> bytes:
    return with_members(metadata=document(text))


def with_bit_flipped_in(name: str, content: bytes = ORIGINAL) -> bytes:
    """Flip one bit in the middle of the member's numbers."""
    member = members(content)[name]
    return with_bit_flipped_at(content.index(member) + (128 + len(member)) // 2, 0, content)


def with_bit_flipped_at(place: int, bit: int = 0, content: bytes = ORIGINAL) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def with_entry_changed(name: str, index: tuple[int, ...], by: float) -> bytes:
    changed = array(name).copy()
    changed[index] += by
    return with_members(**{name: npy(changed)})
