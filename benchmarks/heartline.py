"""Heartline as it is measured: with its default settings, and with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.patients import Patients
from benchmarks.senders import MIX, forms
from benchmarks.servers import JSON, Question, Server
from model.recipes.recipes import find_recipe
from tests.conftest import ARTIFACT
from tests.end_to_end.processes import COMMAND

KEY = "only-for-the-benchmark"
QUIETLY = "--log-level warning"
BATCH = 1000


def server(
    name: str,
    title: str,
    patients: Patients,
    flags: str = "",
    key: str = "",
    mix: Sequence[Question] = (),
) -> Server:
    headers = {**JSON, "Authorization": f"Bearer {key}"} if key else JSON
    return Server(
        name,
        title,
        (COMMAND, "serve", "--port", "{port}", *flags.split()),
        record(patients)._replace(headers=headers),
        {
            form: question._replace(headers=headers)
            for form, question in batches(patients, BATCH).items()
        },
        {
            "HEARTLINE_ARTIFACT": str(patients.artifact),
            "HEARTLINE_DRAIN_SECONDS": "0",
            **({"HEARTLINE_API_KEYS": f"benchmark:{key}"} if key else {}),
        },
        mix,
    )


def quiet(patients: Patients, workers: int = 1) -> Server:
    """Return the service with its default settings, but without a log line for each request."""
    return server("heartline", "**Heartline**", patients, f"{QUIETLY} --workers {workers}")


def record(patients: Patients) -> Question:
    return patients.asked("/predict", 1, patients.records(1)[0], ("probability",))


def batches(patients: Patients, count: int) -> dict[str, Question]:
    """Return the questions about many records, as objects and as columns."""
    objects = {"instances": patients.records(count)}
    columns = {"columns": patients.names, "data": patients.rows(count)}
    asked = partial(patients.asked, "/predict/batch", count)
    return {
        "objects": asked(objects, ("predictions", -1, "probability")),
        "columns": asked(columns, ("data", -1, 0)),
    }


def servers(tutorial: Patients) -> list[Server]:
    """Return the service with its own model, and with the network that the peers serve."""
    own = Patients(ARTIFACT)
    return [
        server("heartline", "**Heartline**", own, mix=forms(own)[MIX]),
        replace(
            quiet(own), name="heartline-quiet", title="Heartline, log level warning, one record"
        ),
        server("heartline-same", "the same, the peers' network", tutorial, QUIETLY),
        server("heartline-keys", "the same, with an API key", own, QUIETLY, KEY),
    ]


def tutorial(folder: Path) -> Patients:
    """Return the questions to the network of the tutorial, trained into a folder."""
    path = folder / "heart-tutorial.npz"
    find_recipe("heart-tutorial").train().save(path)
    return Patients(path)
