"""The manifests of deploy/kubernetes, and what is asked of each form that is rendered of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from jsonschema import Draft202012Validator

from tests.conftest import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
SCHEMAS = KUBERNETES / "schemas"

Manifest: TypeAlias = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    """Return the documents of a file of YAML."""
    return list(yaml.safe_load_all(path.read_text()))


def of_kind(manifests: Iterable[Manifest], kind: str) -> Manifest:
    """Return the only one of a kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def pod_of(manifests: Iterable[Manifest]) -> Manifest:
    pod: Manifest = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]
    return pod


def variables(pod: Manifest) -> dict[str, str]:
    """Return the environment of the only container."""
    (container,) = pod["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def faults(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Yield what the operator's schemas refuse of its kinds."""
    for manifest in manifests:
        path = SCHEMAS / f"{manifest['kind'].lower()}.json"
        if path.exists():
            schema = json.loads(path.read_text())
            for error in Draft202012Validator(schema).iter_errors(manifest):
                yield f"{manifest['kind']}: {error.json_path}: {error.message}"
