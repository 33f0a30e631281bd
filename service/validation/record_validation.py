"""Validation: what is wrong with a record that no reader takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from model.schema.features import FeatureSet
from service.errors import InvalidInput
from service.faults import EXPECTED_ID, kept_names, not_json
from service.validation.fault_finder import FaultFinder, Hints
from service.wire.cutting import member_names
from service.wire.ids import ID, id_fault, id_of


class Validator:
    """Finds every fault of a record.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    others : collection of str
        Fields that a record may have beside them, with any value.
    """

    def __init__(self, features: FeatureSet, others: Collection[str] = ()) -> None:
        kept = kept_names(features, others)
        self._takes_ids = ID in kept and ID not in others
        self._faults = FaultFinder(features, {}, kept)

    def refusal(self, body: bytes, hints: Hints | None = None) -> InvalidInput:
        """Return the exception that lists every fault of a record, and of its id."""
        refusal = _refusal(self._faults, body, hints)
        if self._takes_ids and id_of(body) is None:
            refusal.faults.append(id_fault(EXPECTED_ID))
        return refusal

    def cell_faults(self, record: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return every fault of the cells of a line, one under each name."""
        values = self._faults.values_at((), record)
        return self._faults.faults_at((), values, (), Hints())

    def check_columns(self, names: Sequence[str]) -> None:
        """Check the names of the columns that lines have.

        Raises
        ------
        InvalidInput
            When they are not those of the fields of a record, each once.
        """
        if faults := self._faults.name_faults(names):
            raise InvalidInput("The first line does not name the columns.", faults)


def _refusal(finder: FaultFinder, body: bytes, hints: Hints | None) -> InvalidInput:
    try:
        document = from_json(body)
    except ValueError as error:
        return not_json(f"Invalid JSON: {error}")
    if isinstance(document, dict):
        # With no more colons than names, none is there twice.
        is_plain = body.count(b":") == len(document)
        names = list(document) if is_plain else member_names(body)
        return finder.refusal(finder.values_at((), document), names, hints)
    return finder.no_object(is_null=document is None)
