"""Ids: what a row of a stream may have beside its values, and gets back as it was sent."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from pydantic_core import from_json

from service.faults import MAX_DIGITS, fault
from service.wire.cutting import members
from service.wire.steps import finish

ID = "id"

EXPECTED_TEXT = "UTF-8 text without a carriage return"
"""What an id in CSV must be."""

WHOLE_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,%d})" % (MAX_DIGITS - 1))


class _Owner(msgspec.Struct):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_owner = msgspec.json.Decoder(_Owner)
_text = msgspec.json.Decoder(str)


def is_id(raw: bytes) -> bool:
    """Return whether a JSON value is an id: a string or a whole number."""
    if not raw.startswith(b'"'):
        return WHOLE_NUMBER.fullmatch(raw) is not None
    try:
        _text.decode(raw)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


def id_of(line: bytes) -> bytes | msgspec.UnsetType | None:
    """Return the id of a JSON object as it was sent; UNSET without one, None if it is not valid."""
    own: Any
    try:
        own = _owner.decode(line).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        own = _id_beside_faults(line)
    if isinstance(own, msgspec.UnsetType):
        return own
    raw = bytes(own)
    return raw if is_id(raw) else None


def _id_beside_faults(line: bytes) -> bytes | msgspec.UnsetType:
    """Return the id of an object that is JSON but for NaN or infinities."""
    try:
        document = from_json(line)
    except ValueError:
        return msgspec.UNSET
    if not isinstance(document, dict) or ID not in document:
        return msgspec.UNSET
    return finish(members(line, {ID}, _pass))[-1].text


def _pass(_: list[str]) -> None:
    """Take names that nothing is done with."""


def text_of(raw: bytes) -> str:
    """Return the text of an id: that of a string, or the digits of a number."""
    return _text.decode(raw) if raw.startswith(b'"') else raw.decode()


def is_text(cell: str) -> bool:
    """Return whether a cell of CSV, decoded with surrogates for bytes that are not UTF-8, is one.

    A carriage return would end the row for some readers, of an id in the answer too.
    """
    return "\r" not in cell and not any("\ud800" <= char <= "\udfff" for char in cell)


def id_fault(expected: str) -> dict[str, Any]:
    """Return the fault of an id that is not valid."""
    return fault((ID,), f"Expected {expected}.", "invalid_id")
