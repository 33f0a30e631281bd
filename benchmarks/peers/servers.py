"""How each peer is installed and started, and the form in which it takes the same rows."""

from __future__ import annotations

from pathlib import Path

from benchmarks.patients import Patients
from benchmarks.peers.installation import Installation
from benchmarks.servers import Question, Server

BATCH = 1000


def peers(patients: Patients, environments: Path) -> list[Server]:
    """Return all of them; nothing is installed before one is started."""

    def of(peer: str) -> Installation:
        return Installation(peer, environments, patients.artifact)

    return [*_fastapi(of("fastapi"), patients)]


def _objects(patients: Patients, path: str = "/predict") -> Question:
    return patients.asked(path, 1, patients.records(1)[0], ("probability",))


def _fastapi(fastapi: Installation, patients: Patients) -> list[Server]:
    record = _objects(patients)
    batch = patients.asked("/predict/batch", BATCH, patients.records(BATCH), (-1, "probability"))
    command = "uvicorn benchmarks.peers.fastapi.{}:app --port {{port}} --log-level warning"
    return [
        fastapi.server(
            "fastapi-np",
            "FastAPI `async def`, pydantic, NumPy",
            command.format("with_numpy"),
            record,
            batch,
        ),
        fastapi.server(
            "fastapi-sk",
            "FastAPI `def`, pydantic, scikit-learn",
            command.format("with_sklearn"),
            record,
            batch,
        ),
    ]
