"""Rules: the scalar and the vectorised evaluator decide alike, of every cell of every column."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from multiprocessing.reduction import ForkingPickler
from typing import Literal, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.schema.rules import Cell, Rule, RuleTable
from tests.model.properties import PROPERTY

INF = math.inf


def coded(*codes: float, observed: tuple[float, ...] | None = None) -> Rule:
    accepted: dict[Cell, float] = {code: code for code in codes}
    accepted |= {f"code {code:g}": code for code in codes}
    return Rule(accepted, 0, 0, False, codes if observed is None else observed)


def measured(low: float, high: float, *, is_whole: bool = False) -> Rule:
    return Rule({}, low, high, is_whole, (low, high))


def optional(rule: Rule, *cells: float | str) -> Rule:
    return replace(rule, is_optional=True, missing_cells=frozenset(cells))


def refusing(rule: Rule, *cells: float | str) -> Rule:
    """Return a rule by which some cells mean a missing value, which is rejected."""
    return replace(rule, missing_cells=frozenset(cells))


BOOLEAN = Rule({0.0: 0.0, 1.0: 1.0, "no": 0.0, "yes": 1.0}, 0, 0, False, (0, 1), is_boolean=True)
TEXTS_ONLY = Rule({"yes": 1.0, "1": 0.0}, 0, 0, False, (0.0, 1.0))


RULES = [
    measured(18, 110),
    measured(-0.5, 0.5),
    measured(0, 3, is_whole=True),
    coded(0, 1),
    coded(3, 6, 7),
    coded(-2, 5),
    Rule({"yes": 1.0, "no": 0.0}, 0, 0, False, (0.0, 1.0)),
    optional(measured(18, 110)),
    optional(measured(-10, 10), -2, 3.0, "?"),
    optional(measured(0, 3, is_whole=True), "?", 2, -9),
    optional(coded(0, 1)),
    optional(coded(3, 6, 7), -2, "?"),
    refusing(measured(-10, 10), -2, 3.0, "?"),
    refusing(coded(-2, 5), 3, "?"),
    BOOLEAN,
    optional(BOOLEAN, -2, "?"),
    TEXTS_ONLY,
    replace(TEXTS_ONLY, is_boolean=True, other=1.0),
    replace(TEXTS_ONLY, other=0.0),
    optional(replace(TEXTS_ONLY, other=0.0), "?"),
    replace(coded(3, 6, 7), other=7.0),
]
EDGES = [*(rule.low for rule in RULES), *(rule.high for rule in RULES), 1, 2, 3, 4, 5, 6, 7, -2]
NUMBERS = [
    *(float(edge) for edge in EDGES),
    *(math.nextafter(edge, way) for edge, way in product(EDGES, (-INF, INF))),
    *(-0.0, 1.5, 2.9999999999, 1e308, -1e308, 5e-324, INF, -INF, math.nan),
]
TEXTS = ["", "1", "code 1", "code 6", "yes", "no", "Yes", "true", "nan", "?"]
CELLS: list[Cell] = [*NUMBERS, *TEXTS, None]

Told: TypeAlias = float | Literal["missing"] | None
"""What is made of a cell; None where it is no value."""


def shown(number: float) -> Told:
    return "missing" if math.isnan(number) else number


def scalar(rule: Rule, cell: Cell) -> Told:
    """Evaluate a cell, as one of a record, alone and beside true and false."""
    table = RuleTable([rule, BOOLEAN], {"x": 0, "y": 1})
    row = table.row({"y": True, "x": cell})
    if rule.is_boolean or not isinstance(cell, bool):
        alone = RuleTable([rule], {"x": 0}).row({"x": cell})
        assert (alone and shown(alone[0])) == (row and shown(row[0]))
    assert (row is None) == (rule.fault(cell) is not None)
    if row is not None and not isinstance(cell, bool):
        assert shown(rule.read(cell)) == shown(row[0])
    return None if row is None else shown(row[0])


def vectorised(rule: Rule, cells: list[Cell]) -> list[Told]:
    """Evaluate each cell alone, all that are values together, and all of them beside a boolean."""
    table = RuleTable([rule], {"x": 0})
    if rule.is_boolean or not any(isinstance(cell, bool) for cell in cells):
        found = _vectorised(table, [[cell] for cell in cells])
    beside = RuleTable([BOOLEAN, rule], {"y": 0, "x": 1})
    every = _vectorised(beside, [[True, cell] for cell in cells])
    assert rule.is_boolean or any(isinstance(cell, bool) for cell in cells) or found == every
    return every


def _vectorised(table: RuleTable, rows: list[list[Cell]]) -> list[Told]:
    places = tuple(range(len(table.rules)))
    alone = [table.matrix([row], places) for row in rows]
    good = [row for row, X in zip(rows, alone, strict=True) if X is not None]
    together = table.matrix(good, places)
    assert together is not None
    found = [None if X is None else shown(X[0, -1]) for X in alone]
    assert [*map(shown, together[:, -1].tolist())] == [
        reported for reported in found if reported is not None
    ]
    assert len(good) == len(rows) or table.matrix(rows, places) is None
    return found


@pytest.mark.parametrize("rule", RULES)
def test_both_evaluators_decide_alike(rule: Rule) -> None:
    for cells in (CELLS, [*CELLS, True, False]):
        expected = [scalar(rule, cell) for cell in cells]
        assert vectorised(rule, cells) == expected
        assert any(reported is None for reported in expected)
        assert any(reported not in (None, "missing") for reported in expected)


@pytest.mark.parametrize("rule", RULES)
def test_numbers_are_judged_as_cells_are(rule: Rule) -> None:
    table = RuleTable([rule], {"x": 0})
    X = table.with_missing(np.array([NUMBERS]).T)
    good = table.accepts(X)[:, 0].tolist()
    for number, found, is_good in zip(NUMBERS, X[:, 0].tolist(), good, strict=True):
        cell: Cell = number
        if rule.is_named_only and number in rule.possible_codes:
            cell = next(name for name, code in rule.by_name.items() if code == number)
        assert (shown(found) if is_good else None) == scalar(rule, cell)


def test_what_means_a_missing_value_is_missing_even_within_the_range() -> None:
    age = optional(measured(0, 150), 99, "?")
    for cell in (None, math.nan, 99.0, "?"):
        assert scalar(age, cell) == "missing"
    assert scalar(age, 98.0) == 98.0
    assert age.fault("unknown") == "not_a_number"
    assert not age.is_possible(99.0)


@pytest.mark.parametrize("cell", [None, 99.0, "?"])
def test_what_means_a_missing_value_is_refused_as_null_is(cell: Cell) -> None:
    for rule in (refusing(measured(0, 150), 99, "?"), refusing(coded(0, 1), 99, "?")):
        assert rule.fault(cell) == "null"
        assert scalar(rule, cell) is None


def test_true_and_false_are_values_of_boolean_columns_alone() -> None:
    assert [scalar(BOOLEAN, cell) for cell in (True, False, 1.0, "yes")] == [1.0, 0.0, 1.0, 1.0]
    assert scalar(replace(TEXTS_ONLY, is_boolean=True), 1.0) is None
    for rule in (measured(-1, 2), coded(0, 1), optional(coded(0, 1)), TEXTS_ONLY):
        assert scalar(rule, True) is scalar(rule, False) is None


def test_a_text_and_a_number_never_mean_the_same_where_codes_are_texts() -> None:
    assert [scalar(TEXTS_ONLY, cell) for cell in ("1", 1.0, 0.0)] == [0.0, None, None]


def test_an_unseen_text_gets_the_code_of_the_others_and_a_number_does_not() -> None:
    rule = replace(coded(3, 6, 7), other=7.0)
    assert [scalar(rule, cell) for cell in ("code 3", "new", "", 6.0)] == [3.0, 7.0, 7.0, 6.0]
    assert rule.fault(5.0) == "unknown_code"


def test_a_missing_value_is_not_an_unseen_one() -> None:
    rules = RuleTable(
        [optional(measured(18, 110)), measured(0, 9), optional(coded(3, 6, observed=(3.0,)))],
        {"a": 0, "b": 1, "c": 2},
    )
    rows = [[math.nan, 10.0, math.nan], [17.0, 1.0, 6.0], [20.0, 1.0, 3.0]]
    assert [rules.unseen_in(row) for row in rows] == [[1], [0, 2], []]
    assert [rules.missing_in(row) for row in rows] == [[0, 2], [], []]
    X = np.array(rows)
    assert [np.flatnonzero(row).tolist() for row in rules.unseen(X)] == [[1], [0, 2], []]
    assert [np.flatnonzero(row).tolist() for row in rules.missing(X)] == [[0, 2], [], []]


@pytest.mark.parametrize("rule", RULES)
def test_the_kinds_of_faults_are_those_that_cells_have(rule: Rule) -> None:
    cells: list[object] = [*CELLS, None, True, [], {}]
    assert {rule.fault(cell) for cell in cells} - {None} == set(rule.fault_kinds)


@PROPERTY
@given(
    codes=st.sets(st.integers(-(2**53), 2**53), min_size=1, max_size=8),
    cells=st.lists(st.integers(-(2**53), 2**53).map(float) | st.floats(), max_size=20),
)
def test_both_decide_alike_of_any_codes(codes: set[int], cells: list[float]) -> None:
    rule = coded(*map(float, codes))
    every: list[Cell] = [*cells, *map(float, codes)]
    assert vectorised(rule, every) == [scalar(rule, cell) for cell in every]


@pytest.mark.parametrize("rule", RULES)
def test_the_faults_of_a_column_are_those_of_its_cells(rule: Rule) -> None:
    cells = [cell for cell in CELLS if rule.fault(cell)]
    numbers = np.array([cell if isinstance(cell, float) else math.nan for cell in cells])
    is_null = np.array([cell is None or cell in rule.missing_texts for cell in cells])
    is_number = np.array([isinstance(cell, float) for cell in cells])
    found = rule.faults(numbers, is_null, is_number)
    assert found.tolist() == [rule.fault(cell) for cell in cells]


@PROPERTY
@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-6, 1e6),
    is_whole=st.booleans(),
    cells=st.lists(st.floats() | st.integers(-100, 100).map(float), max_size=20),
)
def test_both_decide_alike_of_any_range(
    low: float, span: float, is_whole: bool, cells: list[float]
) -> None:
    rule = measured(low, low + span, is_whole=is_whole)
    every: list[Cell] = [*cells, low, low + span, low + span / 2]
    assert vectorised(rule, every) == [scalar(rule, cell) for cell in every]


FAULTS: list[tuple[Rule, object, str | None]] = [
    (measured(18, 110), None, "null"),
    (measured(18, 110), True, "not_a_number"),
    (measured(18, 110), [54.0], "not_a_number"),
    (measured(18, 110), "54", "not_a_number"),
    (measured(18, 110), INF, "not_finite"),
    (measured(18, 110), math.nan, "not_finite"),
    (measured(18, 110), 17.0, "out_of_range"),
    (measured(0, 3, is_whole=True), 1.5, "not_whole"),
    (measured(0, 3, is_whole=True), 3.5, "out_of_range"),
    (coded(0, 1), None, "null"),
    (coded(0, 1), True, "unknown_code"),
    (coded(0, 1), 2.0, "unknown_code"),
    (coded(0, 1), math.nan, "unknown_code"),
    (coded(0, 1), "code 2", "unknown_code"),
    (coded(0, 1), {}, "unknown_code"),
    (measured(18, 110), 54.0, None),
    (coded(0, 1), 1.0, None),
    (coded(0, 1), "code 1", None),
]


@pytest.mark.parametrize(("rule", "cell", "fault"), FAULTS, ids=str)
def test_a_fault_has_its_kind(rule: Rule, cell: object, fault: str | None) -> None:
    assert rule.fault(cell) == fault


def table() -> RuleTable:
    return RuleTable(
        [measured(18, 110), coded(0, 1), coded(3, 6, 7, observed=(3.0, 6.0))],
        {"age": 0, "years": 0, "sex": 1, "thal": 2},
    )


def test_a_record_becomes_a_row_under_any_of_its_names() -> None:
    sexes: tuple[Cell, ...] = (1.0, "code 1")
    for name, sex in product(("age", "years"), sexes):
        assert table().row({"thal": 7.0, name: 54.0, "sex": sex}) == [54.0, 1.0, 7.0]


@pytest.mark.parametrize(
    "record",
    [
        {"age": 54.0, "sex": 1.0},
        {"age": 54.0, "sex": 1.0, "thal": 3.0, "other": 1.0},
        {"age": 54.0, "years": 54.0, "sex": 1.0, "thal": 3.0},
        {"age": 54.0, "years": 54.0, "sex": 1.0},
        {"age": 17.0, "sex": 1.0, "thal": 3.0},
        {"age": "54", "sex": 1.0, "thal": 3.0},
        {"age": 54.0, "sex": "male", "thal": 3.0},
        {},
    ],
)
def test_a_record_with_a_fault_becomes_none(record: dict[str, Cell]) -> None:
    assert table().row(record) is None


def test_a_table_that_was_in_use_can_be_sent_to_a_worker() -> None:
    used = table()
    used.row({"age": 54.0, "sex": 1.0, "thal": 7.0})
    assert ForkingPickler.dumps(used)


def test_what_training_has_not_seen_is_found_in_a_row_as_in_rows() -> None:
    rules = RuleTable(
        [measured(18, 110), Rule({}, 0, 9, True, (2, 3)), coded(3, 6, 7, observed=(3.0, 6.0))],
        {"a": 0, "b": 1, "c": 2},
    )
    rows = list(product((18.0, 54.0, 110.0), (1.0, 2.0, 3.0, 4.0), (3.0, 6.0, 7.0)))
    found = rules.unseen(np.array(rows))
    assert [rules.unseen_in(row) for row in rows] == [
        np.flatnonzero(columns).tolist() for columns in found
    ]
    assert [0 < found[:, 1:].mean(axis=0)[column] < 1 for column in (0, 1)] == [True, True]
