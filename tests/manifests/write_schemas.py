"""Writes the schemas of the two kinds of the Prometheus Operator into a folder.

They are made from published models of the operator's custom resources. Objects are closed: an API
server drops what it does not know, so a misspelt field would be lost without an error.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cloudcoil.models.prometheus_operator import v1

PACKAGE = "cloudcoil.models.prometheus-operator"
KINDS = (v1.PrometheusRule, v1.ServiceMonitor)


def closed(schema: Any) -> Any:
    """Return the schema, with no other properties in an object than those it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in schema else inner


if __name__ == "__main__":
    for kind in KINDS:
        source = f"Made from {PACKAGE} {version(PACKAGE)}, Apache-2.0; objects are closed."
        schema = {"$comment": source, **closed(kind.model_json_schema(by_alias=True))}
        path = Path(sys.argv[1]) / f"{kind.__name__.lower()}.json"
        path.write_text(json.dumps(schema, indent=1) + "\n")
