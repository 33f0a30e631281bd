"""Rules: what a value may be, as one table of data, and the two evaluators of that table.

Every request, file and training table is checked here and nowhere else. The scalar evaluator reads
one cell, the vectorised one a column of them: for a single row NumPy's calls cost twenty times as
much as the checks themselves, and for a thousand rows Python's do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, starmap
from math import inf, isnan
from operator import itemgetter
from struct import Struct
from struct import error as NotANumber  # noqa: N812  # the only error of packing cells as floats
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array

Mask: TypeAlias = NDArray[np.bool_]

Cell: TypeAlias = float | str | bool | None
"""What a codec makes of a value: a number, a text, one of true and false, or null."""

MISSING = np.nan
"""The number of a missing value."""

ValueFault: TypeAlias = Literal[
    "null", "not_a_number", "not_finite", "out_of_range", "not_whole", "unknown_code"
]
VALUE_FAULTS: tuple[ValueFault, ...] = get_args(ValueFault)


@dataclass(frozen=True, eq=False)
class Rule:
    """What the values of one column may be.

    Parameters
    ----------
    codes : mapping of float or str to float
        Of a coded column: the code for each number and each name that stands for it. Empty for a
        measurement or a count.
    low, high : float
        Plausible range of a measurement or count, ends included.
    is_whole : bool
        Whether only whole numbers are values.
    observed : tuple of float
        Lowest and highest value of the training rows; of a coded column all codes seen; empty
        where nothing is known of them.
    is_optional : bool
        Whether a value may be missing: null, NaN and the missing cells are `MISSING` then. Else
        they are no values.
    missing_cells : frozenset of float or str
        Cells that mean a missing value, even where they lie within the range.
    is_boolean : bool
        Whether true and false are accepted, for the codes 1 and 0.
    other : float or None
        The code of every text that `codes` does not hold; None where such a text is no value.
    """

    codes: Mapping[Cell, float]
    low: float
    high: float
    is_whole: bool
    observed: tuple[float, ...]
    is_optional: bool = False
    missing_cells: frozenset[float | str] = frozenset()
    is_boolean: bool = False
    other: float | None = None

    @property
    def is_coded(self) -> bool:
        """Whether the values are codes."""
        return bool(self.codes)

    @cached_property
    def possible_codes(self) -> frozenset[float]:
        """The codes of a coded column, however its cells may name them."""
        return frozenset(self.codes.values())

    @cached_property
    def by_name(self) -> dict[str, float]:
        """The codes by their names."""
        return {name: code for name, code in self.codes.items() if isinstance(name, str)}

    @cached_property
    def is_named_only(self) -> bool:
        """Whether the codes are accepted by their names alone."""
        return self.is_coded and len(self.by_name) == len(self.codes)

    @property
    def is_plain(self) -> bool:
        """Whether the codes, or the range and wholeness, decide alone what is a value."""
        is_missing_known = self.is_optional or self.missing_cells
        return not (is_missing_known or self.is_boolean or self.other is not None)

    @cached_property
    def missing_numbers(self) -> list[float]:
        """The numbers that mean a missing value."""
        return [cell for cell in self.missing_cells if not isinstance(cell, str)]

    @cached_property
    def missing_texts(self) -> list[str]:
        """The texts that mean a missing value."""
        return [cell for cell in self.missing_cells if isinstance(cell, str)]

    def numbers(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return cells with numbers in place of the texts, and of null where it is accepted.

        Raises
        ------
        KeyError, TypeError, ValueError
            When one of a coded column stands for no code.
        """
        codes, missing = self.codes, self.missing_cells
        if not codes:
            if not self.is_optional:
                return cells
            return [MISSING if cell is None or cell in missing else cell for cell in cells]
        if self.is_boolean:
            return [*map(self.read, cells)]  # true and 1 are the same key
        if self.is_optional or missing or self.other is not None:
            codes = {cell: self.read(cell) for cell in {*cells}}
        # Of one cell, itemgetter would return no tuple.
        return itemgetter(*cells)(codes) if len(cells) > 1 else [codes[cell] for cell in cells]

    def is_possible(self, number: float) -> bool:
        """Return whether a number is one that a cell can stand for, and not `MISSING`."""
        if self.codes:
            return number in self.possible_codes
        return (
            number not in self.missing_cells
            and self.low <= number <= self.high
            and (not self.is_whole or number.is_integer())
        )

    @property
    def fault_kinds(self) -> tuple[ValueFault, ...]:
        """Every kind of fault that a cell can have."""
        null: tuple[ValueFault, ...] = () if self.is_optional else ("null",)
        if self.codes:
            return *null, "unknown_code"
        fractions: tuple[ValueFault, ...] = ("not_whole",) if self.is_whole else ()
        return *null, "not_a_number", "not_finite", "out_of_range", *fractions

    @cached_property
    def read(self) -> Callable[[Cell], float]:
        """The scalar evaluator: returns the number that a cell stands for.

        It raises KeyError, TypeError or ValueError for a cell that is no value of the column;
        `fault` says which kind of fault that is. For all but the columns of true and false these
        two are 1 and 0, as they are in Python: see `strict_read`.
        """
        if self.is_optional:
            return partial(_read_optional, self._read_value, self.missing_cells)
        if self.missing_cells:
            return partial(_read_given, self._read_value, self.missing_cells)
        return self._read_value

    @cached_property
    def strict_read(self) -> Callable[[Cell], float]:
        """The same where cells may be true or false."""
        return self.read if self.is_boolean else partial(_read_no_boolean, self.read)

    @property
    def _read_value(self) -> Callable[[Cell], float]:
        if not self.codes:
            return partial(_read_measurement, self.low, self.high, self.is_whole)
        read: Callable[[Cell], float] = self.codes.__getitem__
        if self.other is not None:
            read = partial(_read_text, self.codes, self.other)
        return partial(_read_boolean, read) if self.is_boolean else read

    def fault(self, cell: object) -> ValueFault | None:
        """Return what is wrong with a cell of any type, None for a value of the column."""
        if cell is None:
            return None if self.is_optional else "null"
        if type(cell) is int:
            cell = _as_float(cell)
        if type(cell) is bool and self.is_boolean:
            return None
        if type(cell) not in (float, str):
            return "unknown_code" if self.codes else "not_a_number"
        if not self.is_optional and cell in self.missing_cells:
            return "null"
        try:
            self.read(cell)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            return self._kind(cell)  # type: ignore[arg-type]
        return None

    def faults(self, numbers: Array, is_null: Mask, is_number: Mask) -> NDArray[np.str_]:
        """Return what is wrong with each of some cells that are no values: `fault` of a column.

        Parameters
        ----------
        numbers : Array of shape (n,)
            The numbers that cells stand for; of those that stand for none, anything.
        is_null : NDArray of bool, of shape (n,)
            Which cells are null, or texts that mean a missing value.
        is_number : NDArray of bool, of shape (n,)
            Which cells stand for a number.
        """
        is_null = is_null | np.isin(numbers, self.missing_numbers)
        if self.codes:
            return np.where(is_null, "null", "unknown_code")
        is_inside = (self.low <= numbers) & (numbers <= self.high)
        return np.select(
            [is_null, ~is_number, ~np.isfinite(numbers), is_inside],
            ["null", "not_a_number", "not_finite", "not_whole"],
            "out_of_range",
        )

    def _kind(self, cell: float | str) -> ValueFault:
        if self.codes:
            return "unknown_code"
        if isinstance(cell, str):
            return "not_a_number"
        if not np.isfinite(cell):
            return "not_finite"
        return "not_whole" if self.low <= cell <= self.high else "out_of_range"


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return inf


