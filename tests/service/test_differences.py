"""Every form of request gets the same correct answer, however it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from model.schema import rules
from model.schema.features import Feature, FeatureSet
from service.app import create_app
from service.settings import Settings
from service.wire import decoding
from tests.optional import OPTIONAL, optional_artifact
from tests.service import careful, hostile, hostile_lines, planted, questions
from tests.service.careful import FORMS, Form
from tests.service.differences import Examiner, Finding
from tests.service.questions import MEDIA_TYPES
from tests.service.samples import FEATURES

pytestmark = pytest.mark.slow

SEED = 1
NUMBER = {"record": 150, "batch": 150, "table": 100, "ndjson": 200, "csv": 200}


@pytest.fixture
def examiner(app: FastAPI, predictor: Predictor) -> Iterator[Examiner]:
    with closing(Examiner(app, predictor)) as examiner:
        yield examiner


@pytest.mark.parametrize("form", FORMS)
def test_generated_questions_are_answered_right_in_every_way(
    examiner: Examiner, form: Form
) -> None:
    before = examiner.counted()
    examiner.fuzz(form, SEED, NUMBER[form])
    assert examiner.counted() - before == examiner.predicted


STRANGE = ("a:b", 'say "no"', "back\\slash", '1,5: "x\\y"', "\u00e9:")
"""Names of codes with all that JSON and CSV give a meaning to."""


def renamed(feature: Feature) -> Feature:
    """Return a feature whose codes have strange names."""
    codes = tuple((code, STRANGE[place]) for place, (code, _) in enumerate(feature.codes))
    return replace(feature, codes=codes) if feature.is_coded else feature


@pytest.mark.parametrize("codes", ["any", "names"])
@pytest.mark.parametrize("form", FORMS)
def test_names_of_codes_may_hold_any_marks(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form, codes: str
) -> None:
    strange = replace(artifact, features=FeatureSet(map(renamed, FEATURES)))
    strange.save(tmp_path / "strange.npz")
    features = strange.features.with_names_only() if codes == "names" else strange.features
    for module in (careful, hostile, hostile_lines, questions):
        monkeypatch.setattr(module, "FEATURES", features)
    app = create_app(Settings(artifact=tmp_path / "strange.npz", codes=codes))
    with closing(Examiner(app, strange.predictor())) as examiner:
        examiner.fuzz(form, SEED, NUMBER[form] // 2)
        assert examiner.counted() == examiner.predicted > 0


@pytest.mark.parametrize("codes", ["any", "names"])
@pytest.mark.parametrize("form", FORMS)
def test_missing_values_and_other_cells_are_read_alike_in_every_form(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form, codes: str
) -> None:
    optional_artifact(artifact).save(tmp_path / "optional.npz")
    features = OPTIONAL.with_names_only() if codes == "names" else OPTIONAL
    for module in (careful, hostile, hostile_lines, questions):
        monkeypatch.setattr(module, "FEATURES", features)
    app = create_app(Settings(artifact=tmp_path / "optional.npz", codes=codes))
    predictor = Artifact.load(tmp_path / "optional.npz").predictor()
    with closing(Examiner(app, predictor)) as examiner:
        examiner.fuzz(form, SEED, NUMBER[form] // 2)
        assert examiner.counted() == examiner.predicted > 0


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_value_that_is_read_as_a_number_is_found(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    optional_artifact(artifact).save(tmp_path / "optional.npz")
    for module in (careful, hostile, hostile_lines, questions):
        monkeypatch.setattr(module, "FEATURES", OPTIONAL)
    app = create_app(Settings(artifact=tmp_path / "optional.npz"))
    predictor = Artifact.load(tmp_path / "optional.npz").predictor()
    for module in (rules, decoding):
        monkeypatch.setattr(module, "MISSING", 1.0)
    with closing(Examiner(app, predictor)) as examiner, pytest.raises(Finding):
        examiner.fuzz(form, SEED, NUMBER[form])


@pytest.mark.parametrize(
    ("defect", "form"),
    [
        (planted.lines_are_joined, "ndjson"),
        (planted.ids_are_floats, "ndjson"),
        (planted.nesting_is_not_caught, "ndjson"),
        (planted.cells_are_stripped, "csv"),
    ],
)
def test_a_planted_defect_is_found(
    app: FastAPI, examiner: Examiner, predictor: Predictor, defect: planted.Defect, form: Form
) -> None:
    defective = planted.planted(app, defect, MEDIA_TYPES[form])
    with closing(Examiner(defective, predictor)) as other, pytest.raises(Finding) as found:
        other.fuzz(form, SEED, NUMBER[form])
    examiner.examine(found.value.asked, Random(SEED))  # right without the defect
