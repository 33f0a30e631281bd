"""Open files: as many as the connections may need, or the service does not start.

A process that has none left cuts off every new connection, the probes' too.
"""

from __future__ import annotations

import resource

from service.connections.connection_limit import SPARE_CONNECTIONS
from service.settings import Settings, SettingsError

FILES_PER_CONNECTION = 2
"""Its socket, and a static file that is sent over it."""

OTHER_FILES = 64
"""The log, the listening socket, the model, the event loop, and room for libraries."""


def allow_open_files(settings: Settings) -> None:
    """Raise the process's own limit of open files where it is too low; workers inherit it.

    Raises
    ------
    SettingsError
        When the system does not allow as many as the connections may need.
    """
    connections = settings.max_connections + SPARE_CONNECTIONS
    needed = FILES_PER_CONNECTION * connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError):
        raise SettingsError(
            f"HEARTLINE_MAX_CONNECTIONS: {settings.max_connections} connections need {needed} "
            f"open files, and the system allows {hard}; lower the setting, or raise the limit "
            "(ulimit -n)"
        ) from None