def _read_measurement(low: float, high: float, is_whole: bool, cell: Any) -> float:  # noqa: FBT001
    """Return a number within the range; a text cannot be compared with it."""
    if low <= cell <= high and (not is_whole or cell.is_integer()):
        number: float = cell
        return number
    raise ValueError


def _read_text(codes: Mapping[Cell, float], other: float, cell: Cell) -> float:
    """Return the code of a cell, that of other texts for one without."""
    return codes.get(cell, other) if isinstance(cell, str) else codes[cell]


def _read_boolean(read: Callable[[Cell], float], cell: Cell) -> float:
    return float(cell) if isinstance(cell, bool) else read(cell)


def _read_no_boolean(read: Callable[[Cell], float], cell: Cell) -> float:
    if isinstance(cell, bool):
        raise TypeError
    return read(cell)


def _read_optional(
    read: Callable[[Cell], float], missing: frozenset[float | str], cell: Cell
) -> float:
    is_missing = cell is None or cell in missing or cell != cell  # NaN
    return MISSING if is_missing else read(cell)


def _read_given(
    read: Callable[[Cell], float], missing: frozenset[float | str], cell: Cell
) -> float:
    if cell in missing:
        raise ValueError
    return read(cell)


class _Reads:
    """Stands in the place of codes where there is more to a cell: its number is looked for."""

    def __init__(self, read: Callable[[Cell], float]) -> None:
        self._read = read

    def __getitem__(self, cell: Cell) -> float:
        return self._read(cell)


