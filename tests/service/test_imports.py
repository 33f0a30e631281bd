from __future__ import annotations

import subprocess
import sys

import pytest

NOT_FOR_SERVING = {
    "pandas",
    "sklearn",
    "scipy",
    "matplotlib",
    "rich",
    "keras",
    "jax",
    "polars",
    "dask",
    "distributed",
    "httpx",
    "requests",
    "opentelemetry.sdk",
}


@pytest.mark.parametrize("module", ["service.app", "service.cli", "service.server"])
def test_the_service_loads_nothing_that_only_training_needs(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert module in loaded
    assert not loaded & NOT_FOR_SERVING
