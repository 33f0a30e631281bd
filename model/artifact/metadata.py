"""The metadata: what the JSON document of an artifact may hold, whatever it describes.

The limits are those up to which the service is tested; what exceeds one is rejected in loading, so
that nothing in the service has to expect it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from model.artifact.archive import ArchiveFault, shown

MAX_FEATURES = 2_000
MAX_CLASSES = 100
MAX_CODES = 1_000
"""Of one feature."""
MAX_ALIASES = 16
"""Of one feature."""
MAX_MISSING_CELLS = 16
"""Of one feature."""
MAX_OTHER_COLUMNS = 10_000
"""Names of columns that are no features."""
MAX_OTHER_NAME = 64
"""Characters of such a name."""
MAX_LAYERS = 64
MAX_GOLDEN_ROWS = 256
"""Each readiness probe computes all of them."""
MAX_DEPTH = 32
MAX_TEXT = 2_000
"""Characters of any text. The reason of the threshold is part of every answer."""
MAX_WHOLE = 2**53
"""Above it, not every whole number is a float of its own."""
MAX_NUMBER = 1e300
"""Sums and differences of two such numbers are finite."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tabs and line feeds, and lone surrogates, which UTF-8 cannot hold."""

FIGURES = ("value", "low", "high", "spread")
"""What a figure with its interval consists of."""


def check_values(document: Any) -> None:
    """Check every text and number of a JSON document, and its depth.

    Raises
    ------
    ArchiveFault
        When a text cannot be sent, or anything exceeds its limit.
    """
    found = [(document, 1)]
    while found:
        value, depth = found.pop()
        if depth > MAX_DEPTH:
            raise ArchiveFault("limits", f"metadata is nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            found += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            found += [(part, depth + 1) for part in value]
        elif isinstance(value, str):
            _check_text(value)
        elif abs(value or 0) > (MAX_WHOLE if type(value) is int else MAX_NUMBER):
            raise ArchiveFault("limits", "a number of the metadata is too large")


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        problem = f"the text {shown(text)}... has more than {MAX_TEXT} characters"
        raise ArchiveFault("limits", problem)
    if _FORBIDDEN.search(text):
        problem = f"the text {shown(text)} holds a control character or a lone surrogate"
        raise ArchiveFault("text", problem)


def check_sizes(metadata: Mapping[str, Any]) -> None:
    """Check how many features, classes, layers and golden rows a model has.

    Raises
    ------
    ArchiveFault
        When there are too many of anything.
    """
    sizes = [
        ("features", len(metadata["features"]), MAX_FEATURES),
        ("classes", len(metadata["labels"]), MAX_CLASSES),
        ("layers", len(metadata["layer_sizes"]), MAX_LAYERS),
        ("golden rows", metadata["golden_rows"], MAX_GOLDEN_ROWS),
    ]
    for feature in metadata["features"]:
        name = shown(str(feature["name"]))
        sizes.append((f"codes of the feature {name}", len(feature["codes"]), MAX_CODES))
        sizes.append((f"aliases of the feature {name}", len(feature["aliases"]), MAX_ALIASES))
        missing = len(feature.get("missing_cells", ()))
        sizes.append((f"missing cells of the feature {name}", missing, MAX_MISSING_CELLS))
    for what, found, most in sizes:
        if found > most:
            raise ArchiveFault("limits", f"{found} {what}, at most {most} are read")


def check_about(about: Mapping[str, Any]) -> None:
    """Check what the card says about the use, the limits and the metrics of a model.

    Raises
    ------
    ArchiveFault
        When a part is missing, or is not what the documents of the service say of it.
    """
    _require_card(
        _are_texts([about.get("intended_use"), about.get("not_for")]),
        "intended_use and not_for must be texts",
    )
    _require_card(
        isinstance(about.get("limits"), list) and _are_texts(about["limits"]),
        "limits must be a list of texts",
    )
    _require_card(
        _are_figures(about.get("metrics"), may_be_numbers=True),
        f"metrics must be numbers, or figures of {', '.join(FIGURES)}, by name",
    )
    subgroups = about.get("subgroups", {})
    _require_card(
        isinstance(subgroups, dict) and all(map(_is_subgroup, subgroups.values())),
        "each of the subgroups must have rows, positives and metrics",
    )
    _require_card(
        _are_other_columns(about.get("other_columns", [])),
        f"other_columns must be at most {MAX_OTHER_COLUMNS} names of at most {MAX_OTHER_NAME} "
        "printable characters, each once",
    )


def can_be_held(name: str) -> bool:
    """Return whether an artifact can hold the name of a column that is no feature."""
    return len(name) <= MAX_OTHER_NAME and name.isprintable()


def _are_other_columns(names: Any) -> bool:
    return (
        isinstance(names, list)
        and len(names) <= MAX_OTHER_COLUMNS
        and _are_texts(names)
        and all(map(can_be_held, names))
        and len(set(names)) == len(names)
    )


def _is_subgroup(subgroup: Any) -> bool:
    return (
        isinstance(subgroup, dict)
        and all(type(subgroup.get(key)) is int for key in ("rows", "positives"))
        and _are_figures(subgroup.get("metrics"), may_be_numbers=False)
    )


def _are_figures(metrics: Any, *, may_be_numbers: bool) -> bool:
    return isinstance(metrics, dict) and all(
        (may_be_numbers and _is_number(figure))
        or (isinstance(figure, dict) and all(_is_number(figure.get(key)) for key in FIGURES))
        for figure in metrics.values()
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _require_card(condition: bool, problem: str) -> None:  # noqa: FBT001
    if not condition:
        raise ArchiveFault("card", problem)
