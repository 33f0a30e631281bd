"""Batches checked in steps, held to the check of the whole in one piece."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Refusal
from service.faults import MAX_BAD_ROWS
from service.http.problems import problem_bytes
from service.validation.batch_validation import STEP_BYTES, STEP_ROWS, BatchValidator
from service.validation.rows import Records, TableRows
from service.wire.cutting import BLOCK_BYTES, members
from service.wire.steps import finish
from tests.examples import examples
from tests.service import hostile
from tests.service.samples import FEATURES, JSON, as_object, example, raw, with_pairs
from tests.service.whole import WholeValidator

MANY = settings(max_examples=examples(400), derandomize=True, deadline=None, database=None)
CHANCE = st.randoms(use_true_random=False)
MAX_ROWS = 400

WHOLE = WholeValidator(FEATURES, MAX_ROWS)
IN_STEPS = BatchValidator(FEATURES, MAX_ROWS)


def _outcome(read: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return read(body).tolist()
    except Refusal as refusal:
        return problem_bytes(refusal)


def _assert_same(body: bytes) -> None:
    in_steps = _outcome(lambda body: finish(IN_STEPS.rows(body)).X, body)
    assert in_steps == _outcome(WHOLE.read, body)


@pytest.mark.slow
@MANY
@given(rng=CHANCE)
def test_a_hostile_batch_gets_the_same_answer_in_steps(rng: Random) -> None:
    _assert_same(hostile.body(rng, is_batch=True))


def _large(rng: Random) -> str:
    """Return a batch of so many rows, or such large ones, that it takes several steps."""
    rows = [hostile.record(rng) for _ in range(rng.choice([30, 90, 150]))]
    rows = rng.choices(rows, k=rng.choice([len(rows), 3 * len(rows)]))
    pairs = [('"instances"', f"[{', '.join(rows)}]")]
    while rng.random() < 0.3:
        others = f"[{', '.join(rng.choices(rows, k=rng.choice([0, 1, 40, 120])))}]"
        text = rng.choice([others, "null", "{}", '"a"', *hostile.VALUES[:20]])
        name = rng.choice(['"instances"', '"instances"', '"columns"', '"data"', '"a\\"b"'])
        pairs.insert(rng.randrange(len(pairs) + 1), (name, text))
    return as_object(pairs)


@pytest.mark.parametrize("seed", range(40))
def test_a_large_hostile_batch_gets_the_same_answer_in_steps(seed: int) -> None:
    rng = Random(seed)
    _assert_same(_large(rng).encode("utf-8", "surrogatepass"))


def _table(rng: Random) -> str:
    columns = [name for name, _ in hostile.good_pairs(rng)]
    if rng.random() < 0.4:
        columns[rng.randrange(13)] = rng.choice([*hostile.NAMES, "1", "null", "[]"])
    rows = [[text for _, text in hostile.good_pairs(rng)] for _ in range(150)]
    for _ in range(rng.choice([0, 1, 200])):
        row = rng.choice(rows)
        place = rng.randrange(len(row) + 1)
        row[place : place + rng.choice([0, 1, 1])] = [rng.choice(hostile.VALUES)]
    data = ", ".join(f"[{', '.join(row)}]" for row in rows)
    pairs = [('"columns"', f"[{', '.join(columns)}]"), ('"data"', f"[{data}]")]
    if rng.random() < 0.3:
        text = rng.choice(["[]", "null", "[[]]", '["age"]', "{}"])
        name = rng.choice(['"columns"', '"data"', '"other"', '"instances"'])
        pairs.insert(rng.randrange(3), (name, text))
    return as_object(pairs)


@pytest.mark.parametrize("seed", range(40))
def test_a_large_hostile_table_gets_the_same_answer_in_steps(seed: int) -> None:
    rng = Random(seed)
    _assert_same(_table(rng).encode("utf-8", "surrogatepass"))


TEXT = json.dumps(example())
NULLS = json.dumps(dict.fromkeys(FEATURES.names))
AGE_AGAIN = with_pairs('"\\u0061ge": 1')
DEEP, TOO_DEEP = (f'{{"age": {"[" * depth}{"]" * depth}}}' for depth in (190, 198))
BRACKETS, BACKSLASHES = (raw({"age": json.dumps(text)}) for text in ("]},{[,", 7 * "\\" + '"'))
UNKNOWN = json.dumps({f"u{number}": 1 for number in range(150)})
AT_THE_EDGES = {
    "a byte order mark": f"\ufeff{TEXT}",
    "text after it": f'{{"instances": [{TEXT}]}} x',
    "a second document": f'{{"instances": [{TEXT}]}}{{}}',
    "not finite": f'{{"instances": [{raw({"age": "NaN", "oldpeak": "-Infinity"})}]}}',
    "brackets in texts": f'{{"instances": [{BRACKETS}]}}',
    "backslashes": f'{{"instances": [{BACKSLASHES}, {{}}]}}',
    "escaped names": f'{{"inst\\u0061nces": [{AGE_AGAIN}]}}',
    "blanks": f' {{ "instances" : [ {TEXT} , {{ }} , null , [ ] ] , "a" : 1 }} ',
    "deep": f'{{"instances": [{DEEP}]}}',
    "too deep": f'{{"instances": [{DEEP}, {TOO_DEEP}]}}',
    "no object": f"[{TEXT}]",
    "null": " null ",
    "lists given twice": f'{{"instances": [{NULLS}, {{}}, {{"a": 1}}], "instances": [{TEXT}]}}',
    "the last is no list": f'{{"instances": [{NULLS}, {{}}], "instances": null}}',
    "both forms": f'{{"columns": ["agee", 1], "instances": [{NULLS}], "data": 3}}',
    "columns that are no list": '{"columns": 3, "data": [[1]], "columns": null}',
    "columns given twice": '{"columns": ["age", "age"], "columns": 3, "data": [[1]]}',
    "many columns that are no texts": f'{{"columns": [{"null, 1, " * 80}"age"], "data": [[1], 2]}}',
    "many unknown fields": f'{{"instances": [{UNKNOWN}]}}',
    "no columns, no rows": '{"data": []}',
    "no columns": '{"data": [[], [1]]}',
}


@pytest.mark.parametrize("body", AT_THE_EDGES.values(), ids=AT_THE_EDGES.keys())
def test_bodies_at_the_edges_get_the_same_answer_in_steps(body: str) -> None:
    _assert_same(body.encode())


@pytest.mark.parametrize("bad_rows", [MAX_BAD_ROWS - 1, MAX_BAD_ROWS, MAX_BAD_ROWS + 1, 390])
@pytest.mark.parametrize("row", [NULLS, "{}", "7", with_pairs('"age": 54')])
def test_many_bad_rows_are_counted_as_in_one_piece(row: str, bad_rows: int) -> None:
    rows = ", ".join([TEXT, *[row] * bad_rows])
    _assert_same(f'{{"instances": [{rows}]}}'.encode())


def test_too_many_rows_under_columns_that_are_no_list_are_too_many() -> None:
    _assert_same(f'{{"columns": 3, "data": [{"0, " * MAX_ROWS}0]}}'.encode())


@settings(MANY, max_examples=examples(200))
@given(rng=CHANCE)
def test_a_document_is_cut_where_a_parser_cuts_it(rng: Random) -> None:
    text = hostile.body(rng, is_batch=rng.random() < 0.8)
    try:
        document = json.loads(text.decode(), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, tuple):
        return
    names: list[str] = []
    parts = finish(members(text, {name for name, _ in document}, names.extend))
    assert names == [part.name for part in parts] == [name for name, _ in document]
    for part, (_, value) in zip(parts, document, strict=True):
        items = map(part.item, range(part.n_items))
        read = [json.loads(item, object_pairs_hook=tuple) for item in items]
        assert repr(read) == repr(value if isinstance(value, list) else [])


ROWS = 2000
NAMED = json.dumps({f.name: f.codes[0][1] if f.is_coded else f.example for f in FEATURES})
ALIASES = json.dumps({f.accepted_names[-1]: f.example for f in FEATURES})
LARGE: dict[str, str] = {
    "all bad": f'{{"instances": [{", ".join([NULLS] * ROWS)}]}}',
    "all empty": f'{{"instances": [{", ".join(["{}"] * ROWS)}]}}',
    "unknown names": f'{{"instances": [{", ".join([UNKNOWN] * 150)}]}}',
    "two names of each column": f'{{"instances": [{", ".join([NAMED, ALIASES] * (ROWS // 2))}]}}',
    "one bad row at the end": f'{{"instances": [{", ".join([TEXT] * ROWS)}, {{}}]}}',
    "a bad table": json.dumps({"columns": FEATURES.names, "data": [[None] * 13] * ROWS}),
    "a table of names of codes and one bad row": json.dumps(
        {"columns": FEATURES.names, "data": [[*json.loads(NAMED).values()]] * ROWS + [[]]}
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
@pytest.mark.parametrize("way", ["refuse", "report"])
async def test_the_loop_turns_between_short_steps(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, body: str, way: str
) -> None:
    turns = 0
    rows: Counter[int] = Counter()
    sizes: Counter[int] = Counter()

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def count(kind: type[Records | TableRows]) -> None:
        record = kind.record

        def counted(self: Any, text: bytes) -> Any:
            rows[turns] += 1
            sizes[turns] += len(text)
            return record(self, text)

        monkeypatch.setattr(kind, "record", counted)

    count(Records)
    count(TableRows)
    task = asyncio.create_task(turn())
    path = f"/predict/batch?on_error={way}"
    answer = await client.post(path, content=body, headers=JSON)
    task.cancel()
    assert answer.status_code in {200, 422} - {422 if way == "report" else 0}
    assert sum(rows.values()) >= 150
    assert max(rows.values()) <= STEP_ROWS
    assert max(sizes.values()) <= STEP_BYTES


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_all_rows_are_checked_whatever_the_steps(body: str) -> None:
    whole, in_steps = WholeValidator(FEATURES, 3000), BatchValidator(FEATURES, 3000)
    expected = _outcome(whole.read, body.encode())
    assert _outcome(lambda body: finish(in_steps.rows(body)).X, body.encode()) == expected


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES])
@pytest.mark.parametrize("text", ["\\\\", '\\"', '\\\\\\\\\\"', "[", '\\u005c"'[:6], "ä"])
def test_a_large_document_is_cut_right_wherever_a_block_ends(text: str, size: int) -> None:
    for shift in range(4):
        filler = shift * "-" + size // len(text) * text
        document = f'{{"a": ["{filler}", 2], "b": [1, "{filler}"]}}'.encode()
        names: list[str] = []
        first, second = finish(members(document, {"a", "b"}, names.extend))
        assert (first.name, first.n_items, first.item(1)) == ("a", 2, b"2")
        assert (second.name, second.n_items, second.item(0)) == ("b", 2, b"1")
        assert json.loads(first.item(0)) == json.loads(second.item(1))
