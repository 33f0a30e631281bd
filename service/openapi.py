"""The OpenAPI document: FastAPI's, with the schemas that the model brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from service.problems import KINDS, MEDIA_TYPE, problem_document


def json_body(schema: str, examples: Mapping[str, tuple[str, object]]) -> dict[str, Any]:
    """Return a route's `openapi_extra` for a JSON body of a schema of the components."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _reference(schema),
                    "examples": {
                        name: {"summary": summary, "value": value}
                        for name, (summary, value) in examples.items()
                    },
                }
            },
        }
    }


def answers(
    schema: str, description: str, example: object, *problems: type[Exception]
) -> dict[int | str, Any]:
    """Return a route's `responses`: the good answer and the problems that it may give."""
    responses: dict[int | str, Any] = {
        200: {
            "description": description,
            "content": {"application/json": {"schema": _reference(schema), "example": example}},
        }
    }
    for problem in (*problems, Exception):
        kind = KINDS[problem]
        responses[kind.status] = {
            "description": kind.title,
            "content": {
                MEDIA_TYPE: {
                    "schema": _reference("Problem"),
                    "example": problem_document(kind, kind.detail or "What to change."),
                }
            },
        }
    return responses


def add_components(app: FastAPI, types: Mapping[str, Any]) -> None:
    """Put the schemas of types, by name, where the references above point to."""
    of_the_routes = app.openapi

    def document() -> dict[str, Any]:
        made = of_the_routes()
        made.setdefault("components", {"schemas": _schemas(types)})
        return made

    app.openapi = document  # type: ignore[method-assign]


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _schemas(types: Mapping[str, Any]) -> dict[str, Any]:
    _, definitions = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(type_)) for name, type_ in types.items()],
        ref_template="#/components/schemas/{model}",
    )
    return dict(definitions["$defs"])