class RuleTable:
    """The rules of all columns of a record, by column and by accepted name.

    Parameters
    ----------
    rules : sequence of Rule
        One for each column.
    names : mapping of str to int
        The column of each accepted name.

    Attributes
    ----------
    optional : tuple of int
        The columns whose values may be missing.
    takes_booleans : bool
        Whether true and false are values of any column.
    reads : list of callable
        The scalar evaluator of each column, for all the cells that a record may hold.
    """

    def __init__(self, rules: Sequence[Rule], names: Mapping[str, int]) -> None:
        self.rules = tuple(rules)
        self.names = dict(names)
        self.optional = tuple(n for n, rule in enumerate(rules) if rule.is_optional)
        self.takes_booleans = any(rule.is_boolean for rule in rules)
        self.reads = [rule.strict_read if self.takes_booleans else rule.read for rule in rules]
        self._of_name = {name: self._accepted(column) for name, column in names.items()}

    def row(self, record: Mapping[str, Cell]) -> list[float] | None:
        """Return the numbers of a record in the order of the columns.

        Returns
        -------
        list of n_columns floats, or None
            None where a name is unknown, missing or stands there beside its alias, or a cell is
            no value of its column.
        """
        row = [inf] * len(self.rules)  # no value of any column
        of_name = self._of_name
        cell: Any
        try:
            for name, cell in record.items():
                column, codes, low, high, is_whole = of_name[name]
                if codes is not None:
                    row[column] = codes[cell]
                elif low <= cell <= high and (not is_whole or cell.is_integer()):
                    row[column] = cell
                else:
                    return None
        except (KeyError, TypeError, ValueError):
            return None
        return None if len(record) != len(row) or inf in row else row

    def _accepted(self, column: int) -> tuple[int, Any, float, float, bool]:
        """Return what `row` compares a cell with: codes, or what has a cell read; else a range.

        A call for each cell of a record would cost more than all comparisons.
        """
        rule = self.rules[column]
        is_plain = rule.is_plain and not self.takes_booleans
        codes = (rule.codes or None) if is_plain else _Reads(self.reads[column])
        return column, codes, rule.low, rule.high, rule.is_whole

    @property
    def unseen_columns(self) -> list[int]:
        """The columns that can hold a value which training has not seen."""
        ranges, rare = self._seen
        narrow = [
            column
            for column, low, high in ranges
            if self.rules[column].low < low or high < self.rules[column].high
        ]
        return sorted([*narrow, *(column for column, _ in rare)])

    def unseen_in(self, row: Sequence[float]) -> list[int]:
        """Return the columns in which a row of values holds what training has not seen."""
        ranges, rare = self._seen
        unseen = [column for column, low, high in ranges if not low <= row[column] <= high]
        if rare:
            unseen += [column for column, codes in rare if row[column] not in codes]
            unseen.sort()
        if unseen and self.optional:
            return [column for column in unseen if not isnan(row[column])]
        return unseen

    def missing_in(self, row: Sequence[float]) -> list[int]:
        """Return the columns whose values are missing in a row."""
        return [column for column in self.optional if isnan(row[column])]

    def places(self, names: Sequence[str]) -> tuple[int, ...] | None:
        """Return the place of each column among names; None unless each stands there once."""
        place_of = {self.names.get(name): place for place, name in enumerate(names)}
        if not len(names) == len(place_of) == len(self.rules) or None in place_of:
            return None
        return tuple(place_of[column] for column in range(len(self.rules)))

    def matrix(self, rows: Sequence[Sequence[Cell]], places: tuple[int, ...]) -> Array | None:
        """Return rows of cells as numbers: the vectorised evaluator of cells.

        Parameters
        ----------
        rows : sequence of n sequences of n_columns cells
            The cells.
        places : tuple of int
            Where in a row the cell of each column is.

        Returns
        -------
        Array of shape (n, n_columns), or None
            None where a cell is no value of its column.
        """
        try:
            X = self._packed(rows, places) if self._takes_numbers else None
        except NotANumber:
            X = None  # a text is among them
        if X is None:
            X = self._translated(rows, places)
        if X is None:
            return None
        X = self.with_missing(X)
        return X if self.accepts(X).all() else None

    def matrix_of(self, columns: Sequence[Sequence[float]]) -> Array | None:
        """Return columns of numbers as rows; None where a number is no value of its column.

        Parameters
        ----------
        columns : sequence of n_columns sequences of n floats
            The numbers; of a coded column the codes.

        Returns
        -------
        Array of shape (n, n_columns), or None
        """
        X = self.with_missing(self._joined(columns, len(columns[0])))
        return X if self.accepts(X).all() else None

    def with_missing(self, X: Array) -> Array:
        """Return numbers with `MISSING` in place of those that mean a missing value.

        Where a value of the column must not be missing, such a number stays, and `accepts` says
        that it is none.
        """
        if self._declared:
            X = X.copy()
        for column, numbers in self._declared:
            if self.rules[column].is_optional:
                X[np.isin(X[:, column], numbers), column] = MISSING
        return X

    @cached_property
    def _declared(self) -> list[tuple[int, list[float]]]:
        """The numbers that mean a missing value, of the columns that have any."""
        every = enumerate(rule.missing_numbers for rule in self.rules)
        return [(column, numbers) for column, numbers in every if numbers]

    def _packed(self, rows: Sequence[Sequence[Cell]], places: tuple[int, ...]) -> Array:
        """Return rows of numbers. In a coded column only `accepts` decides which are codes."""
        packed = b"".join(starmap(Struct(f"{len(places)}d").pack, rows))
        X = np.frombuffer(packed, np.float64).reshape(len(rows), len(places))
        return X if places == self._in_order else X.take(places, axis=1)

    def _translated(self, rows: Sequence[Sequence[Cell]], places: tuple[int, ...]) -> Array | None:
        """Return rows of which some cells are no numbers; None where one is no value."""
        cells = [*chain.from_iterable(rows)]
        columns = (cells[place :: len(places)] for place in places)
        try:
            return self._joined(map(self._numbers, self.rules, columns), len(rows))
        except (KeyError, TypeError, ValueError, NotANumber):
            return None

    def _numbers(self, rule: Rule, cells: Sequence[Cell]) -> Sequence[Cell]:
        if self.takes_booleans and not rule.is_boolean and bool in map(type, cells):
            raise TypeError
        return rule.numbers(cells)

    def _joined(self, columns: Iterable[Sequence[Any]], n: int) -> Array:
        pack = Struct(f"{n}d").pack
        packed = b"".join([pack(*column) for column in columns])
        X = np.frombuffer(packed, np.float64).reshape(len(self.rules), n)
        return np.ascontiguousarray(X.T)

    @cached_property
    def _takes_numbers(self) -> bool:
        """Whether rows may be packed as they are: true and false would be packed as 1 and 0."""
        return not self.takes_booleans and not any(rule.is_named_only for rule in self.rules)

    @cached_property
    def _in_order(self) -> tuple[int, ...]:
        return tuple(range(len(self.rules)))

    def accepts(self, X: Array) -> Mask:
        """Return which numbers are values of their columns: the vectorised evaluator.

        Parameters
        ----------
        X : Array of shape (n, n_columns)
            Any numbers, of which `with_missing` has made `MISSING` what means it. That is a value
            where one may be missing; infinities are values of no column.

        Returns
        -------
        NDArray of bool, of shape (n, n_columns)
        """
        low, high, is_whole, gaps = self._possible
        # Each column in one piece, which is quicker to look at.
        columns = np.ascontiguousarray(X.T)
        accepted: Mask = (low <= columns) & (high >= columns)
        accepted &= ~is_whole | (np.rint(columns) == columns)
        for column, codes in gaps:
            accepted[column] &= np.isin(columns[column], codes)
        for column, numbers in self._declared:
            accepted[column] &= ~np.isin(columns[column], numbers)
        for column in self.optional:
            accepted[column] |= np.isnan(columns[column])
        return accepted.T

    @property
    def largest(self) -> Array:
        """The largest magnitude of a possible value of each column, of shape (n_columns,)."""
        low, high, *_ = self._possible
        return np.maximum(np.abs(low), np.abs(high))[:, 0]

    def unseen(self, X: Array) -> Mask:
        """Return which values lie outside of what the training rows held.

        Parameters
        ----------
        X : Array of shape (n, n_columns)
            Values of their columns.

        Returns
        -------
        NDArray of bool, of shape (n, n_columns)
        """
        ranges, rare = self._seen
        outside = np.zeros(X.shape, np.bool_)
        for column, low, high in ranges:
            outside[:, column] = (X[:, column] < low) | (X[:, column] > high)
        for column, codes in rare:
            outside[:, column] = ~np.isin(X[:, column], list(codes))
        return outside & ~np.isnan(X) if self.optional else outside

    def missing(self, X: Array) -> Mask:
        """Return which values are missing, of the shape of X."""
        return np.isnan(X) if self.optional else np.broadcast_to(np.False_, X.shape)

    @cached_property
    def _possible(self) -> tuple[Array, Array, Mask, list[tuple[int, list[float]]]]:
        """Bounds, which columns hold whole numbers, and the codes that leave out some of these."""
        codes = [sorted(rule.possible_codes) for rule in self.rules]
        ranges = [
            (of[0], of[-1]) if of else (rule.low, rule.high)
            for rule, of in zip(self.rules, codes, strict=True)
        ]
        low, high = np.array(ranges, np.float64).T[..., np.newaxis]
        is_whole = np.array([[rule.is_whole or rule.is_coded] for rule in self.rules])
        gaps = [(column, of) for column, of in enumerate(codes) if of and len(of) <= of[-1] - of[0]]
        return low, high, is_whole, gaps

    @cached_property
    def _seen(
        self,
    ) -> tuple[list[tuple[int, float, float]], list[tuple[int, frozenset[float]]]]:
        """What training saw: ranges of measurements, and codes where some were not seen."""
        ranges = [
            (column, min(rule.observed), max(rule.observed))
            for column, rule in enumerate(self.rules)
            if not rule.is_coded
        ]
        rare = [
            (column, frozenset(rule.observed))
            for column, rule in enumerate(self.rules)
            if rule.is_coded and not rule.possible_codes <= set(rule.observed)
        ]
        return ranges, rare
