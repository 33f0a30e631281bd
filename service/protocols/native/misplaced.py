"""Misplaced bodies: what to do with one that has the form of another path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from model.schema.features import FeatureSet
from service.errors import InvalidInput
from service.faults import BATCH, TABLE

LIST_AS_RECORD = (
    'Send one record as an object, or many to POST /predict/batch: {"instances": [...]}.'
)
LIST_AS_BATCH = 'Send a list of records in an object: {"instances": [...]}.'
BATCH_AS_RECORD = "This is a batch; send it to POST /predict/batch."
RECORD_AS_BATCH = (
    'This is one record; send it to POST /predict, or in a list: {"instances": [...]}.'
)

AROUND_RECORDS = frozenset({*BATCH, *TABLE})


def as_record(refusal: InvalidInput, body: bytes, features: FeatureSet) -> InvalidInput:
    """Return the refusal of a record, with a sentence where the body is a batch or a list."""
    if _is_no_object(refusal) and _is_list(body):
        return _with_sentence(refusal, LIST_AS_RECORD)
    if _is_batch(body, features):
        return _with_sentence(refusal, BATCH_AS_RECORD)
    return refusal


def as_batch(refusal: InvalidInput, body: bytes, features: FeatureSet) -> InvalidInput:
    """Return the refusal of a batch, with a sentence where the body is a record or a list."""
    if _is_no_object(refusal) and _is_list(body):
        return _with_sentence(refusal, LIST_AS_BATCH)
    if any(_is_field(fault, features) for fault in refusal.faults):
        return _with_sentence(refusal, RECORD_AS_BATCH)
    return refusal


def _is_no_object(refusal: InvalidInput) -> bool:
    return [fault["type"] for fault in refusal.faults] == ["not_an_object"]


def _is_list(body: bytes) -> bool:
    return body.lstrip().startswith(b"[")


def _is_batch(body: bytes, features: FeatureSet) -> bool:
    names = AROUND_RECORDS - features.by_accepted_name.keys()
    if not any(name.encode() in body for name in names):
        return False
    try:
        document = from_json(body)
    except ValueError:
        return False
    return isinstance(document, dict) and not names.isdisjoint(document)


def _is_field(fault: Mapping[str, Any], features: FeatureSet) -> bool:
    """Return whether a name that belongs to a record is beside the records."""
    _, *place = fault["loc"]
    is_outer = len(place) == 1 and fault["type"] == "unknown_field"
    return is_outer and place[0] in features.by_accepted_name


def _with_sentence(refusal: InvalidInput, sentence: str) -> InvalidInput:
    return InvalidInput(f"{refusal} {sentence}", refusal.faults)
