from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from model.schema.features import Feature
from service.errors import InvalidInput
from service.protocols.native.scoring import Scorer
from tests.examples import examples
from tests.service.samples import (
    CODED,
    FEATURES,
    JSON,
    MEASURED,
    RECORDS,
    as_object,
    example,
    random_records,
    raw,
)

pytestmark = pytest.mark.anyio

KEYS = [
    "probability",
    "predicted_class",
    "label",
    "threshold",
    "model_version",
    "warnings",
]

ALIASES = [(feature, alias) for feature in FEATURES for alias in feature.aliases]
NAMED_CODES = [(feature, code, name) for feature in CODED for code, name in feature.codes]
BOUNDS = [(feature, bound) for feature in MEASURED for bound in (feature.minimum, feature.maximum)]

SAME = {
    "floats for integers": json.dumps({name: float(v) for name, v in example().items()}),
    "exponents": raw({"age": "5.4e1", "oldpeak": "12E-1", "serum_cholesterol": "0.24e+3"}),
    "trailing zeros": raw({"age": "54.000", "thal": "3.0"}),
    "minus zero": raw({"num_of_major_vessels": "-0", "sex": "1", "fasting_blood_sugar": "-0.0"}),
    "keys in reverse": json.dumps(dict(reversed(example().items()))),
    "no white space": json.dumps(example(), separators=(",", ":")),
    "much white space": f"\r\n\t {json.dumps(example(), indent=4)} \n",
    "an escaped key": json.dumps(example()).replace('"age"', '"\\u0061ge"'),
    "an escaped name of a code": raw({"sex": '"\\u006dale"'}),
}


@pytest.fixture(scope="module")
def scorer(predictor: Predictor) -> Scorer:
    return Scorer(predictor, max_rows=10)


async def _answer(client: httpx.AsyncClient, body: str, **headers: str) -> dict[str, Any]:
    response = await client.post("/predict", content=body, headers={**JSON, **headers})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_predict_answers_with_these_keys_in_this_order(
    client: httpx.AsyncClient, artifact: Artifact, predictor: Predictor
) -> None:
    answer = await _answer(client, json.dumps(example()))
    (probability,) = predictor.predict_records([example()])
    assert list(answer) == KEYS
    assert answer == {
        "probability": probability,
        "predicted_class": int(probability > artifact.threshold),
        "label": artifact.labels[int(probability > artifact.threshold)],
        "threshold": artifact.threshold,
        "model_version": artifact.version,
        "warnings": [],
    }


@pytest.mark.parametrize("body", SAME.values(), ids=SAME.keys())
async def test_predict_takes_every_way_to_write_the_same_record(
    client: httpx.AsyncClient, predictor: Predictor, body: str
) -> None:
    (probability,) = predictor.predict_records([example()])
    assert (await _answer(client, body))["probability"] == probability


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json ; Charset=Utf-8",
    ],
)
async def test_predict_takes_every_spelling_of_the_content_type(
    client: httpx.AsyncClient, content_type: str
) -> None:
    await _answer(client, json.dumps(example()), **{"Content-Type": content_type})


@pytest.mark.parametrize(("feature", "alias"), ALIASES, ids=[alias for _, alias in ALIASES])
async def test_predict_takes_every_alias(
    client: httpx.AsyncClient, predictor: Predictor, feature: Feature, alias: str
) -> None:
    record = example()
    record[alias] = record.pop(feature.name)
    (probability,) = predictor.predict_records([example()])
    assert (await _answer(client, json.dumps(record)))["probability"] == probability


@pytest.mark.parametrize(
    ("feature", "code", "name"), NAMED_CODES, ids=[f"{f.name}-{name}" for f, _, name in NAMED_CODES]
)
async def test_predict_takes_every_code_and_its_name_for_the_same(
    client: httpx.AsyncClient, predictor: Predictor, feature: Feature, code: int, name: str
) -> None:
    (probability,) = predictor.predict_records([example(**{feature.name: code})])
    for spelling in (str(code), str(float(code)), json.dumps(name)):
        answer = await _answer(client, raw({feature.name: spelling}))
        assert answer["probability"] == probability


@pytest.mark.parametrize(
    ("feature", "bound"), BOUNDS, ids=[f"{feature.name}-{bound:g}" for feature, bound in BOUNDS]
)
async def test_predict_takes_every_bound_and_warns_where_training_did_not_reach_it(
    client: httpx.AsyncClient, predictor: Predictor, feature: Feature, bound: float
) -> None:
    record = example(**{feature.name: bound})
    answer = await _answer(client, json.dumps(record))
    assert answer["probability"] == predictor.predict_records([record])[0]
    low, high = feature.observed
    seen = low <= bound <= high
    assert [warning["loc"] for warning in answer["warnings"]] == (
        [] if seen else [["body", feature.name]]
    )


async def test_predict_warns_once_for_each_field_outside_of_training(
    client: httpx.AsyncClient,
) -> None:
    answer = await _answer(
        client,
        raw(
            {"age": "105.4321", "oldpeak": "9.4321", "chol": "699.4321"},
            {name: v for name, v in example().items() if name != "serum_cholesterol"},
        ),
    )
    kinds = {(warning["loc"][1], warning["type"]) for warning in answer["warnings"]}
    outside = ("age", "oldpeak", "serum_cholesterol")
    assert kinds == {(name, "outside_training_range") for name in outside}
    assert len(answer["warnings"]) == 3
    assert all(list(warning) == ["loc", "msg", "type"] for warning in answer["warnings"])
    assert "4321" not in json.dumps(answer["warnings"])


