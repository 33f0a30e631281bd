import json
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.processes import (
    COMMAND,
    run,
    served_url,
    started,
    stop,
    wait_until,
    wait_until_ready,
    workers_of,
)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_with_code_0(tmp_path: Path, workers: int, number: int) -> None:
    command = [COMMAND, "serve", "--workers", str(workers)]
    with started(command, tmp_path / "log") as process:
        port = wait_until_ready(process)
        assert stop(process, number) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/livez")


def broken_artifact(folder: Path, kind: str) -> Path:
    path = folder / "heart.npz"
    if kind == "cut short":
        path.write_bytes(ARTIFACT.read_bytes()[:-100])
    if kind == "of another card":
        shutil.copy(ARTIFACT, path)
        path.with_suffix(".json").write_text('{"sha256": "0"}')
    return path


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("kind", "check"),
    [("missing", "file"), ("cut short", "archive"), ("of another card", "digest")],
)
def test_a_bad_artifact_is_one_line_and_a_code(
    tmp_path: Path, kind: str, check: str, workers: str
) -> None:
    path = broken_artifact(tmp_path, kind)
    ended = run("serve", "--workers", workers, HEARTLINE_ARTIFACT=str(path))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"heartline: {path}: the {check} check failed: ")


def test_the_line_of_a_missing_artifact_says_how_to_name_one(tmp_path: Path) -> None:
    path = tmp_path / "none.npz"
    line = f"heartline: {path}: the file check failed: No such file or directory; "
    served = run("serve", HEARTLINE_ARTIFACT=str(path))
    assert served.stderr == (
        f"{line}set HEARTLINE_ARTIFACT or name the file: heartline serve FILE\n"
    )
    output = str(tmp_path / "scored.csv")
    scored = run("predict", "rows.csv", "-o", output, HEARTLINE_ARTIFACT=str(path))
    assert scored.stderr == f"{line}set HEARTLINE_ARTIFACT\n"
    assert (served.returncode, scored.returncode) == (1, 1)


def test_the_file_of_the_command_line_goes_before_the_setting(tmp_path: Path) -> None:
    file = str(ROOT / "artifacts" / "iris.npz")
    command = [COMMAND, "serve", file, "--workers", "2"]
    with started(command, tmp_path / "log", HEARTLINE_ARTIFACT=str(ARTIFACT)) as process:
        port = wait_until_ready(process)
        assert httpx.get(f"http://127.0.0.1:{port}/model").json()["name"] == "iris"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_is_one_line_and_a_code(workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run("serve", "--port", port, "--workers", workers)
    assert ended.returncode == 1
    assert ended.stderr == f"heartline: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["--workers", "0"], {}, "HEARTLINE_WORKERS: Input should be greater than or equal to 1"),
        ([], {"HEARTLINE_LOG_LEVEL": "loud"}, "HEARTLINE_LOG_LEVEL: Input should be "),
        ([], {"HEARTLINE_PORT": "http://10.0.0.1:80"}, "HEARTLINE_PORT: Input should be "),
        ([], {"HEARTLINE_API_KEY": "no-name-before-it"}, "HEARTLINE_API_KEY: no setting has this "),
        ([], {"HEARTLINE_API_KEYS": "no-name-before-it"}, "HEARTLINE_API_KEYS: entry 1 is not "),
        ([], {"HEARTLINE_API_KEYS_FILE": "nowhere"}, "HEARTLINE_API_KEYS_FILE: cannot be read: "),
        (
            ["--host", "nowhere.invalid"],
            {"HEARTLINE_PORT": ""},
            "cannot listen on nowhere.invalid:8000: ",
        ),
    ],
)
def test_a_bad_setting_is_one_line_and_a_code(
    arguments: list[str], variables: dict[str, str], line: str
) -> None:
    ended = run("serve", *arguments, **variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"heartline: {line}")
    assert ended.stderr.count("\n") == 1
    assert "no-name-before-it" not in ended.stderr


@pytest.mark.parametrize(
    ("host", "keys", "workers", "warnings"),
    [
        ("0.0.0.0", "", 2, 1),  # noqa: S104
        ("0.0.0.0", f"lab:{'k' * 16}", 1, 0),  # noqa: S104
        ("localhost", "", 1, 0),
        ("127.0.0.2", "", 1, 0),
    ],
)
def test_an_open_address_without_keys_is_warned_of_once_for_all_workers(
    tmp_path: Path, host: str, keys: str, workers: int, warnings: int
) -> None:
    log = tmp_path / "log"
    command = [COMMAND, "serve", "--host", host, "--workers", str(workers)]
    with started(command, log, HEARTLINE_API_KEYS=keys):
        # The second worker may still be on its way when the first is ready.
        wait_until(lambda: log.read_text().count("Application startup complete") == workers)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    found = [line["message"] for line in lines if line["level"] == "WARNING"]
    assert len(found) == warnings
    assert all("HEARTLINE_API_KEYS" in message for message in found)


def test_workers_that_cannot_start_end_the_service_with_a_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [COMMAND, "serve", "--workers", "2"]
    with started(command, log) as process:

        def has_ended() -> bool:
            for worker in workers_of(process):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            return process.poll() is not None

        wait_until(has_ended)
        assert process.returncode == 1
    assert log.read_text().endswith("heartline: no worker could start; see the log lines above\n")


def test_workers_start_with_the_model_that_was_verified(tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    shutil.copy(ARTIFACT, path)
    log = tmp_path / "log"
    command = [COMMAND, "serve", "--workers", "2"]
    with started(command, log, HEARTLINE_ARTIFACT=str(path)) as process:
        served_url(log)
        path.write_bytes(b"")
        wait_until_ready(process)


@pytest.mark.parametrize(
    ("flag", "own", "common"), [("taken", "0", "0"), ("", "taken", "0"), ("", "", "taken")]
)
def test_the_port_is_the_flag_then_heartline_port_then_port(
    flag: str, own: str, common: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        flag, own, common = (port if each == "taken" else each for each in (flag, own, common))
        arguments = ["--port", flag] if flag else []
        ended = run("serve", *arguments, HEARTLINE_PORT=own, PORT=common)
    assert ended.stderr == f"heartline: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_uvicorn_can_serve_the_factory_and_writes_our_log_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    uvicorn = str(Path(sys.executable).parent / "uvicorn")
    command = [uvicorn, "--factory", "service.app:create_app"]
    with started(command, log) as process:
        port = wait_until_ready(process)
        httpx.get(f"http://127.0.0.1:{port}/model?age=98765.4321")
    lines = log.read_text().splitlines()
    requests = [json.loads(line) for line in lines if "heartline.access" in line]
    assert {"method": "GET", "route": "/model", "status": 200}.items() <= requests[-1].items()
    assert "98765" not in log.read_text()
