"""What a process that answers does with its memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.conftest import ARTIFACT, ROOT

pytestmark = pytest.mark.slow

GLIBC_BOUNDS = {f"MALLOC_{name}_THRESHOLD_": str(2**17) for name in ("TRIM", "MMAP")}
"""Those that a process starts with; it raises them itself when it frees larger blocks."""

FAULTS_OF_BATCHES = """
import gc, json, resource, sys
from pathlib import Path
from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.server.memory import settle
from service.protocols.native.scoring import Scorer

scorer = Scorer(Artifact.load(Path(sys.argv[1])).predictor(), 1000)
body = json.dumps({"instances": [scorer.predictor.features.example()] * 1000}).encode()
if sys.argv[2] == "settled":
    settle()
else:
    gc.freeze()

def answer(batches):
    for _ in range(batches):
        bytearray(body), scorer.predict_batch(bytes(body))

answer(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
answer(50)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 50)
"""


def faults_of_a_batch(kind: str) -> float:
    """Return how many pages the kernel makes for each of 50 batches of 1,000 records."""
    command = [sys.executable, "-c", FAULTS_OF_BATCHES, str(ARTIFACT), kind]
    environment = {**os.environ, **GLIBC_BOUNDS}
    reported = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return float(reported.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_batch_finds_the_memory_of_the_one_before() -> None:
    assert faults_of_a_batch("settled") < 10 < faults_of_a_batch("as it comes")
