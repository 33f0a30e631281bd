"""Cutting: where the parts of a large JSON document are, found without parsing them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.wire.steps import Steps, finish

BLOCK_BYTES = 2**16
"""So much of a document is searched in one step."""

NAMES = 500
"""So many names are decoded in one step."""

QUOTE, COMMA, COLON = b'",:'

TURNS = np.zeros(256, np.int8)
"""How much deeper the document is nested after each byte."""
TURNS[list(b"[{")] = 1
TURNS[list(b"]}")] = -1

IS_MARK = bytes(int(byte in b'[{]}",:') for byte in range(256))
"""For `bytes.translate`: 1 for each byte that is looked at, 0 for any other."""

Places: TypeAlias = NDArray[np.intp]
Names: TypeAlias = Callable[[list[str]], None]

decode_name = msgspec.json.Decoder(str).decode


@dataclass(frozen=True)
class Member:
    """A member of an object.

    Parameters
    ----------
    name : str
        Its name.
    text : bytes
        Its value.
    commas : list of int
        Where commas separate the items of the value, if it is an array.
    """

    name: str
    text: bytes
    commas: list[int]

    @property
    def is_list(self) -> bool:
        """Whether the value is an array."""
        return self.text.startswith(b"[")

    @property
    def n_items(self) -> int:
        """Number of items of an array; 0 for any other value."""
        if not self.is_list or (not self.commas and not self.text[1:-1].strip()):
            return 0
        return len(self.commas) + 1

    def item(self, number: int) -> bytes:
        """Return an item of an array."""
        start = self.commas[number - 1] + 1 if number else 1
        end = self.commas[number] if number < len(self.commas) else -1
        return self.text[start:end].strip()


def members(document: bytes, wanted: Collection[str], take_names: Names) -> Steps[list[Member]]:
    """Return the members of an object that have certain names; one given twice is there twice.

    Parameters
    ----------
    document : bytes
        An object, known to be valid JSON in UTF-8.
    wanted : collection of str
        The names.
    take_names : callable
        Called with the names of all members, some at a time.

    Notes
    -----
    Nothing but the brackets, commas and colons outside of strings is looked at, block by block:
    neither the size of a value nor the number of its items makes a step long.
    """
    own, inner = yield from _separators(document)
    found = []
    for first in range(0, len(own) - 2, 2 * NAMES):
        places = own[first : first + 2 * NAMES + 1].tolist()
        names = list(map(_name, repeat(document), places[:-1:2], places[1::2]))
        take_names(names)
        for name, colon, end in zip(names, places[1::2], places[2::2], strict=True):
            if name in wanted:
                low, high = np.searchsorted(inner, (colon, end))
                found.append(_member(name, document, (colon, end), inner[low:high]))
        yield
    return found


def items(document: bytes) -> Steps[list[bytes]]:
    """Return the items of an array.

    Parameters
    ----------
    document : bytes
        An array, known to be valid JSON in UTF-8.
    """
    own, _ = yield from _separators(document)
    places = own.tolist()
    found = [document[start + 1 : end].strip() for start, end in pairwise(places)]
    return [] if found == [b""] else found


def member_names(document: bytes) -> list[str]:
    """Return the names of all members of an object, in their order; one given twice is there twice.

    Parameters
    ----------
    document : bytes
        An object of a few KiB, known to be valid JSON in UTF-8.
    """
    names: list[str] = []
    finish(members(document, (), names.extend))
    return names


def _name(document: bytes, start: int, end: int) -> str:
    return decode_name(document[start + 1 : end])


def _member(name: str, document: bytes, span: tuple[int, int], commas: Places) -> Member:
    colon, end = span
    text = document[colon + 1 : end]
    return Member(name, text.strip(), (commas - (end - len(text.lstrip()))).tolist())


def _separators(document: bytes) -> Steps[tuple[Places, Places]]:
    """Return what separates an object's members, and what the items of each.

    The first are an opening bracket, a colon and a comma in turns, and a closing bracket.
    """
    own, inner = [], []
    is_inside, depth, start = False, 0, 0
    while start < len(document):
        block = _block(document, start)
        marks = np.flatnonzero(np.frombuffer(block.translate(IS_MARK), np.bool_))
        kinds = np.frombuffer(block, np.uint8)[marks]
        inside = np.logical_xor.accumulate(np.append(is_inside, kinds == QUOTE))
        is_inside = bool(inside[-1])
        outside = ~inside[1:] & (kinds != QUOTE)
        marks, kinds = marks[outside] + start, kinds[outside]
        turns = TURNS[kinds]
        depths = depth + np.cumsum(turns, dtype=np.intp)
        own.append(marks[((depths == 1) & (turns >= 0)) | (depths == 0)])
        inner.append(marks[(depths == len("{[")) & (kinds == COMMA)])
        depth = int(depths[-1]) if len(depths) else depth
        start += len(block)
        if start < len(document):
            yield
    return np.concatenate(own), np.concatenate(inner)


def _block(document: bytes, start: int) -> bytes:
    """Return the next bytes, with blanks in place of what backslashes escape."""
    block = document[start : start + BLOCK_BYTES]
    if b"\\" not in block:
        return block
    if (len(block) - len(block.rstrip(b"\\"))) % 2:  # it would end within an escape
        block = document[start : start + BLOCK_BYTES + 1]
    return block.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
