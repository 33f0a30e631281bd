"""What an operator sees of a mistake is what docs/deploy.md shows."""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from model.artifact.card import card_path
from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.balancers import PAGE
from tests.end_to_end.certificates import self_signed
from tests.end_to_end.processes import (
    COMMAND,
    logged,
    run,
    started,
    wait_until,
    wait_until_ready,
)
from tests.model.corruption import with_metadata

pytestmark = pytest.mark.slow


def missing(folder: Path) -> dict[str, str]:
    return {"HEARTLINE_ARTIFACT": str(folder / "model.npz")}


def newer(folder: Path) -> dict[str, str]:
    path = folder / "model.npz"
    path.write_bytes(with_metadata({"format_version": 3}))
    return {"HEARTLINE_ARTIFACT": str(path)}


def cut_short(folder: Path) -> dict[str, str]:
    path = folder / "model.npz"
    path.write_bytes(ARTIFACT.read_bytes()[:5000])
    return {"HEARTLINE_ARTIFACT": str(path)}


def of_another_digest(folder: Path) -> dict[str, str]:
    return {"HEARTLINE_ARTIFACT_SHA256": "0" * 64}


def without_secret(folder: Path) -> dict[str, str]:
    return {"HEARTLINE_API_KEYS_FILE": str(folder / "keys")}


def wrong_keys(folder: Path) -> dict[str, str]:
    (folder / "keys").write_text("laboratory:too-short\n")
    return {"HEARTLINE_API_KEYS_FILE": str(folder / "keys")}


def key_of_another_certificate(folder: Path) -> dict[str, str]:
    one, other = (self_signed(folder, name) for name in ("one", "other"))
    return {
        "HEARTLINE_SSL_CERTFILE": str(one.certificate),
        "HEARTLINE_SSL_KEYFILE": str(other.key),
    }


def misspelt(folder: Path) -> dict[str, str]:
    return {"HEARTLINE_API_KEY": "name:0123456789abcdef"}


MISTAKES = [
    missing,
    cut_short,
    newer,
    of_another_digest,
    without_secret,
    wrong_keys,
    key_of_another_certificate,
    misspelt,
]


def shown(text: str, folder: Path) -> str:
    """Return an error as the page has it: without what is this machine's or this model's own."""
    text = (
        text.strip().replace(f"{folder}/", "/models/").replace(str(ARTIFACT), "/models/model.npz")
    )
    return re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text.partition(" (_ssl.c")[0])


@pytest.mark.parametrize("make", MISTAKES)
def test_the_page_shows_the_error_of_a_mistake(
    tmp_path: Path, make: Callable[[Path], dict[str, str]]
) -> None:
    variables = {"HEARTLINE_ARTIFACT": str(ARTIFACT), **make(tmp_path)}
    ended = run("serve", **variables)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"\n{shown(ended.stderr, tmp_path)}\n" in PAGE.read_text()


def test_the_page_shows_the_error_of_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run("serve", HEARTLINE_PORT=str(port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"\n{ended.stderr.strip().replace(str(port), '8000')}\n" in PAGE.read_text()


def test_the_page_shows_what_a_running_service_logs_of_a_model_for_other_clients(
    tmp_path: Path,
) -> None:
    model, log = tmp_path / "model.npz", tmp_path / "log"
    copy_model(ARTIFACT, model)
    with started([COMMAND, "serve"], log, HEARTLINE_ARTIFACT=str(model)) as process:
        wait_until_ready(process)
        copy_model(ROOT / "artifacts" / "iris.npz", model)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: '"model refused"' in log.read_text())
        (line,) = (line for line in logged(log) if line["message"] == "model refused")
    assert f"\n{shown(line['reason'], tmp_path)}\n" in PAGE.read_text()


def copy_model(source: Path, target: Path) -> None:
    for path, copy in ((card_path(source), card_path(target)), (source, target)):
        shutil.copy(path, copy)
