"""The parent of several workers: they share one socket, and one that dies is replaced."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType
from typing import cast

from model.artifact.artifact import Artifact
from model.errors import HeartlineError
from service.app import try_model
from service.inference.model_file import ModelFile
from service.inference.reloading import Reloader, log_reload
from service.observability.logs import configure_logging
from service.observability.metrics.slots import SharedSlots
from service.server.listener import refuse_connections
from service.server.worker import ACCEPT_SECONDS, ASK_SECONDS, answer
from service.settings import Settings

TICK_SECONDS = 0.1
START_SECONDS = 60.0
"""A worker that takes longer to start is taken to hang."""
RETRY_SECONDS = 10.0
"""A worker that could not start is tried again no sooner."""
LAST_CALL_SECONDS = ACCEPT_SECONDS + ASK_SECONDS + 5.0
"""What a worker may need to stop, beyond the configured times."""

SPAWN = multiprocessing.get_context("spawn")

logger = logging.getLogger("heartline.workers")


class WorkersError(HeartlineError):
    """Workers that cannot start, or do not stop."""


class Worker:
    """A process that answers, as its parent sees it.

    Parameters
    ----------
    settings : Settings
        All of them.
    file : ModelFile
        The last good model.
    slots : SharedSlots
        Where it counts.
    listening : socket
        Shared by all workers.

    Attributes
    ----------
    process : multiprocessing.Process
        The process.
    pid : int
        Its id.
    has_started : bool
        Whether its event loop has ever turned.
    """

    def __init__(
        self, settings: Settings, file: ModelFile, slots: SharedSlots, listening: socket.socket
    ) -> None:
        self._timeout = settings.worker_timeout_seconds
        self._beats, beats = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(
            target=_work, args=(settings, file, slots, listening, beats), daemon=True
        )
        self.process.start()
        self.pid = cast(int, self.process.pid)  # it has one, for it has been started
        beats.close()
        self.has_started = False
        self._heard = time.monotonic()

    def is_well(self) -> bool:
        """Return whether it runs and its event loop has responded recently."""
        with suppress(EOFError):
            while self._beats.poll():
                self._beats.recv_bytes()
                if not self.has_started:
                    self.has_started = True
                    logger.info("a worker has started", extra={"pid": self.pid})
                self._heard = time.monotonic()
        patience = self._timeout if self.has_started else START_SECONDS
        return self.process.is_alive() and time.monotonic() - self._heard < patience


class Supervisor:
    """Starts the workers, replaces those that die or hang, and stops them.

    Parameters
    ----------
    settings : Settings
        All of them.
    file : ModelFile
        The verified model. The parent follows the file as its workers do, so that a new worker
        starts with the last good model whatever lies there now.
    slots : SharedSlots
        Where the workers count together.
    listening : socket
        Bound.
    """

    def __init__(
        self, settings: Settings, file: ModelFile, slots: SharedSlots, listening: socket.socket
    ) -> None:
        self._settings = settings
        self._file = file
        self._slots = slots
        self._listening = listening
        self._workers: list[Worker] = []
        self._no_start_before = 0.0
        self._is_stopping = self._is_to_reload = False

    def run(self) -> None:
        """Keep the workers going until SIGTERM or SIGINT.

        Raises
        ------
        WorkersError
            When no worker can start, or one does not stop.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)
        seconds = self._settings.reload_seconds
        with Reloader(self._file, self._try, seconds, log_reload) as reloader:
            while not self._is_stopping:
                self._tend()
                self._tell_to_reload(reloader)
                time.sleep(TICK_SECONDS)
        self._stop()

    def _try(self, artifact: Artifact) -> None:
        """Let a new model answer here once, as the workers do before they use it."""
        try_model(self._settings, self._file.holding(artifact))

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        if self._is_stopping and number == signal.SIGINT:
            for worker in self._workers:
                worker.process.kill()
        self._is_stopping = True

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._is_to_reload = True

    def _tend(self) -> None:
        """Replace the workers that are not well."""
        for worker in [worker for worker in self._workers if not worker.is_well()]:
            self._workers.remove(worker)
            self._bury(worker)
        missing = self._settings.workers - len(self._workers)
        for _ in range(missing):
            if time.monotonic() >= self._no_start_before:
                self._start()
        if not self._workers:
            raise WorkersError("no worker could start; see the log lines above")

    def _start(self) -> None:
        try:
            self._workers.append(Worker(self._settings, self._file, self._slots, self._listening))
        except OSError as error:
            logger.exception("a worker cannot be started", extra={"reason": error.strerror})
            self._no_start_before = time.monotonic() + RETRY_SECONDS

    def _bury(self, worker: Worker) -> None:
        worker.process.kill()
        worker.process.join()
        logger.error(
            "a worker ended",
            extra={
                "pid": worker.pid,
                "exit_code": worker.process.exitcode,
                "had_started": worker.has_started,
            },
        )
        if not worker.has_started:
            self._no_start_before = time.monotonic() + RETRY_SECONDS

    def _tell_to_reload(self, reloader: Reloader) -> None:
        # A worker that is still starting would die of the signal.
        if self._is_to_reload and all(worker.has_started for worker in self._workers):
            self._is_to_reload = False
            reloader.reload()
            for worker in self._workers:
                os.kill(worker.pid, signal.SIGHUP)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        self._wait(self._settings.drain_seconds)
        refuse_connections(self._listening)
        self._listening.close()
        self._wait(LAST_CALL_SECONDS + self._settings.finish_seconds)
        late = [worker.process for worker in self._workers if worker.process.is_alive()]
        for process in late:
            process.kill()
        if late:
            raise WorkersError(f"{len(late)} workers did not stop in time and were killed")

    def _wait(self, seconds: float) -> None:
        """Wait until all workers have ended, but no longer than this."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(w.process.is_alive() for w in self._workers):
            time.sleep(TICK_SECONDS)


def _work(
    settings: Settings,
    file: ModelFile,
    slots: SharedSlots,
    listening: socket.socket,
    beats: Connection,
) -> None:
    """Be a worker."""
    # Ctrl-C reaches all processes of a terminal; the parent says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logging(settings.log_level, settings.log_format)

    async def beat() -> None:
        try:
            beats.send_bytes(b"1")
        except BrokenPipeError:
            # Without the parent, this worker would neither be replaced nor stopped.
            signal.raise_signal(signal.SIGTERM)

    answer(settings, file, slots, listening, beat)
