"""The server's life: verified before it starts, stopped by a signal, ended with an honest code."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from functools import partial
from types import FrameType

import click
import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from model.artifact import Artifact
from model.errors import HeartlineError
from service.app import create_app
from service.logs import configure_logging
from service.settings import Settings

logger = logging.getLogger("heartline")


class StartError(HeartlineError):
    """A server that cannot start."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then return.

    Raises
    ------
    ArtifactError
        When the artifact fails a check; no worker has been started then.
    StartError
        When the address is taken, or a worker cannot start.
    """
    artifact = Artifact.load(settings.artifact, settings.artifact_sha256)
    configure_logging(settings.log_level)
    # uvicorn raises the signal again when it is done: that must not look like a crash.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    config = uvicorn.Config(
        partial(_worker_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    listening = _listen(settings)
    logger.info(
        "serving",
        extra={
            "url": f"http://{settings.host}:{settings.port}",
            "model": artifact.name,
            "model_version": artifact.version,
        },
    )
    if settings.workers == 1:
        server = uvicorn.Server(config)
        server.run([listening])
        failed = not server.started
    else:
        supervisor = Multiprocess(config, [listening])
        supervisor.run()
        failed = any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes)
    if failed:
        raise StartError("a worker could not start; its own line above says why")


def _worker_app(settings: Settings) -> FastAPI:
    """Return the application; the code tells the parent not to try such a start again."""
    try:
        return create_app(settings)
    except HeartlineError as error:
        click.echo(f"heartline: {error}", err=True)
        sys.exit(STARTUP_FAILURE)


def _listen(settings: Settings) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        reason = error.strerror or "not an address"
        raise StartError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None
    return listening


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
