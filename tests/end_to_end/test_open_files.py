"""The limit of open files: enough for every connection, or no start."""

from __future__ import annotations

import re
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    environment,
    started,
    wait_until_ready,
    workers_of,
)

MOST = 8
NEEDED = 2 * (MOST + 64) + 64
FILE = b"GET /static/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: heartline\r\n\r\n"


def serve(limits: str, workers: int = 1) -> list[str]:
    return ["sh", "-c", f"{limits}; exec {COMMAND} serve --workers {workers}"]


def test_too_few_open_files_are_one_line_and_a_code() -> None:
    ended = subprocess.run(
        serve(f"ulimit -n {NEEDED - 1}"),
        cwd=ROOT,
        env=environment(HEARTLINE_MAX_CONNECTIONS=str(MOST)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"heartline: HEARTLINE_MAX_CONNECTIONS: {MOST} connections need {NEEDED} open files, "
        f"and the system allows {NEEDED - 1}; lower the setting, or raise the limit (ulimit -n)\n"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_that_may_be_raised_is(tmp_path: Path, workers: int) -> None:
    command = serve(f"ulimit -Sn {NEEDED - 50}", workers)
    with started(command, tmp_path / "log", HEARTLINE_MAX_CONNECTIONS=str(MOST)) as process:
        wait_until_ready(process)
        for pid in {process.pid} | workers_of(process):
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(rf"^Max open files +{NEEDED} ", limits, flags=re.MULTILINE)


def test_probes_are_answered_whatever_others_hold(tmp_path: Path) -> None:
    command = serve(f"ulimit -n {NEEDED}")
    with (
        started(command, tmp_path / "log", HEARTLINE_MAX_CONNECTIONS=str(MOST)) as process,
        ExitStack() as stack,
    ):
        port = wait_until_ready(process)
        for _ in range(2 * NEEDED):
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            held.connect(("127.0.0.1", port))
            held.sendall(FILE)
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
