"""Encodings: columns copied, and columns turned into indicators."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.data.heart import HEART_FEATURES
from model.schema.encoding import IF_MISSING, Clip, Encoding
from tests.model.properties import PROPERTY

NOMINAL = {"chest_pain": 4, "resting_ecg_results": 3, "slope_of_the_peak": 3, "thal": 3}


def test_the_plain_encoding_copies_every_column() -> None:
    X = HEART_FEATURES.golden_inputs()
    encoding = Encoding.plain(HEART_FEATURES)
    assert len(encoding) == 13
    np.testing.assert_array_equal(encoding.transform(X), X)


def test_one_hot_gives_each_nominal_column_one_indicator_for_a_code() -> None:
    encoding = Encoding.one_hot(HEART_FEATURES)
    assert len(encoding) == 13 - len(NOMINAL) + sum(NOMINAL.values()) == 22
    encoded = encoding.transform(HEART_FEATURES.golden_inputs())
    for index, feature in enumerate(HEART_FEATURES):
        columns = [place for place, (source, _) in enumerate(encoding.columns) if source == index]
        assert len(columns) == NOMINAL.get(feature.name, 1)
        if feature.name in NOMINAL:
            assert (encoded[:, columns].sum(axis=1) == 1.0).all()


def test_an_indicator_is_one_on_its_code_alone() -> None:
    encoding = Encoding([(0, None), (1, 3.0), (1, 7.0)])
    encoded = encoding.transform(np.array([[54.0, 7.0], [61.0, 3.0], [40.0, 6.0]]))
    assert encoded.tolist() == [[54.0, 0.0, 1.0], [61.0, 1.0, 0.0], [40.0, 0.0, 0.0]]


@PROPERTY
@given(st.integers(0, 40), st.integers(0, 3))
def test_a_row_is_encoded_the_same_whatever_it_comes_with(rows: int, seed: int) -> None:
    encoding = Encoding.one_hot(HEART_FEATURES)
    X = HEART_FEATURES.golden_inputs(rows + 1)[::-1]
    order = np.random.default_rng(seed).permutation(rows + 1)
    encoded = encoding.transform(X)
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoding.transform(X[order]), encoded[order])
    np.testing.assert_array_equal(encoding.transform(np.asfortranarray(X)), encoded)


NUMBERS = st.sampled_from([-2.0, -0.0, 0.0, 1.0, 3.0, 6.5, 7.0])
CLIPS = st.sampled_from([(-3.0, 3.0), (0.0, 1.0), (-0.0, 6.75), (2.0, 2.5)])


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 3), st.none() | NUMBERS | CLIPS), min_size=1, max_size=12),
    st.lists(NUMBERS, min_size=4, max_size=4),
)
def test_one_row_alone_is_encoded_as_among_others_to_the_bit(
    columns: list[tuple[int, float | Clip | None]], row: list[float]
) -> None:
    encoding = Encoding(columns)
    among_others = encoding.transform(np.array([row, row[::-1]]))[0]
    assert encoding.transform_row(row).tobytes() == among_others.tobytes()


def test_no_row_is_encoded_as_no_row() -> None:
    assert Encoding.one_hot(HEART_FEATURES).transform(np.empty((0, 13))).shape == (0, 22)


def test_writing_in_place_gives_the_bits_of_a_choice_between_two() -> None:
    encoding = Encoding.one_hot(HEART_FEATURES)
    X = np.vstack(
        [HEART_FEATURES.golden_inputs(100), np.full((1, 13), -0.0), np.full((1, 13), np.nan)]
    )
    codes = np.array([np.nan if code is None else code for _, code in encoding.columns])
    taken = X[:, [source for source, _ in encoding.columns]]
    chosen = np.where(encoding.is_indicator, taken == codes, taken)
    for rows in (X, np.asfortranarray(X), X[::2]):
        encoded = encoding.transform(rows)
        assert encoded.tobytes() == chosen[:: len(X) // len(rows)].tobytes()


def test_a_clipped_copy_is_flat_beyond_its_ends() -> None:
    encoding = Encoding([(0, None), (0, (40.0, 50.0)), (1, 3.0)])
    X = np.array([[54.0, 3.0], [47.0, 0.0], [-1e300, 3.0]])
    assert encoding.transform(X).tolist() == [[54, 50, 1], [47, 47, 0], [-1e300, 40, 1]]
    assert encoding.is_indicator.tolist() == [False, False, True]
    assert encoding.is_clipped.tolist() == [False, True, False]


def test_a_missing_value_stays_missing_in_a_clipped_copy_until_it_is_filled() -> None:
    encoding = Encoding([(0, (40.0, 50.0)), (0, IF_MISSING)])
    rows = np.array([[np.nan], [60.0]])
    encoded = encoding.transform(rows)
    np.testing.assert_array_equal(encoded, [[np.nan, 1.0], [50.0, 0.0]])
    fill = np.array([44.0, 0.0])
    assert encoding.filled(encoded, fill).tolist() == [[44.0, 1.0], [50.0, 0.0]]
    assert encoding.filled_row(fill, [np.nan]).tolist() == [44.0, 1.0]
    assert encoding.filled_row(fill, [60.0]).tolist() == [50.0, 0.0]


def test_the_largest_magnitude_of_a_clipped_copy_is_that_of_its_ends() -> None:
    encoding = Encoding([(0, None), (0, (-40.0, 30.0)), (1, 3.0)])
    assert encoding.largest(np.array([1e9, 3.0])).tolist() == [1e9, 40.0, 1.0]
