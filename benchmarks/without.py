"""Heartline without one of its speed-ups: ``python -m benchmarks.without NAME serve ...``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import uvicorn
from pydantic_core import from_json

from service.cli import main as heartline
from service.connections.fast_connection import FastProtocol
from service.connections.joining_transport import JoiningTransport
from service.protocols.native.fast_path import FastPath
from service.server.worker import protocol
from service.wire.record_reader import RecordReader

NATIVE = "service.protocols.native"
FAST_CONNECTION = "service.connections.fast_connection"


def _slow_protocol(_: Any, *others: Any) -> Any:
    return protocol(None, *others)


class _PydanticDecoder:
    """Decodes a record by pydantic-core."""

    @staticmethod
    def decode(body: bytes) -> dict[str, Any]:
        record = from_json(body)
        return {name: float(cell) if type(cell) is int else cell for name, cell in record.items()}


plain_reader = RecordReader.__init__


def _pydantic_reader(self: Any, features: Any) -> None:
    plain_reader(self, features)
    self._record = _PydanticDecoder


plain_config = uvicorn.Config.__init__


def _asyncio_config(self: Any, *others: Any, **named: Any) -> None:
    plain_config(self, *others, **{**named, "loop": "asyncio"})


answer = FastPath.answer


def _answer_and_log(self: Any, *request: Any) -> bytes | None:
    answered = answer(self, *request)
    self.log()
    return answered


takes = FastProtocol._takes
wait_for_client = FastProtocol._wait_for_client


def _takes_whole_requests(self: Any, data: bytes) -> bool:
    is_taken = takes(self, data)
    return is_taken and not self._take_begun()


def _takes_with_new_start(self: Any, data: bytes) -> bool:
    self._own_headers = None
    return takes(self, data)


def _wait_with_new_timer(self: Any) -> None:
    if self.timeout_keep_alive_task:
        self.timeout_keep_alive_task.cancel()
        self.timeout_keep_alive_task = None
    wait_for_client(self)


REPLACEMENTS: Mapping[str, tuple[str, Any]] = {
    "fast-connection": ("service.server.worker.protocol", _slow_protocol),
    "known-heads": (f"{NATIVE}.plain_heads.KnownHeads._remember", lambda *_: None),
    "turns": (f"{FAST_CONNECTION}.Turn.wait", lambda _, connection: connection._answer_now()),
    "joining": (
        "service.connections.joining_transport.JoiningTransport.write",
        JoiningTransport.write_whole,
    ),
    "rest-of-body": (f"{FAST_CONNECTION}.FastProtocol._takes", _takes_whole_requests),
    "single-row": ("model.inference.single_row.SingleRow.computes", lambda _: False),
    "ids": (f"{NATIVE}.fast_path.new_request_id", lambda: uuid4().hex),
    "msgspec": ("service.wire.record_reader.RecordReader.__init__", _pydantic_reader),
    "memory": ("service.server.worker.settle", lambda: None),
    "uvloop": ("uvicorn.Config.__init__", _asyncio_config),
    "direct-lines": (f"{NATIVE}.fast_path.only_json_handler", lambda: None),
    "turn-lines": (f"{NATIVE}.fast_path.FastPath.answer", _answer_and_log),
    "lines-together": (
        "service.observability.line_handler.LineHandler._schedules_write",
        lambda _: False,
    ),
    "no-thread": ("service.observability.log_writer.LineWriter._is_idle", lambda _: False),
    "known-starts": (f"{FAST_CONNECTION}.FastProtocol._takes", _takes_with_new_start),
    "one-timer": (f"{FAST_CONNECTION}.FastProtocol._wait_for_client", _wait_with_new_timer),
    "nothing": ("uvicorn.Config.__init__", plain_config),
}
"""What stands in the place of each speed-up."""


def main() -> None:
    """Serve with the replacement."""
    target, replacement = REPLACEMENTS[sys.argv.pop(1)]
    patch(target, replacement).start()
    heartline()


if __name__ == "__main__":
    main()
