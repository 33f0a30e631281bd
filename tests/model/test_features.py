"""Features: what they accept, what they say of it, and the rows made from them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.data.heart import HEART_FEATURES, HEART_TARGET, load_heart
from model.schema.features import Feature, FeatureSet
from tests.model.properties import PROPERTY
from tests.optional import OPTIONAL

AGE, SEX, CHEST_PAIN = HEART_FEATURES[:3]
VESSELS = HEART_FEATURES.by_accepted_name["ca"]
RANGES = {
    "age": (18, 110),
    "resting_blood_pressure": (50, 260),
    "serum_cholesterol": (70, 700),
    "max_heart_rate_achieved": (40, 230),
    "oldpeak": (0, 10),
    "num_of_major_vessels": (0, 3),
}
CODES = {
    "sex": [0, 1],
    "chest_pain": [1, 2, 3, 4],
    "fasting_blood_sugar": [0, 1],
    "resting_ecg_results": [0, 1, 2],
    "exercise_induced_angina": [0, 1],
    "slope_of_the_peak": [1, 2, 3],
    "thal": [3, 6, 7],
}


def test_the_thirteen_features_have_the_names_of_the_notebooks_too() -> None:
    short = [
        "age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak",
        "slope", "ca", "thal",
    ]  # fmt: skip
    accepted = HEART_FEATURES.by_accepted_name
    assert [accepted[name].name for name in short] == HEART_FEATURES.names
    assert accepted["serum_cholestoral"].name == "serum_cholesterol"
    assert accepted["slope of the peak"].name == "slope_of_the_peak"


@pytest.mark.parametrize("name", RANGES)
def test_a_range_ends_where_the_provenance_says(name: str) -> None:
    feature = HEART_FEATURES.by_accepted_name[name]
    low, high = RANGES[name]
    assert feature.accepts(low)
    assert feature.accepts(high)
    for outside in (math.nextafter(low, -9), math.nextafter(high, 999), -math.inf, math.inf):
        assert not feature.accepts(outside)
    assert not feature.accepts(math.nan)


@pytest.mark.parametrize("name", CODES)
def test_a_coded_feature_accepts_its_codes_alone(name: str) -> None:
    feature = HEART_FEATURES.by_accepted_name[name]
    assert [code for code in range(-1, 10) if feature.accepts(code)] == CODES[name]
    assert feature.accepts(float(CODES[name][0]))
    assert not feature.accepts(CODES[name][0] + 0.5)
    assert not feature.accepts(math.nan)


def test_a_count_accepts_whole_numbers_alone() -> None:
    assert VESSELS.accepts(2.0)
    assert not VESSELS.accepts(1.5)


@pytest.mark.parametrize("feature", HEART_FEATURES, ids=lambda feature: feature.name)
def test_a_whole_number_too_large_for_a_float_is_not_accepted(feature: Feature) -> None:
    assert not feature.accepts(10**400)
    assert not feature.accepts(-(10**400))


def test_what_is_expected_reads_as_the_end_of_a_sentence() -> None:
    assert AGE.expected == "a number from 18 to 110 (years)"
    assert VESSELS.expected == "a whole number from 0 to 3"
    assert SEX.expected == "0 (female) or 1 (male)"
    assert HEART_TARGET.expected == "1 (absence) or 2 (presence)"
    assert CHEST_PAIN.expected == (
        "1 (typical angina), 2 (atypical angina), 3 (non-anginal pain) or 4 (asymptomatic)"
    )
    assert Feature("f", "", "nominal", 1, codes=((1, "only"),)).expected == "1 (only)"
    many = Feature("f", "", "nominal", 1, codes=tuple((n, f"n{n}") for n in range(1000)))
    assert many.expected.startswith("0 (n0), 1 (n1), ")
    assert many.expected.endswith(", 19 (n19) or another of its 1000 codes")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"kind": "ordinal"}, "unknown kind"),
        ({"kind": "binary"}, "codes"),
        ({"codes": ((1, "one"),)}, "codes"),
        ({"minimum": 110}, "below the maximum"),
        ({"minimum": math.nan}, "below the maximum"),
        ({"example": 17}, "not a value"),
        ({"example": math.nan}, "not a value"),
        ({"name": ""}, "empty"),
        ({"name": "a\nb"}, "control character"),
        ({"name": "a" * 65}, "longer than 64 characters"),
        ({"name": " a"}, "outer blanks"),
        ({"aliases": ("a\u00a0",)}, "outer blanks"),
        ({"aliases": ("e\u0301",)}, "form NFC"),
        ({"name": "\ud800"}, r"feature \\ud800: a name"),
        ({"name": "a\tb"}, "control character"),
        ({"aliases": ("a\x7f",)}, "control character"),
        ({"unit": " "}, "unit"),
        ({"unit": "mm\n"}, "unit"),
        ({"observed": (54,)}, "observed"),
        ({"observed": (54, 53)}, "observed"),
        ({"observed": (54, 55, 56)}, "observed"),
        ({"observed": (54, math.nan)}, "observed"),
    ],
    ids=str,
)
def test_a_feature_that_contradicts_itself_is_refused(
    changed: dict[str, Any], problem: str
) -> None:
    parts: dict[str, Any] = {
        "name": "age", "description": "", "kind": "continuous",
        "example": 54, "minimum": 18, "maximum": 110,
    }  # fmt: skip
    Feature(**parts)
    with pytest.raises(ValueError, match=problem):
        Feature(**parts | changed)


@pytest.mark.parametrize("name", ["a:b", 'say "no"', "back\\slash", "1,5"])
def test_the_name_of_a_code_may_hold_what_a_feature_s_own_may_not(name: str) -> None:
    feature = Feature("f", "", "nominal", 1, codes=((1, name),))
    (written,) = json.loads(json.dumps(FeatureSet([feature]).to_json()))
    assert Feature.from_json(written) == feature


@pytest.mark.parametrize("codes", [((0, "no"), (0, "yes")), ((0, "no"), (1, "no"))])
def test_a_code_or_a_name_that_stands_for_two_things_is_refused(
    codes: tuple[tuple[int, str], ...],
) -> None:
    with pytest.raises(ValueError, match="feature f"):
        Feature("f", "", "binary", 0, codes=codes)


@pytest.mark.parametrize("name", ["1", "0.5", "1e3", "nan", "-Infinity", "1_0"])
def test_a_code_whose_name_reads_as_another_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="reads as another number"):
        Feature("f", "", "binary", 0, codes=((0, name), (2, "yes")))
    Feature("f", "", "binary", 0, codes=((0, "0"), (2, "2.0")))


@pytest.mark.parametrize("observed", [(1,), (0, 0), (0, 1, 2)])
def test_observed_codes_are_codes_each_once(observed: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="observed"):
        Feature("f", "", "binary", 0, codes=((0, "no"), (2, "yes")), observed=observed)


def test_what_is_expected_says_how_a_value_may_be_missing() -> None:
    said = {feature.name: feature.expected for feature in OPTIONAL}
    assert said == {
        "age": "a number from 0 to 120 (years); null, -9, 99.5 or ? where it is missing",
        "visits": "a whole number from 0 to 40; null where it is missing",
        "weight": "a number from 20 to 300 (kg)",
        "smoker": "false or true; null or unknown where it is missing",
        "married": "0 (no), 1 (yes), false or true",
        "area": "1, south or other, or any other text; null where it is missing",
        "ward": "3 (A), 6 (B) or 7 (C); null or 0 where it is missing",
    }
    assert OPTIONAL.with_names_only()[4].expected == "no, yes, false or true"
    assert OPTIONAL.with_names_only()[6].expected == "A, B or C; null or 0 where it is missing"


def test_the_example_has_texts_where_texts_alone_are_accepted() -> None:
    assert OPTIONAL.example() == {
        "age": 54.5, "visits": 3, "weight": 70, "smoker": "true", "married": 0, "area": "other",
        "ward": 3,
    }  # fmt: skip
    sent = {name: v if isinstance(v, str) else float(v) for name, v in OPTIONAL.example().items()}
    assert OPTIONAL.rules.row(sent) == [54.5, 3.0, 70.0, 1.0, 0.0, 2.0, 3.0]


def test_a_missing_cell_is_no_value() -> None:
    age = OPTIONAL[0]
    assert [age.accepts(number) for number in (-9, 99.5, math.nan, 99)] == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("feature", "changed", "problem"),
    [
        (AGE, {"missing": "mean"}, "unknown policy"),
        (AGE, {"texts_only": True}, "texts alone"),
        (AGE, {"is_boolean": True}, "codes 1 and 0"),
        (AGE, {"other": 1}, "code of other texts"),
        (AGE, {"missing_cells": (54.0,)}, "example is not a value"),
        (AGE, {"missing_cells": (-9, -9.0)}, "stands there twice"),
        (AGE, {"missing_cells": (math.nan,)}, "finite"),
        (AGE, {"missing_cells": (" ?",)}, "name"),
        (AGE, {"missing_cells": ("",)}, "name"),
        (AGE, {"missing_cells": ("-9",)}, "reads as one"),
        (SEX, {"missing_cells": (1,)}, "a code"),
        (SEX, {"missing_cells": ("male",)}, "its name"),
        (SEX, {"other": 2}, "code of other texts"),
        (SEX, {"texts_only": True, "missing_cells": (-9,)}, "a number where"),
        (CHEST_PAIN, {"is_boolean": True}, "codes 1 and 0"),
        (HEART_TARGET, {"is_boolean": True}, "codes 1 and 0"),
    ],
    ids=str,
)
def test_what_is_said_of_cells_must_not_contradict_the_feature(
    feature: Feature, changed: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(feature, **changed)


def test_texts_may_read_as_numbers_where_texts_alone_are_accepted() -> None:
    codes = ((0, "1"), (1, "0"))
    with pytest.raises(ValueError, match="reads as another number"):
        Feature("f", "", "binary", 0, codes=codes)
    feature = Feature("f", "", "binary", 0, codes=codes, texts_only=True, missing_cells=("-9",))
    assert feature.expected == "1 or 0"
    assert FeatureSet([feature]).rules.row({"f": "1"}) == [0.0]
    assert FeatureSet([feature]).rules.row({"f": 1.0}) is None


@pytest.mark.parametrize(
    "features", [[], [AGE, AGE], [AGE, Feature("b", "", "count", 1, maximum=2, aliases=("age",))]]
)
def test_a_set_has_features_and_each_name_once(features: list[Feature]) -> None:
    with pytest.raises(ValueError, match="a feature set needs features"):
        FeatureSet(features)


def test_records_become_rows_in_the_order_of_the_set() -> None:
    record = dict(zip(HEART_FEATURES.names, range(13), strict=True))
    backwards = dict(reversed(record.items()))
    assert HEART_FEATURES.matrix([record, backwards]).tolist() == [list(map(float, range(13)))] * 2
    assert HEART_FEATURES.matrix([]).shape == (0, 13)
    assert HEART_FEATURES.matrix(iter([record])).shape == (1, 13)
    assert FeatureSet([AGE]).matrix([{"age": 54}, {"age": 61.5}]).tolist() == [[54.0], [61.5]]


def test_what_was_seen_in_training_is_noted_and_told_from_what_was_not() -> None:
    features = FeatureSet([AGE, CHEST_PAIN]).observe(np.array([[30.0, 1.0], [60.0, 4.0]]))
    assert [feature.observed for feature in features] == [(30.0, 60.0), (1.0, 4.0)]
    X = np.array([[30.0, 1.0], [29.9, 4.0], [60.1, 2.0], [45.0, 3.0]])
    assert features.rules.unseen(X).tolist() == [
        [False, False],
        [True, False],
        [True, True],
        [False, True],
    ]


NUMBERS = [-1e308, -1.0, -0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 4.5, 6.0, 7.0, 50.0, 1e308, np.inf, np.nan]


def test_a_matrix_is_checked_as_each_of_its_numbers_is() -> None:
    X = np.repeat(np.array(NUMBERS)[:, np.newaxis], len(HEART_FEATURES), axis=1)
    X = np.concatenate([X, HEART_FEATURES.golden_inputs(50)])
    expected = [
        [feature.accepts(value) for feature, value in zip(HEART_FEATURES, row, strict=True)]
        for row in X.tolist()
    ]
    assert HEART_FEATURES.rules.accepts(X).tolist() == expected


def test_what_is_unseen_in_a_row_is_unseen_in_the_matrix() -> None:
    seen = load_heart().X
    features = HEART_FEATURES.observe(seen[:40])
    rng = np.random.default_rng(2)
    rows = np.concatenate([seen, features.golden_inputs(500), seen])
    changed = rng.integers(len(features), size=len(seen))
    rows[-len(seen) :][np.arange(len(seen)), changed] = rng.choice(NUMBERS, len(seen))
    rows = rows[features.rules.accepts(rows).all(axis=1)]
    expected = [np.flatnonzero(columns).tolist() for columns in features.rules.unseen(rows)]
    assert 0 < sum(map(bool, expected)) < len(rows)
    assert [features.rules.unseen_in(row) for row in rows.tolist()] == expected


def test_no_row_of_the_training_set_is_outside_of_it() -> None:
    X = load_heart().X
    assert not HEART_FEATURES.observe(X).rules.unseen(X).any()


def test_the_example_is_a_value_of_every_feature_with_whole_numbers_written_as_such() -> None:
    example = HEART_FEATURES.example()
    assert list(example) == HEART_FEATURES.names
    assert all(feature.accepts(example[feature.name]) for feature in HEART_FEATURES)
    assert json.dumps(example).startswith('{"age": 54, "sex": 1, "chest_pain": 3, ')
    assert '"oldpeak": 1.2' in json.dumps(example)


def test_golden_rows_are_the_same_at_every_call_and_possible() -> None:
    rows = HEART_FEATURES.golden_inputs()
    assert rows.tobytes() == HEART_FEATURES.golden_inputs().tobytes()
    assert rows.shape == (16, 13)
    for feature, column in zip(HEART_FEATURES, rows.T, strict=True):
        assert all(feature.accepts(value) for value in column)


def test_golden_rows_reach_over_the_whole_of_every_features_range(artifact: Artifact) -> None:
    for feature, column in zip(artifact.features, artifact.golden_inputs.T, strict=True):
        if feature.is_coded:
            assert set(column) == {code for code, _ in feature.codes}, feature.name
        else:
            span = feature.maximum - feature.minimum
            assert column.max() - column.min() > 0.7 * span, feature.name


@PROPERTY
@given(
    kind=st.sampled_from(["continuous", "count"]),
    minimum=st.floats(-1e4, 1e4),
    span=st.floats(1e-3, 1e4),
)
def test_golden_rows_of_any_feature_are_possible_values(
    kind: Any, minimum: float, span: float
) -> None:
    maximum, example = minimum + span, minimum
    if kind == "count":
        maximum, example = math.ceil(maximum) + 1.0, math.ceil(maximum)
    feature = Feature("f", "", kind, example, minimum=minimum, maximum=maximum)
    assert all(feature.accepts(value) for value in FeatureSet([feature]).golden_inputs()[:, 0])


def test_features_come_back_from_json() -> None:
    observed = HEART_FEATURES.observe(load_heart().X)
    text = json.dumps(observed.to_json(), allow_nan=False)
    assert list(FeatureSet.from_json(json.loads(text))) == list(observed)


def test_a_table_of_values_is_judged_as_each_value_alone() -> None:
    values = [-math.inf, -1, 0, 0.5, 1, 2.5, 3, 3.5, 4, 7, 18, 110, 700, 1e300, math.inf, math.nan]
    X = np.tile(np.array(values)[:, np.newaxis], len(HEART_FEATURES))
    assert HEART_FEATURES.rules.accepts(X).T.tolist() == [
        [feature.accepts(value) for value in values] for feature in HEART_FEATURES
    ]


def test_a_foreign_number_has_a_note_and_is_no_value() -> None:
    feature = Feature(
        "f", "", "nominal", 1, codes=((1, "One"),), foreign=(0,), foreign_note="Of another copy."
    )
    assert feature.note(0.0) == feature.note(0) == "Of another copy."
    assert feature.note("one") == "Names of codes are case-sensitive."
    assert [feature.note(cell) for cell in (False, 2.0, "two", None, [0])] == [""] * 5
    (written,) = json.loads(json.dumps(FeatureSet([feature]).to_json()))
    read = Feature.from_json(written)
    assert (read.foreign, read.foreign_note) == ((0,), "Of another copy.")
    with pytest.raises(ValueError, match="a foreign number is a value"):
        Feature("f", "", "nominal", 1, codes=((1, "One"),), foreign=(1,))
    for changed in ({"foreign": ["0"]}, {"foreign": 0}, {"foreign_note": 1}):
        with pytest.raises(TypeError):
            Feature.from_json(written | changed)
