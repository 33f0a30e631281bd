"""The machine and the versions that the figures hold for."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

MEASURED = ("fastapi", "heartline", "httptools", "numpy", "orjson", "pydantic", "uvicorn", "uvloop")
PEERS = Path(__file__).parent / "peers"


def describe() -> dict[str, object]:
    """Return what is recorded beside the figures."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in MEASURED},
            "peers": {
                path.parent.name: path.read_text().split()
                for path in sorted(PEERS.glob("*/requirements.txt"))
            },
        },
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
