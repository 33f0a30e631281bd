"""What the tests of the model share: the training runs, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from model.artifact.artifact import Artifact
from model.data.heart import HEART_FILE
from model.recipes.recipes import find_recipe
from tests.conftest import ARTIFACT


@dataclass(frozen=True)
class Run:
    """A training run: what came out, and how many fits were reported on the way."""

    artifact: Artifact
    reported_fits: float


@pytest.fixture(scope="session")
def heart_run() -> Run:
    reports: list[float] = []
    artifact = find_recipe("heart").train(on_fit=reports.append)
    return Run(artifact, sum(reports))


@pytest.fixture(scope="session")
def moons_run() -> Artifact:
    return find_recipe("moons").train()


@pytest.fixture(scope="session")
def irises() -> list[Artifact]:
    """Runs of the iris recipe with ten seeds, the first of them its own."""
    return [find_recipe("iris").train(random_state=seed) for seed in range(10)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the served artifact, without its card."""
    path = tmp_path / "heart.npz"
    path.write_bytes(ARTIFACT.read_bytes())
    return path


@pytest.fixture(scope="session")
def heart_lines() -> list[str]:
    return HEART_FILE.read_text(encoding="ascii").splitlines()
