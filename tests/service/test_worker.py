"""A worker, as it is when it begins to answer."""

from __future__ import annotations

import gc
import socket

import pytest

from service.inference.model_file import ModelFile
from service.observability.metrics.slots import Slots
from service.server.worker import Server, answer
from service.settings import Settings
from tests.conftest import ARTIFACT


def test_the_collector_leaves_alone_what_is_there_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(Server, "run", lambda *_: frozen.append(gc.get_freeze_count()))
    settings = Settings(artifact=ARTIFACT)
    try:
        with socket.socket() as listening:
            answer(settings, ModelFile(settings), Slots(), listening)
    finally:
        gc.unfreeze()
    (objects,) = frozen
    assert objects > 10_000
