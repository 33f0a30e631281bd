"""Features: what each input column is, what it may hold, and what was seen of it in training."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as fields_of
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal, TypeAlias

import numpy as np

from model.arrays import Array
from model.schema.rules import MISSING, Cell, Rule, RuleTable

Kind: TypeAlias = Literal["continuous", "count", "binary", "nominal"]
MissingPolicy: TypeAlias = Literal["refuse", "indicator"]

MAX_NAME = 64
"""Characters of a name."""

MAX_NOTE = 200
"""Characters of what an error says of foreign numbers."""

CASE_NOTE = "Names of codes are case-sensitive."

MAX_SHOWN = 20
"""Codes that an error lists; the documents of the service list all of them."""


def is_name(text: str) -> bool:
    """Return whether a text can name a feature, a code, a class or a model.

    A name is the same whether or not a table's reader strips its cells or normalises their text.
    """
    return (
        0 < len(text) <= MAX_NAME
        and text.isprintable()
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
    )


@dataclass(frozen=True)
class Feature:
    """One input column.

    Parameters
    ----------
    name : str
        The name in requests; as those of codes and the aliases see `is_name`.
    description : str
        What it is, in a few words.
    kind : {"continuous", "count", "binary", "nominal"}
        A measurement, a whole number, or a code: one of two, or one of several without order.
    example : float
        A made-up value for documents and forms.
    unit : str
        Unit of a measurement.
    minimum, maximum : float
        Plausible range of a measurement or count: what lies outside is a slip of the pen. A coded
        feature's follow from its codes.
    codes : tuple of (int, str)
        Code and name of each value of a coded feature.
    aliases : tuple of str
        Other names by which the column is accepted.
    observed : tuple of float
        Lowest and highest value of the training rows; for a coded feature all codes seen.
    named_only : bool
        Whether a coded value is accepted by its name alone. Who serves a model decides this: no
        artifact holds it.
    missing : {"refuse", "indicator"}
        Whether a value may be missing; then a column of its own tells the network.
    missing_cells : tuple of float or str
        What else than null and an empty cell means a missing value.
    texts_only : bool
        Whether the codes were made from texts: they are accepted by their names alone.
    is_boolean : bool
        Whether true and false are accepted, for the codes 1 and 0.
    other : int, optional
        The code of a text that is the name of no code; without it such a text is rejected.
    can_change : bool
        Whether a person can change the value.
    foreign : tuple of float
        Numbers that are no values here, and that another copy of the data has in this column.
    foreign_note : str
        What an error says of them, as a sentence.

    Raises
    ------
    ValueError
        When the parts contradict each other.
    """

    name: str
    description: str
    kind: Kind
    example: float
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 0.0
    codes: tuple[tuple[int, str], ...] = ()
    aliases: tuple[str, ...] = ()
    observed: tuple[float, ...] = ()
    named_only: bool = False
    missing: MissingPolicy = "refuse"
    missing_cells: tuple[float | str, ...] = ()
    texts_only: bool = False
    is_boolean: bool = False
    other: int | None = None
    can_change: bool = True
    foreign: tuple[float, ...] = field(default=(), compare=False)
    foreign_note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.kind not in ("continuous", "count", "binary", "nominal"):
            raise self._fault("unknown kind")
        if self.is_coded != bool(self.codes):
            raise self._fault("binary and nominal features alone have codes")
        if not self.is_coded and not self.minimum < self.maximum:
            raise self._fault("the minimum must lie below the maximum")
        if not self.accepts(self.example):
            raise self._fault("the example is not a value of it")
        self._check_names()
        if any(len(set(column)) < len(self.codes) for column in zip(*self.codes, strict=True)):
            raise self._fault("a code or the name of one stands there twice")
        if any(map(self.accepts, self.foreign)) or len(self.foreign_note) > MAX_NOTE:
            raise self._fault("a foreign number is a value of it, or the note of them is too long")
        if self.observed and not self._is_observed_possible():
            raise self._fault("observed is neither a range nor a list of codes")
        self._check_cells()

    def _check_names(self) -> None:
        if not all(map(is_name, (*self.accepted_names, *(name for _, name in self.codes)))):
            raise self._fault(
                f"a name is empty, longer than {MAX_NAME} characters, not in Unicode form NFC, or "
                "holds outer blanks or a control character"
            )
        if self.unit and not is_name(self.unit):
            raise self._fault("the unit is no name")
        if not self.texts_only and any(_reads_as_other_number(name, c) for c, name in self.codes):
            raise self._fault("the name of a code reads as another number, which CSV cannot hold")

    def _check_cells(self) -> None:
        """Check what is said of cells that are no plain numbers or names."""
        if self.missing not in ("refuse", "indicator"):
            raise self._fault("unknown policy for missing values")
        if self.texts_only and not self.is_coded:
            raise self._fault("only a coded feature can have texts alone")
        codes = {code for code, _ in self.codes}
        if self.is_boolean and (self.kind != "binary" or codes != {0, 1}):
            raise self._fault("true and false are a binary feature's codes 1 and 0")
        if self.other is not None and self.other not in codes:
            raise self._fault("the code of other texts is none of its codes")
        cells = self.missing_cells
        if len(set(cells)) < len(cells) or not all(map(self._can_mean_missing, cells)):
            raise self._fault(
                "a missing cell is a code or its name, stands there twice, is neither a finite "
                "number nor a name, or is a number where there are texts alone, or reads as one "
                "where there are not"
            )

    def _can_mean_missing(self, cell: float | str) -> bool:
        if isinstance(cell, str):
            is_taken = cell in {name for _, name in self.codes}
            return is_name(cell) and not is_taken and (self.texts_only or not _is_number(cell))
        return math.isfinite(cell) and not self.texts_only and cell not in dict(self.codes)

    def _is_observed_possible(self) -> bool:
        if self.is_coded:
            return len(set(self.observed)) == len(self.observed) and all(
                map(self.accepts, self.observed)
            )
        return len(self.observed) == 2 and self.observed[0] <= self.observed[1]

    def _fault(self, problem: str) -> ValueError:
        return ValueError(f"feature {ascii(self.name[:40])[1:-1]}: {problem}")

    @property
    def is_coded(self) -> bool:
        """Whether the values are codes with names."""
        return self.kind in ("binary", "nominal")

    @property
    def is_optional(self) -> bool:
        """Whether a value may be missing."""
        return self.missing == "indicator"

    @property
    def takes_names_only(self) -> bool:
        """Whether no number is accepted for a code."""
        return self.named_only or self.texts_only

    @property
    def accepted_names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def expected(self) -> str:
        """What a value must be, as the end of a sentence."""
        if not self.is_optional:
            return self._expected_value
        cells = [cell if isinstance(cell, str) else f"{cell:g}" for cell in self.missing_cells]
        return f"{self._expected_value}; {_listed(['null', *cells])} where it is missing"

    @property
    def _expected_value(self) -> str:
        if self.is_coded:
            return self._expected_code
        number = "a whole number" if self.kind == "count" else "a number"
        unit = f" ({self.unit})" if self.unit else ""
        return f"{number} from {self.minimum:g} to {self.maximum:g}{unit}"

    @property
    def _expected_code(self) -> str:
        shown = self.codes[:MAX_SHOWN]
        items = [n if self.takes_names_only else f"{code} ({n})" for code, n in shown]
        if self.is_boolean:
            items += [word for word in ("false", "true") if word not in items]
        if len(self.codes) > MAX_SHOWN:
            listed = f"{', '.join(items)} or another of its {len(self.codes)} codes"
        else:
            listed = _listed(items)
        return listed if self.other is None else f"{listed}, or any other text"

    @property
    def example_sent(self) -> float | str:
        """The example as a request has it: a name where no code is accepted."""
        if self.takes_names_only:
            return dict(self.codes)[int(self.example)]
        return int(self.example) if self.example == int(self.example) else self.example

    @cached_property
    def rule(self) -> Rule:
        """What a value may be, as data."""
        codes: dict[Cell, float] = {name: float(code) for code, name in self.codes}
        if not self.takes_names_only:
            codes |= {float(code): float(code) for code, _ in self.codes}
        return Rule(
            codes,
            self.minimum,
            self.maximum,
            is_whole=self.kind == "count",
            observed=self.observed,
            is_optional=self.is_optional,
            missing_cells=frozenset(
                c if isinstance(c, str) else float(c) for c in self.missing_cells
            ),
            is_boolean=self.is_boolean,
            other=None if self.other is None else float(self.other),
        )

    def note(self, cell: object) -> str:
        """Return what else to say of a cell that is no value, empty for nothing."""
        if isinstance(cell, str):
            return CASE_NOTE if cell.lower() in self.lower_names else ""
        is_foreign = type(cell) in (int, float) and cell in self.foreign
        return self.foreign_note if is_foreign else ""

    @cached_property
    def lower_names(self) -> frozenset[str]:
        """The names of the codes in lower case."""
        return frozenset(name.lower() for _, name in self.codes)

    def accepts(self, value: float) -> bool:
        """Tell whether a number is a possible value."""
        try:
            return self.rule.is_possible(float(value))
        except OverflowError:
            return False

    def observe(self, column: Array) -> Feature:
        """Return the same feature with what a training column of shape (n,) holds noted on it.

        Parameters
        ----------
        column : Array of shape (n,)
            Values, some of which may be missing, but not all.
        """
        column = column[~np.isnan(column)]
        if self.is_coded:
            return replace(self, observed=tuple(np.unique(column).tolist()))
        return replace(self, observed=(float(column.min()), float(column.max())))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Feature:
        """Make a feature of what `dataclasses.asdict` gave, lists standing for tuples.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is nothing of the kind.
        """
        if unknown := fields.keys() - KEYS:
            raise ValueError(f"{len(unknown)} keys that no feature has")
        texts = {key: fields[key] for key in ("name", "description", "kind", "unit")}
        numbers = {key: fields[key] for key in ("example", "minimum", "maximum")}
        codes = tuple((code, name) for code, name in fields["codes"])
        aliases, observed = fields["aliases"], fields["observed"]
        # Artifacts of before have none.
        foreign, note = fields.get("foreign", []), fields.get("foreign_note", "")
        if not all(isinstance(items, list) for items in (aliases, observed, foreign)):
            raise TypeError("not a list")
        for text in (*texts.values(), *aliases, *(name for _, name in codes), note):
            if type(text) is not str:
                raise TypeError("not a text")
        for number in (*numbers.values(), *observed, *foreign):
            if type(number) not in (int, float):
                raise TypeError("not a number")
        if any(type(code) is not int for code, _ in codes):
            raise TypeError("not a code")
        return cls(
            **texts,
            **numbers,
            codes=codes,
            aliases=tuple(aliases),
            observed=tuple(observed),
            foreign=tuple(foreign),
            foreign_note=note,
            **_added_fields(fields),
        )


ADDED = ("missing", "missing_cells", "texts_only", "is_boolean", "other", "can_change")
"""Fields that an artifact holds only where they are not as by default."""

DEFAULTS = {field.name: field.default for field in fields_of(Feature)}

KEYS = DEFAULTS.keys() - {"named_only"}
"""What an artifact may say of a feature."""


def _added_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: fields[key] for key in ADDED if key in fields}
    cells = found.get("missing_cells", [])
    if type(cells) is not list or any(type(cell) not in (int, float, str) for cell in cells):
        raise TypeError("not a list of cells")
    if any(
        type(found.get(key, True)) is not bool for key in ("texts_only", "is_boolean", "can_change")
    ):
        raise TypeError("not true or false")
    if type(found.get("missing", "")) is not str or type(found.get("other", 0)) is not int:
        raise TypeError("not a policy, or not a code")
    return {**found, "missing_cells": tuple(cells)}


def _listed(items: Sequence[str]) -> str:
    *others, last = items
    return f"{', '.join(others)} or {last}" if others else last


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _reads_as_other_number(name: str, code: int) -> bool:
    try:
        return float(name) != code
    except ValueError:
        return False


class FeatureSet(Sequence[Feature]):
    """The input columns of a model, in the order of its input matrix.

    Parameters
    ----------
    features : iterable of Feature
        At least one.

    Raises
    ------
    ValueError
        When there is none, or a name or alias belongs to two of them.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = tuple(features)
        accepted = [name for feature in self for name in feature.accepted_names]
        if not accepted or len(set(accepted)) < len(accepted):
            raise ValueError("a feature set needs features, and each name and alias once")

    def __getitem__(self, index: Any) -> Any:
        return self._features[index]

    def __len__(self) -> int:
        return len(self._features)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [feature.name for feature in self]

    @cached_property
    def by_accepted_name(self) -> dict[str, Feature]:
        """Each feature under its name and under each of its aliases."""
        return {name: feature for feature in self for name in feature.accepted_names}

    def matrix(self, records: Iterable[Mapping[str, float]]) -> Array:
        """Return records, each with a number under every name, as rows.

        Returns
        -------
        Array of shape (n, len(self))
        """
        row = itemgetter(*self.names) if len(self) > 1 else lambda r: (r[self.names[0]],)
        return np.array([row(record) for record in records], dtype=np.float64).reshape(
            -1, len(self)
        )

    @cached_property
    def rules(self) -> RuleTable:
        """What the values of each column may be, and under which names a record holds them."""
        names = {
            name: column for column, feature in enumerate(self) for name in feature.accepted_names
        }
        return RuleTable([feature.rule for feature in self], names)

    def observe(self, X: Array) -> FeatureSet:
        """Return the same features with what the training rows hold noted on each."""
        return FeatureSet(
            feature.observe(column) for feature, column in zip(self, X.T, strict=True)
        )

    def with_names_only(self) -> FeatureSet:
        """Return the same features; the coded ones accept the names of their codes alone."""
        return FeatureSet(replace(feature, named_only=feature.is_coded) for feature in self)

    def example(self) -> dict[str, Any]:
        """Return the made-up record of the documents."""
        return {feature.name: feature.example_sent for feature in self}

    def golden_inputs(self, rows: int = 16) -> Array:
        """Return made-up rows that reach over the whole of every feature's range.

        Returns
        -------
        Array of shape (rows, len(self))
            The same at every call.
        """
        rng = np.random.default_rng(0)
        columns = []
        for feature in self:
            if feature.is_coded:
                values = np.resize([float(code) for code, _ in feature.codes], rows)
            elif feature.kind == "count":
                values = rng.integers(
                    math.ceil(feature.minimum), math.floor(feature.maximum), rows, endpoint=True
                )
            else:
                values = rng.uniform(feature.minimum, feature.maximum, rows)
            columns.append(rng.permutation(values.astype(np.float64)))
        # All that may be missing is in the first row, and a part of it in others.
        for number, column in enumerate(self.rules.optional):
            columns[column][number % 4 + 1 :: 4] = columns[column][:1] = MISSING
        return np.column_stack(columns)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the features as JSON can hold them."""
        return [
            {
                name: value
                for name, value in asdict(feature).items()
                if name != "named_only"
                and (value or name not in ("foreign", "foreign_note"))
                and (name not in ADDED or value != DEFAULTS[name])
            }
            for feature in self
        ]

    @classmethod
    def from_json(cls, features: Iterable[Mapping[str, Any]]) -> FeatureSet:
        """Make a feature set of what `to_json` gave."""
        return cls(Feature.from_json(fields) for fields in features)
