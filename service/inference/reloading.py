"""New models without a restart: a thread that reads the model's file again when it has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Literal, NamedTuple, TypeAlias

from model.artifact.artifact import Artifact
from model.errors import HeartlineError
from service.inference.model_file import ModelFile

logger = logging.getLogger("heartline.reload")


Outcome: TypeAlias = Literal["swapped", "unchanged", "refused"]

LEVELS: Mapping[Outcome, int] = {
    "swapped": logging.WARNING,
    "unchanged": logging.INFO,
    "refused": logging.ERROR,
}
"""What changes the answers is logged wherever the lines of requests are silenced too."""


class Reload(NamedTuple):
    """What became of one reading of the file."""

    outcome: Outcome
    artifact: Artifact
    """The one to serve: the old one where the new one was refused."""
    reason: str = ""
    """Why it was refused."""


class Reloader:
    """Reads a model's file again when it has changed, or on request.

    Used as a context; it stops when that is left.

    Parameters
    ----------
    file : ModelFile
        The file.
    use : callable
        Called with a new model: lets it answer, or raises and changes nothing.
    seconds : float
        How often the file is looked at.
    on_reload : callable
        Called, in the reloader's own thread, each time the file has been read.

    Notes
    -----
    A thread, for looking at a file may take for ever where it lies on a network; it is a daemon,
    for it must not keep the process from ending then.
    """

    def __init__(
        self,
        file: ModelFile,
        use: Callable[[Artifact], object],
        seconds: float,
        on_reload: Callable[[Reload], None],
    ) -> None:
        self._file = file
        self._use = use
        self._seconds = seconds
        self._on_reload = on_reload
        self._wake = Event()
        self._stopped = False

    def __enter__(self) -> Reloader:
        Thread(target=self._run, name="reloader", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped = True
        self._wake.set()

    def reload(self) -> None:
        """Read the file at once, changed or not."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            asked = self._wake.wait(self._seconds)
            if self._stopped:
                return
            self._wake.clear()
            try:
                if asked or self._file.has_changed():
                    self._on_reload(self._read_again())
            except Exception:
                # Whatever became of the model is done: this says nothing about it.
                logger.exception("a check for a new model file failed")

    def _read_again(self) -> Reload:
        try:
            is_new = self._file.read_again(self._use)
        except HeartlineError as error:
            return Reload("refused", self._file.artifact, str(error))
        except Exception as error:
            logger.exception("reloading the model failed")
            return Reload("refused", self._file.artifact, f"{type(error).__name__}, see above")
        return Reload("swapped" if is_new else "unchanged", self._file.artifact)


def log_reload(reload: Reload) -> None:
    """Write a line on what became of a reading."""
    logger.log(
        LEVELS[reload.outcome],
        "model %s",
        reload.outcome,
        extra={
            "pid": os.getpid(),
            "model_version": reload.artifact.version,
            **({"reason": reload.reason} if reload.reason else {}),
        },
    )
