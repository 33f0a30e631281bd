"""Rules: the scalar and the vectorised evaluator decide alike, of every cell of every column."""

from __future__ import annotations

import math
from itertools import product
from multiprocessing.reduction import ForkingPickler

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


RULES = [
    measured(18, 110),
    measured(-0.5, 0.5),
    measured(0, 3, is_whole=True),
    coded(0, 1),
    coded(3, 6, 7),
    coded(-2, 5),
    Rule({"yes": 1.0, "no": 0.0}, 0, 0, False, (0.0, 1.0)),
]
EDGES = [*(rule.low for rule in RULES), *(rule.high for rule in RULES), 1, 2, 3, 4, 5, 6, 7, -2]
NUMBERS = [
    *(float(edge) for edge in EDGES),
    *(math.nextafter(edge, way) for edge, way in product(EDGES, (-INF, INF))),
    *(-0.0, 1.5, 2.9999999999, 1e308, -1e308, 5e-324, INF, -INF, math.nan),
]
TEXTS = ["", "1", "code 1", "code 6", "yes", "no", "Yes", "true", "nan"]
CELLS: list[Cell] = [*NUMBERS, *TEXTS]


def scalar(rule: Rule, cell: Cell) -> float | None:
    return None if rule.fault(cell) else rule.read(cell)


def vectorised(rule: Rule, cells: list[Cell]) -> list[float | None]:
    """Evaluate each cell alone, and all that are values together."""
    table = RuleTable([rule], {"x": 0})
    alone = [table.matrix([[cell]], (0,)) for cell in cells]
    good = [[cell] for cell, X in zip(cells, alone, strict=True) if X is not None]
    together = table.matrix(good, (0,))
    assert together is not None
    assert together.ravel().tolist() == [X.item() for X in alone if X is not None]
    assert len(good) == len(cells) or table.matrix([[cell] for cell in cells], (0,)) is None
    return [None if X is None else X.item() for X in alone]


@pytest.mark.parametrize("rule", RULES)
def test_both_evaluators_decide_alike(rule: Rule) -> None:
    expected = [scalar(rule, cell) for cell in CELLS]
    assert vectorised(rule, CELLS) == expected
    assert any(number is None for number in expected)
    assert any(number is not None for number in expected)


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
    cells = [cell for cell in (None, *CELLS) if rule.fault(cell)]
    numbers = np.array([cell if isinstance(cell, float) else math.nan for cell in cells])
    is_null = np.array([cell is None for cell in cells])
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
