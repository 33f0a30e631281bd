from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import ARTIFACT
from tests.end_to_end.processes import http_client, started, stop, wait_until_ready
from tests.service.samples import example

pytestmark = pytest.mark.slow

PACKAGES = {
    "annotated_doc",
    "annotated_types",
    "anyio",
    "click",
    "dotenv",
    "fastapi",
    "httptools",
    "model",
    "msgspec",
    "numpy",
    "opentelemetry",
    "prometheus_client",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "service",
    "starlette",
    "typing_extensions",
    "typing_inspection",
    "uvicorn",
    "uvloop",
}
"""What a running service has imported, the standard library aside: each costs start and memory."""

ONLY_HERE = {"orjson"}
"""FastAPI imports it where it is installed; it is for the benchmarks alone."""

SERVE = """
import atexit, sys

@atexit.register
def tell():
    print(*(name for name, module in sys.modules.items() if getattr(module, "__file__", None)))

from service.cli import main
main()
"""


def test_a_service_that_has_answered_has_imported_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", SERVE, "serve", "--log-level", "error"]
    with started(command, log, HEARTLINE_ARTIFACT=str(ARTIFACT)) as process:
        port = wait_until_ready(process)
        with http_client(f"http://127.0.0.1:{port}") as client:
            answers = [
                client.post("/predict", json=example()),
                client.post("/predict", json=example(age=-1)),
                client.post("/predict/batch", json={"instances": [example()]}),
                *map(client.get, ("/model", "/metrics", "/docs", "/openapi.json")),
            ]
        stop(process)
    assert [answer.status_code for answer in answers] == [200, 422, 200, 200, 200, 200, 200]
    modules = log.read_text().split()
    packages = {name.split(".")[0] for name in modules if not name.startswith("_")}
    assert packages - sys.stdlib_module_names - ONLY_HERE == PACKAGES
    assert not [name for name in modules if name.startswith("opentelemetry.sdk")]
