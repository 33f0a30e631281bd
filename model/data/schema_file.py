"""Schema files: TOML checked by the JSON Schema that is shipped for editors."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from model.errors import HeartlineError
from model.files import read_regular

JSON_SCHEMA_FILE = Path(__file__).with_name("table_schema.json")

Place: TypeAlias = tuple[str | int, ...]
"""The keys that lead to a value."""

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

NOUNS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}


class SchemaError(HeartlineError):
    """A schema file that cannot be used.

    Parameters
    ----------
    path : Path
        The file.
    problem : str
        What is wrong and what was expected.
    place : Place
        The keys that lead to it.
    line : int, optional
        The line, where it is known.
    """

    def __init__(
        self, path: Path, problem: str, place: Place = (), line: int | None = None
    ) -> None:
        where = [str(path)]
        if line is not None:
            where.append(f"line {line}")
        if place:
            where.append(".".join(map(_shown, place)))
        super().__init__(f"{', '.join(where)}: {problem}")


def _shown(key: str | int) -> str:
    text = str(key)
    return text if text.isprintable() and len(text) <= 64 else ascii(text[:40])


class SchemaFile:
    """A schema file that was read.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    document : dict
        What it holds: all keys are known and all values of the right types.

    Raises
    ------
    SchemaError
        When it cannot be read, is not TOML, or has an unknown key or a value of another type.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._text = read_regular(path).decode("utf-8-sig")
            self.document = tomllib.loads(self._text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise SchemaError(path, _reason(error)) from None
        for place, problem in faults(self.document, json_schema()):
            raise self.error(problem, place)

    def error(self, problem: str, place: Place = ()) -> SchemaError:
        """Return an error at a place of the file."""
        return SchemaError(self.path, problem, place, _line_of(self._text, place))


def _reason(error: Exception) -> str:
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"not TOML: {error}"
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return (
        "not a text file in UTF-8" if isinstance(error, UnicodeDecodeError) else "nested too deep"
    )


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of schema files."""
    schema: dict[str, Any] = json.loads(JSON_SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def faults(value: Any, schema: Mapping[str, Any], place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield where a value breaks the parts of JSON Schema that ours has, and how."""
    if "enum" in schema and value not in schema["enum"]:
        yield place, f"expected one of {', '.join(schema['enum'])}"
    elif "anyOf" in schema:
        choices = [of for of in schema["anyOf"] if _is_of_type(value, of["type"])]
        if choices:
            yield from faults(value, choices[0], place)
        else:
            nouns = (NOUNS[of["type"]] for of in schema["anyOf"])
            yield place, f"expected {' or '.join(nouns)}"
    elif "type" in schema and not _is_of_type(value, schema["type"]):
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield place, f"expected {' or '.join(NOUNS[name] for name in names)}"
    elif isinstance(value, dict):
        yield from _table_faults(value, schema, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, schema["items"], (*place, number))


def _is_of_type(value: Any, names: str | Sequence[str]) -> bool:
    names = [names] if isinstance(names, str) else names
    return any(type(value) in TYPES[name] for name in names)


def _table_faults(
    table: Mapping[str, Any], schema: Mapping[str, Any], place: Place
) -> Iterator[tuple[Place, str]]:
    properties, others = schema.get("properties", {}), schema["additionalProperties"]
    for key, value in table.items():
        if key in properties:
            yield from faults(value, properties[key], (*place, key))
        elif others:
            yield from faults(value, others, (*place, key))
        else:
            near = get_close_matches(key, properties, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(properties)}"
            yield (*place, key), f"unknown key; {hint}"
    for key in schema.get("required", ()):
        if key not in table:
            yield place, f"{key} is missing"


def _line_of(text: str, place: Place) -> int | None:
    """Return the line of a key, or of the table that it is in; None where it is not known."""
    if any(isinstance(key, int) for key in place):  # which of several tables is meant
        return None
    table: Place = ()
    found, depth = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("["):
            keys = table = _keys(line)
        else:
            keys = (*table, *_keys(f"[{line.partition('=')[0]}]"))
        if len(keys) > depth and place[: len(keys)] == keys:
            found, depth = number, len(keys)
    return found


def _keys(header: str) -> Place:
    """Return the keys of a table's header; none of a line that is no header."""
    try:
        document: Any = tomllib.loads(header)
    except tomllib.TOMLDecodeError:
        return ()
    keys = []
    while document:
        if isinstance(document, list):
            [document] = document
        else:
            [(key, document)] = document.items()
            keys.append(key)
    return tuple(keys)
