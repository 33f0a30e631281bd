"""How each peer is started: as its documentation has it for one row, and with one worker."""

from __future__ import annotations

from pathlib import Path

from benchmarks.patients import Patients
from benchmarks.peers import forms
from benchmarks.peers.installation import Installation
from benchmarks.servers import Server

NUMPY = {"BENCHMARK_MODEL": "network"}
SKLEARN = {"BENCHMARK_MODEL": "pipeline"}

FASTAPI = "uvicorn benchmarks.peers.fastapi.{}:app --port {{port}} --log-level warning"
BENTOML = "bentoml serve benchmarks.peers.bentoml.{}:Heart --host 127.0.0.1 --port {{port}}"
MLFLOW = "mlflow models serve -m {prepared} --port {port} --env-manager local --workers 1"

QUIETLY = {"UVICORN_LOG_LEVEL": "warning"}

MLSERVER = {
    "MLSERVER_HOST": "127.0.0.1",
    "MLSERVER_HTTP_PORT": "{port}",
    "MLSERVER_GRPC_PORT": "0",
    "MLSERVER_METRICS_PORT": "0",
    "MLSERVER_DEBUG": "false",
}
ALONE = MLSERVER | {"MLSERVER_PARALLEL_WORKERS": "0"}


def peers(patients: Patients, environments: Path) -> list[Server]:
    """Return all of them; none is installed before it is started."""

    def at(peer: str) -> Installation:
        return Installation(peer, environments, patients.artifact)

    fastapi, kserve, mlserver = at("fastapi"), at("kserve"), at("mlserver")
    litserve, bentoml, mlflow, ray = at("litserve"), at("bentoml"), at("mlflow"), at("ray")
    objects, instances = forms.objects(patients), forms.instances(patients)
    arguments, frames = forms.arguments(patients), forms.frames(patients)
    classes = forms.tensors(patients, "predict_proba")
    tensors = forms.tensors(patients, "probabilities")
    single: forms.Questions = (objects[0], {})
    of_module, start = "python -m benchmarks.peers.{}.server", "mlserver start {prepared}/"
    return [
        fastapi.server(
            "fastapi-np",
            "FastAPI `async def`, pydantic, NumPy",
            FASTAPI.format("with_async"),
            objects,
            NUMPY,
        ),
        fastapi.server(
            "fastapi-def-np",
            "FastAPI `def`, pydantic, NumPy",
            FASTAPI.format("with_threads"),
            objects,
            NUMPY,
        ),
        fastapi.server(
            "fastapi-def-sk",
            "FastAPI `def`, pydantic, scikit-learn",
            FASTAPI.format("with_threads"),
            objects,
            SKLEARN,
        ),
        kserve.server(
            "kserve-np", "KServe, V1, NumPy", of_module.format("kserve"), instances, NUMPY
        ),
        kserve.server(
            "kserve-sk", "KServe, V1, scikit-learn", of_module.format("kserve"), instances, SKLEARN
        ),
        mlserver.server(
            "mlserver-np", "MLServer, V2, no workers, NumPy", f"{start}np", tensors, ALONE
        ),
        mlserver.server(
            "mlserver-sk", "MLServer, V2, no workers, scikit-learn", f"{start}sk", classes, ALONE
        ),
        mlserver.server(
            "mlserver-default-sk", "MLServer, V2, scikit-learn", f"{start}sk", classes, MLSERVER
        ),
        litserve.server(
            "litserve-np", "LitServe, NumPy", of_module.format("litserve"), single, NUMPY
        ),
        litserve.server(
            "litserve-sk",
            "LitServe, scikit-learn",
            of_module.format("litserve"),
            single,
            SKLEARN,
        ),
        bentoml.server(
            "bentoml-np",
            "BentoML `async def`, NumPy",
            BENTOML.format("with_async"),
            arguments,
            NUMPY,
        ),
        bentoml.server(
            "bentoml-sk",
            "BentoML `def`, scikit-learn",
            BENTOML.format("with_threads"),
            arguments,
            SKLEARN,
        ),
        mlflow.server("mlflow-sk", "MLflow, scikit-learn", MLFLOW, frames, QUIETLY),
        ray.server("ray-np", "Ray Serve, NumPy", of_module.format("ray"), objects, NUMPY),
    ]