def test_a_code_that_training_did_not_hold_is_warned_of(artifact: Artifact) -> None:
    features = [
        replace(feature, observed=feature.observed[:-1]) if feature.name == "thal" else feature
        for feature in artifact.features
    ]
    altered = replace(artifact, features=type(artifact.features)(features))
    scorer = Scorer(altered.predictor(), max_rows=10)
    unseen = json.loads(scorer.predict(json.dumps(example(thal=7)).encode()).body)["warnings"]
    seen = json.loads(scorer.predict(json.dumps(example(thal=6)).encode()).body)["warnings"]
    assert [(warning["loc"], warning["type"]) for warning in unseen] == [
        (["body", "thal"], "unseen_code")
    ]
    assert seen == []


@pytest.mark.parametrize(("distance", "predicted"), [(-1e-12, 1), (0.0, 0), (1e-12, 0)])
def test_the_class_is_1_only_where_the_probability_exceeds_the_threshold(
    artifact: Artifact, predictor: Predictor, distance: float, predicted: int
) -> None:
    threshold = float(predictor.predict_records([example()])[0]) + distance
    scorer = Scorer(replace(artifact, threshold=threshold).predictor(), max_rows=10)
    answer = json.loads(scorer.predict(json.dumps(example()).encode()).body)
    assert (answer["predicted_class"], answer["label"]) == (predicted, artifact.labels[predicted])
    assert answer["threshold"] == threshold


def test_a_thousand_random_records_get_the_predictors_own_probabilities(
    scorer: Scorer, predictor: Predictor
) -> None:
    records = random_records(1000, seed=1)
    answers = [json.loads(scorer.predict(json.dumps(record).encode()).body) for record in records]
    expected = predictor.predict_records(records).tolist()
    assert [answer["probability"] for answer in answers] == expected


@pytest.mark.parametrize("value", [1e-12, 0.5, 1 + 1e-10, 2.9999999999, 2.0000000000000004])
@pytest.mark.parametrize(
    "feature", [f for f in MEASURED if f.kind == "count"], ids=lambda f: f.name
)
def test_a_count_that_is_not_whole_is_refused_however_near(
    scorer: Scorer, feature: Feature, value: float
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        scorer.predict(json.dumps(example(**{feature.name: value})).encode())
    assert [fault["type"] for fault in refusal.value.faults] == ["not_whole"]


@settings(derandomize=True, deadline=None, max_examples=examples(100))
@given(record=RECORDS, data=st.data())
def test_a_number_is_taken_exactly_where_the_feature_accepts_it(
    scorer: Scorer, record: dict[str, float], data: st.DataObject
) -> None:
    feature = data.draw(st.sampled_from(list(FEATURES)))
    near = st.builds(
        lambda value, shift: value + shift,
        st.sampled_from([*(float(code) for code, _ in feature.codes), feature.example, 0.0, 3.0]),
        st.sampled_from([0.0, 1e-12, -1e-12, 1e-9, 0.5, -1.0]),
    )
    value = data.draw(near | st.floats(allow_nan=False, allow_infinity=False))
    body = json.dumps({**record, feature.name: value})
    assert _accepts(scorer.predict, body) == feature.accepts(value)


PAIRS = st.sampled_from(
    [(name, feature) for feature in FEATURES for name in feature.accepted_names]
)
VALUES = st.sampled_from([*(str(number) for number in range(8)), "54", '"normal"', '"a:b"', "null"])


@settings(derandomize=True, deadline=None, max_examples=examples(300))
@given(
    record=RECORDS,
    dropped=st.sets(st.sampled_from(FEATURES.names), max_size=1),
    added=st.lists(st.tuples(PAIRS, VALUES), max_size=2),
    unknown=st.dictionaries(st.sampled_from(["a:b", "Age", ""]), VALUES, max_size=1),
    order=st.randoms(use_true_random=False),
)
def test_a_record_is_taken_exactly_where_every_field_is_given_once(
    scorer: Scorer,
    record: dict[str, float],
    dropped: set[str],
    added: list[tuple[tuple[str, Feature], str]],
    unknown: dict[str, str],
    order: Random,
) -> None:
    kept = {name: str(value) for name, value in record.items() if name not in dropped}
    pairs = [*kept.items(), *((name, text) for (name, _), text in added), *unknown.items()]
    order.shuffle(pairs)
    body = as_object((json.dumps(name), text) for name, text in pairs)
    given_times = Counter(FEATURES.by_accepted_name[n].name for n, _ in pairs if n not in unknown)
    expected = (
        not unknown
        and given_times == Counter(FEATURES.names)
        and all(_is_value(feature, text) for (_, feature), text in added)
    )
    for predict, wrapped in (
        (scorer.predict, body),
        (scorer.predict_batch, f'{{"instances": [{body}]}}'),
    ):
        assert _accepts(predict, wrapped) == expected


def _accepts(predict: Callable[[bytes], object], body: str) -> bool:
    try:
        predict(body.encode())
    except InvalidInput:
        return False
    return True


def _is_value(feature: Feature, text: str) -> bool:
    value = json.loads(text)
    if isinstance(value, str):
        return value in dict(feature.codes).values()
    return value is not None and feature.accepts(value)
