"""Kept fields: what a row has beside its features, and what goes to its answer unread."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec
import polars as pl

from model.inference.predictor import Predictor
from service.faults import kept_names
from service.wire.ids import ID, is_id

RAW = "\0"
"""Begins the name of a column of JSON as it was sent, beside that of the texts.

No name of a column that is kept holds it.
"""

INPUT = "input_"
"""Begins the name of a kept column whose own name another column has."""

REJECTED = ("row", "reasons")
"""Columns of rejected rows beside their own."""

Members: TypeAlias = Mapping[str, msgspec.Raw]
"""Members of a JSON object as they were sent, by their names."""

_any = msgspec.json.Decoder(float_hook=str)  # a number of any size is kept


class Kept:
    """The fields that rows may have beside the features of a model.

    Parameters
    ----------
    predictor : Predictor
        The model.

    Attributes
    ----------
    others : tuple of str
        The columns that the model knows from its training table; they may hold anything.
    names : frozenset of str
        These, and that of the ids.
    has_ids : bool
        Whether a row may have an id of which the model knows nothing.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.others = predictor.other_columns
        self.names = kept_names(predictor.features, self.others)
        self.has_ids = ID in self.names and ID not in self.others

    def of_table(self, table: pl.DataFrame) -> list[pl.Series]:
        """Return the kept columns of a table."""
        return [column for column in table if column.name in self.names]

    def is_valid(self, name: str, raw: bytes) -> bool:
        """Return whether a member of a record can be kept."""
        if name == ID and self.has_ids:
            return is_id(raw)
        try:
            _any.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        return True

    def of_records(self, rows: Sequence[Members]) -> list[pl.Series]:
        """Return kept members as columns: their texts, and their JSON as it was sent."""
        given = [ID] if self.has_ids else []
        columns: list[pl.Series] = []
        for name in [*given, *(name for name in self.others if name in self.names)]:
            raw = [bytes(row[name]) if name in row else None for row in rows]
            columns.append(pl.Series(name, [text and _text_of(text) for text in raw], pl.String))
            sent = [text and text.decode() for text in raw]
            columns.append(pl.Series(RAW + name, sent, pl.String))
        return columns


def _text_of(raw: bytes) -> str | None:
    """Return the text of a string, nothing for null, and the JSON of anything else."""
    if raw.startswith(b'"'):
        text: str = _any.decode(raw)
        return text
    return None if raw == b"null" else raw.decode()


def as_frame(columns: Iterable[pl.Series]) -> pl.DataFrame:
    """Return columns as a table; one may have no name, for which Polars' own way makes one up."""
    return pl.DataFrame({column.name: column for column in columns})


def without_raw(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table without its columns of JSON."""
    return as_frame(column for column in table if not column.name.startswith(RAW))


def free_names(names: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Return another name for each column whose own one is taken, that of its JSON alike."""
    used, found = {*taken, *names}, {}
    for name in names:
        if name not in taken:
            continue
        new = INPUT + name
        while new in used:
            new = INPUT + new
        used.add(new)
        found[name] = new
    return found | {RAW + name: RAW + new for name, new in found.items() if RAW + name in names}
