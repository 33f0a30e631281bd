"""The server's life: verified before anything starts, one process or several, honest exit codes."""

from __future__ import annotations

import ipaddress
import logging
import signal
import sys
from types import FrameType

from pydantic import SecretStr

from service.adapters.versions import check_versions
from service.app import try_model
from service.http.keys import read_keys
from service.inference.model_file import ModelFile
from service.observability.logs import configure_logging
from service.observability.metrics.predicted_rows import cells_of
from service.observability.metrics.slots import SharedSlots, Slots
from service.observability.telemetry import make_tracer_provider
from service.server.listener import bind, shown_address
from service.server.open_files import allow_open_files
from service.server.supervisor import Supervisor
from service.server.tls import tls_context
from service.server.worker import answer
from service.settings import Settings

logger = logging.getLogger("heartline")


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then return.

    Raises
    ------
    VersionError
        When a package is installed in another version than the service was written for.
    ArtifactError
        When the artifact fails a check; nothing has been started then.
    SettingsError
        When the API keys, the files of TLS or the variables of tracing cannot be used, or the
        system does not allow as many open files as the connections may need.
    ListenError
        When the address is taken, or is none.
    WorkersError
        When no worker can start, or one does not stop.
    UnservableError
        When the model does not answer the example in every form.
    """
    check_versions()
    file = ModelFile(settings)
    keys = read_keys(settings)
    if keys:  # every worker has these, whatever becomes of the file
        once = {"api_keys": SecretStr(keys.as_digests), "api_keys_file": None}
        settings = settings.model_copy(update=once)
    tls = tls_context(settings)
    allow_open_files(settings)
    if settings.workers > 1:
        try_model(settings, file)  # else each of the workers would end with the same fault
    if spans := make_tracer_provider(settings):
        spans.shutdown()  # it can be made: each worker makes its own
    configure_logging(settings.log_level, settings.log_format)
    # Until there is a service to stop or to notify of a new model.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listening = bind(settings)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    if keys is None and not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        logger.warning(
            "the service listens on a public address without authentication: set "
            "HEARTLINE_API_KEYS, or authenticate clients in a proxy"
        )
    logger.info(
        "serving",
        extra={
            "url": f"{'https' if tls else 'http'}://{shown_address(settings)}",
            "model": file.artifact.name,
            "model_version": file.artifact.version,
        },
    )
    if settings.workers == 1:
        answer(settings, file, Slots(cells_of(file.artifact)), listening)
    else:
        slots = SharedSlots.create(cells_of(file.artifact))
        Supervisor(settings, file, slots, listening).run()


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
