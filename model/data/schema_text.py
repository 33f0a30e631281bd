"""The text of a schema file: TOML with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from model.data.table_schema import (
    FEATURE_KEYS,
    PLAIN_KEYS,
    Ignored,
    TableSchema,
    Target,
    decision,
)
from model.schema.features import Feature

BARE = re.compile(r"[A-Za-z0-9_-]+")

WIDTH = 100
"""Lists of texts that are longer have a line for each."""

ALWAYS = ("kind", "example")
RANGE = ("minimum", "maximum")

Notes = Mapping[str, Sequence[str]]
"""Comments for each column, by its name."""


def as_toml(schema: TableSchema, notes: Notes | None = None, heading: Sequence[str] = ()) -> str:
    """Return the text of a schema file, from which `TableSchema.read` makes the same schema.

    Parameters
    ----------
    schema : TableSchema
        The schema.
    notes : mapping of str to sequence of str, optional
        Comments for each column, by its name, a line each.
    heading : sequence of str
        Comments at the top.
    """
    notes = notes or {}
    target = schema.target.feature.name
    parts = [
        [*_comments(heading), *_lines(_top(schema))],
        ["[target]", *_comments(notes.get(target, ())), *_lines(_target(schema.target))],
        *(
            [
                f"[columns.{_key(column.name)}]",
                *_comments(notes.get(column.name, ())),
                *_lines(keys),
            ]
            for column, keys in ((column, _column(column)) for column in schema.columns)
        ),
        *(
            ["[[subgroups]]", *_lines(_subgroup(of.name, of.feature, of.low, of.high))]
            for of in schema.subgroups
        ),
    ]
    if schema.published_costs:
        parts.append(["[published_costs]", *_lines(schema.published_costs.items())])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _top(schema: TableSchema) -> Iterator[tuple[str, Any]]:
    for key in PLAIN_KEYS:
        value = getattr(schema, key)
        if key == "name" or value != getattr(TableSchema, key):
            yield key, value


def _target(target: Target) -> Iterator[tuple[str, Any]]:
    feature = target.feature
    yield "name", feature.name
    if feature.description != feature.name:
        yield "description", feature.description
    if feature.aliases:
        yield "aliases", feature.aliases
    yield from _codes(feature, "classes")
    if len(feature.codes) == 2:
        yield "positive", feature.codes[-1][1]
    if target.costs:
        costs = target.costs
        both = {"false_negative": costs.false_negative, "false_positive": costs.false_positive}
        yield "costs", both
    if (target.threshold, target.threshold_reason) != decision(target.costs):
        yield "threshold", target.threshold
        yield "threshold_reason", target.threshold_reason


def _column(column: Feature | Ignored) -> Iterator[tuple[str, Any]]:
    if isinstance(column, Ignored):
        yield "ignore", column.reason
        return
    for key in FEATURE_KEYS:
        value = getattr(column, key)
        if key in ALWAYS or (key in RANGE and not column.is_coded) or value != _usual(key, column):
            yield key, value
    yield from _codes(column, "codes")
    if column.other is not None:
        yield "other", dict(column.codes)[column.other]


def _usual(key: str, column: Feature) -> Any:
    """Return what a key means where a file does not have it."""
    return column.name if key == "description" else getattr(Feature, key)


def _codes(feature: Feature, key: str) -> Iterator[tuple[str, Any]]:
    """Yield codes: a list of texts where it says all."""
    if not feature.codes:
        return
    numbers, names = zip(*feature.codes, strict=True)
    if feature.texts_only and numbers == tuple(range(len(numbers))):
        yield key, names
    else:
        yield key, dict(zip(names, numbers, strict=True))
        if feature.texts_only:
            yield "texts_only", True
    if feature.is_boolean:
        yield "boolean", True


def _subgroup(name: str, column: str, low: float, high: float) -> Iterator[tuple[str, Any]]:
    yield from {"name": name, "column": column, "from": low, "below": high}.items()


def _comments(lines: Iterable[str]) -> list[str]:
    # A control character cannot stand in a comment.
    return [f"# {line if line.isprintable() else ascii(line)}".rstrip() for line in lines]


def _lines(items: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in items]


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(of)}" for key, of in value.items()) + " }"
    if isinstance(value, Sequence):
        items = [_value(item) for item in value]
        line = f"[{', '.join(items)}]"
        is_short = len(line) <= WIDTH
        return line if is_short else "".join(["[\n", *(f"    {item},\n" for item in items), "]"])
    return repr(value)


def _text(text: str) -> str:
    """Return a basic string of TOML, whose escapes are those of JSON; of DEL it has one more."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
