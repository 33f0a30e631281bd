from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from pydantic import SecretStr
from schemathesis.core.result import Ok
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.schemas import BaseSchema

from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.conftest import Server

CONFIG_FILE = Path(__file__).with_name("schemathesis.toml")


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    """Leave the streams to their own tests: of lines of text a schema says nothing."""
    operation = document["paths"].get("/predict/batch", {}).get("post", {})
    content = operation.get("requestBody", {}).get("content", {})
    for media_type in {*content} - {"application/json"}:
        del content[media_type]


CONFIG = schemathesis.Config.from_path(CONFIG_FILE)


def _tested_operations(schema: BaseSchema) -> Iterator[tuple[PhaseName, str]]:
    """Yield phase and operation of each scenario that passed; fail on the first finding."""
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.FatalError | events.NonFatalError), event
        if isinstance(event, events.EngineFinished):
            assert not event.failures, "\n\n".join(str(failure) for failure in event.failures)
        if isinstance(event, events.ScenarioFinished) and event.status is Status.SUCCESS:
            yield event.phase, event.recorder.label


def _operations(schema: BaseSchema) -> Iterator[str]:
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok().label


def _assert_contract_holds(schema: BaseSchema) -> None:
    tested = set(_tested_operations(schema))
    operations = set(_operations(schema))
    for phase in (PhaseName.COVERAGE, PhaseName.FUZZING):
        assert {label for name, label in tested if name is phase} == operations
    assert (PhaseName.EXAMPLES, "POST /predict") in tested


@pytest.mark.slow
@pytest.mark.usefixtures("logging_restored")
def test_every_answer_in_process_is_as_the_document_says() -> None:
    app = create_app(Settings(artifact=ARTIFACT, log_level="critical"))
    _assert_contract_holds(schemathesis.openapi.from_asgi("/openapi.json", app, config=CONFIG))


def test_every_answer_of_a_running_server_is_as_the_document_says(server: Server) -> None:
    url = f"{server.url}/openapi.json"
    _assert_contract_holds(schemathesis.openapi.from_url(url, config=CONFIG))


@pytest.mark.slow
@pytest.mark.usefixtures("logging_restored")
def test_with_keys_every_answer_is_as_the_document_says_and_none_comes_without() -> None:
    key = "k" * 32
    app = create_app(
        Settings(artifact=ARTIFACT, log_level="critical", api_keys=SecretStr(f"me:{key}"))
    )
    config = schemathesis.Config.from_path(CONFIG_FILE)
    config.projects.default.update(headers={"Authorization": f"Bearer {key}"})
    _assert_contract_holds(schemathesis.openapi.from_asgi("/openapi.json", app, config=config))
