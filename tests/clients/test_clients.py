"""Clients that others' generators make of the document work with a running service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from model.artifact.artifact import Artifact
from tests.conftest import ARTIFACT, ROOT
from tests.optional import optional_artifact
from tests.service.conftest import running_server

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules" / ".bin"
PATIENCE = 240.0

LINES = ("text/csv", "application/x-ndjson")
"""Bodies that the Python client does not send."""


@dataclass(frozen=True)
class Served:
    """A running service, and a folder with its document."""

    url: str
    folder: Path
    document: dict[str, Any]

    @property
    def file(self) -> Path:
        return self.folder / "openapi.json"

    def post(self, path: str, body: object) -> Any:
        return httpx.post(f"{self.url}{path}", json=body, trust_env=False).json()

    def bodies(self, path: str) -> dict[str, Any]:
        """Return the document's examples of a body."""
        content = self.document["paths"][path]["post"]["requestBody"]["content"]
        examples = content["application/json"]["examples"]
        return {name: shown["value"] for name, shown in examples.items()}

    def example(self) -> dict[str, Any]:
        """Return the records and the table of the document, and a record out of range."""
        *records, record = self.bodies("/predict").values()
        fields = self.document["components"]["schemas"]["InputRecord"]["properties"]
        name, field = next((n, field) for n, field in fields.items() if "maximum" in field)
        bad = {**record, name: field["maximum"] + 1}
        table = self.bodies("/predict/batch")["table"]
        return {"records": [*records, record], "table": table, "bad": bad}


@pytest.fixture(scope="module", params=["heart", "moons", "iris", "optional"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    artifact = ROOT / "artifacts" / f"{request.param}.npz"
    if request.param == "optional":
        artifact = folder / "optional.npz"
        optional_artifact(Artifact.load(ARTIFACT)).save(artifact)
    with running_server(folder / "log", HEARTLINE_ARTIFACT=str(artifact)) as server:
        document = httpx.get(f"{server.url}/openapi.json", trust_env=False).json()
        served = Served(server.url, folder, document)
        served.file.write_text(json.dumps(document))
        yield served


def _ran(*command: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    """Return what a tool prints; fail where its exit code is not 0."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _assert_answers(found: Mapping[str, Any], served: Served) -> None:
    """Compare what a client got with what plain requests get."""
    example = served.example()
    batch = served.post("/predict/batch", {"instances": example["records"]})
    mixed = [*example["records"], example["bad"]]
    assert found == {
        "alone": [served.post("/predict", record) for record in example["records"]],
        "batch": batch,
        "labels": [row["label"] for row in batch["predictions"]],
        "reported": served.post("/predict/batch?on_error=report", {"instances": mixed}),
        "bad": [record is example["bad"] for record in mixed],
        "rows": served.post("/predict/batch", example["table"]),
        "faults": ["out_of_range"],
    }


def test_the_document_is_valid(served: Served) -> None:
    validate(served.document)


def test_spectral_has_nothing_to_say(served: Served) -> None:
    rules = HERE / "spectral.yaml"
    said = _ran(TOOLS / "spectral", "lint", "--fail-severity=hint", "--ruleset", rules, served.file)
    assert said.startswith("No results")


def test_a_python_client_predicts(served: Served) -> None:
    made = served.folder / "python"
    made.mkdir()
    said = _ran(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
        *("--config", HERE / "openapi-python-client.yaml"),
        *("--path", served.file, "--output-path", made / "heartline_client"),
    )
    left_out = [line for line in said.splitlines() if line.startswith("Unsupported ")]
    assert left_out == [f"Unsupported content type {lines}" for lines in LINES]
    assert said.count("WARNING") == len(LINES)
    example = served.folder / "example.json"
    example.write_text(json.dumps(served.example()))
    script = HERE / "call.py"
    found = _ran(sys.executable, script, served.url, example, PYTHONPATH=str(made))
    _assert_answers(json.loads(found), served)


def test_a_typescript_client_compiles_and_predicts(served: Served) -> None:
    made = served.folder / "typescript"
    made.mkdir()
    for name in ("package.json", "tsconfig.json", "call.ts"):
        shutil.copy(HERE / name, made)
    (made / "node_modules").symlink_to(HERE / "node_modules")
    _ran(TOOLS / "openapi-typescript", served.file, "-o", made / "schema.ts")
    (made / "example.ts").write_text(_as_typescript(served))
    _ran(TOOLS / "tsc", cwd=made)
    _assert_answers(json.loads(_ran("node", "built/call.js", cwd=made)), served)


def _as_typescript(served: Served) -> str:
    """Return a module whose constants the compiler compares with the types of the document."""
    example = served.example()
    types = {"records": '["InputRecord"][]', "table": '["Table"]', "bad": '["InputRecord"]'}
    return "\n".join(
        [
            'import type { components } from "./schema.js";',
            f"export const url = {json.dumps(served.url)};",
            *(
                f'export const {name}: components["schemas"]{type_} = {json.dumps(example[name])};'
                for name, type_ in types.items()
            ),
        ]
    )
