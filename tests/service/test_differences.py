"""Every form of request gets the same correct answer, however it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
from fastapi import FastAPI

from model.inference.predictor import Predictor
from tests.service import planted
from tests.service.careful import FORMS, Form
from tests.service.differences import Examiner, Finding
from tests.service.questions import MEDIA_TYPES

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
