"""What a batch costs beside the parsing of its JSON: in process, without HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import orjson

from benchmarks import heartline
from benchmarks.figures import Figures, in_turns, least, seconds
from benchmarks.patients import Patients
from benchmarks.servers import ServerFailure
from model.artifact.artifact import Artifact
from service.observability.metrics.predicted_rows import PredictionMeter
from service.observability.metrics.registry import Registry
from service.observability.metrics.slots import Slots
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT

SIZES = (1000, 10_000)
ROUNDS = 50


def measure() -> Figures:
    """Return the seconds of both for each size, as JSON objects, and their ratio."""
    figures: Figures = {}
    for rows in SIZES:
        body = heartline.batches(Patients(ARTIFACT), rows)["objects"].body
        answer = answers()
        if len(json.loads(answer(body))["predictions"]) != rows:
            raise ServerFailure("not every record was answered")
        rounds = in_turns(
            ROUNDS,
            handler=partial(seconds, partial(answer, body)),
            parsing=partial(seconds, partial(orjson.loads, body)),
        )
        times = least(rounds)
        figures |= {f"{name}_seconds_{rows}": value for name, value in times.items()}
        figures[f"ratio_{rows}"] = times["handler"] / times["parsing"]
    return figures


def answers() -> Callable[[bytes], bytes]:
    """Return what answers and counts a batch as in the application."""
    artifact = Artifact.load(ARTIFACT)
    meter = PredictionMeter(Registry(Slots()), artifact)
    scorer = Scorer(artifact.predictor(), Settings(artifact=ARTIFACT).max_batch_rows)

    def answer(body: bytes) -> bytes:
        written, outcome, rows, faults = scorer.predict_batch(body)
        meter.predicted(outcome.probabilities, outcome.classes, outcome.unseen, outcome.missing)
        meter.refused(faults)
        meter.answered_batch(rows)
        return written

    return answer
