"""The form in which each peer takes one record, and 1,000."""

from __future__ import annotations

from benchmarks.patients import Patients
from benchmarks.servers import Question

BATCH = 1000

Questions = tuple[Question, dict[str, Question]]
"""About a record, and about a batch by the name of its form."""


def objects(patients: Patients) -> Questions:
    """Ask as FastAPI's routes take it, and Ray Serve's and LitServe's."""
    (record,), last = patients.records(1), (-1, "probability")
    return (
        patients.asked("/predict", 1, record, ("probability",)),
        {"objects": patients.asked("/predict/batch", BATCH, patients.records(BATCH), last)},
    )


def arguments(patients: Patients) -> Questions:
    """Ask as BentoML's methods take it: an argument under its name."""
    (record,), last = patients.records(1), (-1, "probability")
    batch = {"patients": patients.records(BATCH)}
    return (
        patients.asked("/predict", 1, {"patient": record}, ("probability",)),
        {"objects": patients.asked("/predict/batch", BATCH, batch, last)},
    )


def instances(patients: Patients) -> Questions:
    """Ask by KServe's V1 protocol."""

    def ask(count: int) -> Question:
        form = {"instances": patients.rows(count)}
        return patients.asked("/v1/models/heart:predict", count, form, ("predictions", -1))

    return ask(1), {"lists": ask(BATCH)}


def tensors(patients: Patients, output: str) -> Questions:
    """Ask by the V2 protocol, for one of the outputs."""

    def ask(count: int) -> Question:
        tensor = {
            "name": "patients",
            "shape": [count, len(patients.names)],
            "datatype": "FP64",
            "data": patients.rows(count),
        }
        form = {"inputs": [tensor], "outputs": [{"name": output}]}
        return patients.asked("/v2/models/heart/infer", count, form, ("outputs", 0, "data", -1))

    return ask(1), {"tensors": ask(BATCH)}


def frames(patients: Patients) -> Questions:
    """Ask as MLflow takes a data frame."""

    def ask(count: int) -> Question:
        form = {"dataframe_split": {"columns": patients.names, "data": patients.rows(count)}}
        return patients.asked("/invocations", count, form, ("predictions", -1, 1))

    return ask(1), {"frames": ask(BATCH)}
