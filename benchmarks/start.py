"""Start and memory, beside a bare interpreter that imports what the service is built on."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import heartline
from benchmarks.figures import Figures, in_turns, medians, seconds
from benchmarks.patients import Patients
from benchmarks.servers import SERVER_CORES, Question, running
from benchmarks.serving import CONNECTIONS
from benchmarks.wrk import load
from tests.conftest import ARTIFACT

IMPORTS = "import fastapi, numpy, uvicorn"
STARTS = 3
"""Of both, in turns."""

READY = Question("GET", "/readyz", b"")


def measure(folder: Path) -> Figures:
    """Return seconds to the first 200 of /readyz, resident memory after a load, and ratios."""
    server = heartline.quiet(Patients(ARTIFACT))

    def start() -> float:
        with running(replace(server, ready=READY), folder / "start.log") as started:
            return started.seconds_to_start

    def resident() -> float:
        with running(server, folder / "start.log") as started:
            load(started.port, server.record, CONNECTIONS, 1)
            return started.resident_mib()

    figures = medians(in_turns(STARTS, start_seconds=start, bare_seconds=_bare_seconds))
    figures |= {"resident_mib": resident(), "bare_resident_mib": _bare_resident_mib()}
    return figures | {
        "start_ratio": figures["start_seconds"] / figures["bare_seconds"],
        "resident_ratio": figures["resident_mib"] / figures["bare_resident_mib"],
    }


def _bare_seconds() -> float:
    words = ["taskset", "-c", SERVER_CORES, sys.executable, "-c", IMPORTS]
    return seconds(partial(subprocess.run, words, check=True))


def _bare_resident_mib() -> float:
    """Ask a process for its memory after the imports."""
    code = f"{IMPORTS}; print(*open('/proc/self/statm'))"
    words = [sys.executable, "-c", code]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return int(output.split()[1]) * resource.getpagesize() / 2**20
