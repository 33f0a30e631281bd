"""The OpenAPI document: FastAPI's, with the schemas that the model brings."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any, NamedTuple

from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from model.artifact.artifact import Artifact
from service.errors import Unauthorized
from service.http.keys import is_open
from service.http.problems import MEDIA_TYPE, kind_of, problem_body

ON_ERROR = {
    "name": "on_error",
    "in": "query",
    "description": "What happens to rows with faults. `refuse`: one such row rejects the whole "
    "body, with 422. `report`: each row gets a result in its place, a row with faults gets its "
    "`errors`, and the status is 200.",
    "schema": {"type": "string", "enum": ["refuse", "report"], "default": "refuse"},
}


NULL = "\0null"
"""In place of null in the example of a body: FastAPI leaves null out of the document."""


class Example(NamedTuple):
    """An example of a response, computed by the served model."""

    operation: str
    """Its id."""

    value: object
    """The body."""

    status: int = 200
    media_type: str = "application/json"


def json_body(examples: Mapping[str, tuple[str, object]], *schemas: str) -> dict[str, Any]:
    """Return a route's `openapi_extra` for a JSON body of one of the components' schemas."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _one_of(*schemas),
                    "examples": {
                        name: {"summary": summary, "value": _replaced(value, None, NULL)}
                        for name, (summary, value) in examples.items()
                    },
                }
            },
        }
    }


def _replaced(value: Any, old: object, new: object) -> Any:
    """Return a JSON document in which one value replaces every occurrence of another."""
    if isinstance(value, dict):
        return {name: _replaced(part, old, new) for name, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, old, new) for part in value]
    return new if value == old else value


def batch_body(examples: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes records in any form.

    Parameters
    ----------
    examples : mapping of str to (str, dict)
        Summaries and records.
    """
    batches = {name: (summary, {"instances": [row]}) for name, (summary, row) in examples.items()}
    (*_, (_, record)) = examples.values()
    table = {"columns": [*record], "data": [[*record.values()]]}
    shown = {**batches, "table": ("Column names once, and values in rows", table)}
    body = json_body(shown, "Batch", "Table")
    for media_type, text in as_lines(record).items():
        lines = {"schema": {"type": "string"}, "example": text}
        body["requestBody"]["content"][media_type] = lines
    return {**body, "parameters": [ON_ERROR]}


def as_lines(record: Mapping[str, Any]) -> dict[str, str]:
    """Return a body of one record by each media type of lines."""
    rows = StringIO()
    csv.writer(rows, lineterminator="\n").writerows([record, record.values()])
    return {"text/csv": rows.getvalue(), "application/x-ndjson": f"{json.dumps(record)}\n"}


def batch_answers(*problems: Exception) -> dict[int | str, Any]:
    """Return the `responses` of that route."""
    found = answers(("BatchPrediction", "TablePrediction"), "The predictions", *problems)
    for media_type in ("text/csv", "application/x-ndjson"):
        found[200]["content"][media_type] = {"schema": {"type": "string"}}
    return found


def answers(
    schemas: str | tuple[str, ...], description: str, *problems: Exception
) -> dict[int | str, Any]:
    """Return a route's `responses`: the good answer and the problems that it may give.

    Each problem is shown as the answer to this very exception. What depends on the model, the
    good answer for one, is added by `model_document`.
    """
    schemas = (schemas,) if isinstance(schemas, str) else schemas
    content = {"application/json": {"schema": _one_of(*schemas)}}
    return {200: {"description": description, "content": content}, **_problems(*problems)}


def text_answers(description: str) -> dict[int | str, Any]:
    """Return the `responses` of a route that answers in plain text."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": content}, **_problems()}


def _problems(*problems: Exception) -> dict[int | str, Any]:
    return {
        kind_of(problem).status: _problem_answer(problem) for problem in (*problems, Exception())
    }


def routes_document(app: FastAPI, types: Mapping[str, Any], *, needs_keys: bool) -> bytes:
    """Return the part of the document that is the same for every model that may be served.

    Parameters
    ----------
    app : FastAPI
        With all its routes.
    types : mapping
        Those that the references above name.
    needs_keys : bool
        Whether requests need an API key.
    """
    document: dict[str, Any] = _replaced(app.openapi(), NULL, None)
    document["components"] = {"schemas": _schemas(types)}
    if needs_keys:
        _add_security(document)
    return to_json(document)


def model_document(
    of_the_routes: bytes, artifact: Artifact, examples: Iterable[Example]
) -> dict[str, Any]:
    """Return the document with what one model brings: its name, its use and examples of answers."""
    document: dict[str, Any] = from_json(of_the_routes)
    about = artifact.about
    document["info"] |= {
        "summary": f"The model {artifact.name}, version {artifact.version}",
        "description": f"{about['intended_use']} Not for: {about['not_for']}",
    }
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    for operation, value, status, media_type in examples:
        answer = operations[operation]["responses"][str(status)]
        answer["content"][media_type]["example"] = value
    return document


def _add_security(document: dict[str, Any]) -> None:
    """Declare the API key, and which operations need one."""
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "http", "scheme": "bearer", "description": "A key of this service."}
    }
    for path, operations in document["paths"].items():
        for operation in () if is_open(path) else operations.values():
            operation["security"] = [{"ApiKey": []}]
            operation["responses"]["401"] = _problem_answer(Unauthorized())


def _problem_answer(problem: Exception) -> dict[str, Any]:
    shown = {"schema": _reference("Problem"), "example": problem_body(problem)}
    return {"description": kind_of(problem).title, "content": {MEDIA_TYPE: shown}}


def _one_of(*schemas: str) -> dict[str, Any]:
    references = [_reference(schema) for schema in schemas]
    return {"oneOf": references} if len(references) > 1 else references[0]


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _schemas(types: Mapping[str, Any]) -> dict[str, Any]:
    _, definitions = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(type_)) for name, type_ in types.items()],
        ref_template="#/components/schemas/{model}",
    )
    return dict(definitions["$defs"])
