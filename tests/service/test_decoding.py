"""The quick way to read a request, held to the careful one."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.arrays import Array
from service.validation.batch_validation import BatchValidator
from service.validation.record_validation import Validator
from service.wire.decoding import Decoder
from service.wire.record_reader import RecordReader
from service.wire.record_types import MOST_TYPES, RecordTypes
from service.wire.steps import finish
from tests.examples import examples
from tests.service import careful, hostile
from tests.service.samples import FEATURES, MEASURED, RECORDS, example, random_records

MANY = settings(max_examples=1000, derandomize=True, deadline=None, database=None)
MAX_ROWS = 10

DECODER = Decoder(FEATURES, MAX_ROWS)
READER = RecordReader(FEATURES)
VALIDATOR = Validator(FEATURES)
BATCH_VALIDATOR = BatchValidator(FEATURES, MAX_ROWS)


def _read_with_care(body: bytes) -> Array:
    return finish(BATCH_VALIDATOR.rows(body)).X


def _as_batch(records: list[dict[str, float]]) -> bytes:
    return json.dumps({"instances": records}).encode()


def _as_table(records: list[dict[str, float]]) -> bytes:
    data = [[record[name] for name in FEATURES.names] for record in records]
    return json.dumps({"columns": FEATURES.names, "data": data}).encode()


@pytest.mark.slow
@MANY
@given(rng=st.randoms(use_true_random=False))
def test_a_record_is_read_where_it_has_no_fault(rng: Random) -> None:
    body = hostile.body(rng, is_batch=False).removeprefix(careful.MARK)  # no reader sees it
    row = READER.record(body)
    expected = careful.rows_of("record", careful.MARK + body)  # which drops one mark
    assert (row and dict(zip(FEATURES.names, row, strict=True))) == (expected and expected[0][0])
    assert bool(VALIDATOR.refusal(body).faults) == (row is None)


@pytest.mark.slow
@MANY
@given(rng=st.randoms(use_true_random=False))
def test_a_batch_that_is_read_quickly_is_read_the_same_with_care(rng: Random) -> None:
    body = hostile.body(rng, is_batch=True)
    read = DECODER.batch(body)
    for X in (read and read[0], DECODER.table(body)):
        if X is not None:
            assert X.tolist() == _read_with_care(body).tolist()


@pytest.mark.slow
@MANY
@given(rng=st.randoms(use_true_random=False))
def test_a_line_is_read_where_it_has_no_fault(rng: Random) -> None:
    body = hostile.body(rng, is_batch=False)
    assert bool(VALIDATOR.refusal(body).faults) == (READER.line(body) is None)


@pytest.mark.parametrize("write", [_as_batch, _as_table])
@given(records=st.lists(RECORDS, max_size=MAX_ROWS))
@settings(max_examples=examples(50), derandomize=True, deadline=None, database=None)
def test_rows_of_possible_numbers_are_read_quickly(
    write: Callable[[list[dict[str, float]]], bytes], records: list[dict[str, float]]
) -> None:
    read = DECODER.batch if write is _as_batch else DECODER.table
    found = read(write(records))
    X = found[0] if isinstance(found, tuple) else found
    assert X is not None
    assert X.tolist() == [[record[name] for name in FEATURES.names] for record in records]


def test_a_record_is_read_quickly_by_any_of_its_names_and_by_those_of_codes() -> None:
    expected = list(example().values())
    for place in range(3):
        named = {
            feature.accepted_names[place % len(feature.accepted_names)]: (
                dict(feature.codes)[int(value)] if feature.is_coded and place else value
            )
            for feature, value in zip(FEATURES, expected, strict=True)
        }
        assert READER.record(json.dumps(named).encode()) == expected


def test_a_record_with_a_value_that_training_has_not_seen_is_read_quickly() -> None:
    for feature in MEASURED:
        strange = example(**{feature.name: feature.maximum})
        assert READER.record(json.dumps(strange).encode()) == list(strange.values())


def test_the_columns_of_a_table_may_stand_in_any_order() -> None:
    (record,) = random_records(1, seed=3)
    names = Random(0).sample(FEATURES.names, len(FEATURES))
    table = {"columns": names, "data": [[record[name] for name in names]]}
    X = DECODER.table(json.dumps(table).encode())
    assert X is not None
    assert X.tolist() == [list(record.values())]
    assert X.flags.c_contiguous


def test_the_types_of_a_few_choices_of_names_are_kept() -> None:
    types = RecordTypes(FEATURES, MAX_ROWS)
    (record,) = random_records(1, seed=0)
    kinds = []
    for seed in range(2 * MOST_TYPES):
        rng = Random(seed)
        named = {rng.choice(f.accepted_names): record[f.name] for f in FEATURES}
        kinds.append(types.of_batch(_as_batch([named])))
    assert None not in kinds
    assert len({*map(id, kinds)}) > MOST_TYPES
    assert types.kept == MOST_TYPES


def test_too_many_rows_are_left_to_the_careful_way() -> None:
    records = random_records(MAX_ROWS + 1, seed=0)
    assert DECODER.batch(_as_batch(records)) is None
    assert DECODER.table(_as_table(records)) is None
