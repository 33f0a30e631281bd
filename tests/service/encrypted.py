"""Clients of both kinds: plain, and over TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.end_to_end.certificates import Certificate
from tests.service.connections import PATIENCE


@dataclass(frozen=True)
class Client:
    """Connects to a server, over TLS where there is a context."""

    address: tuple[str, int]
    context: ssl.SSLContext | None

    @contextmanager
    def silent(self) -> Iterator[socket.socket]:
        """Connect, and begin no handshake; take little from the kernel at once."""
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(PATIENCE)
            connection.connect(self.address)
            yield connection

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with self.silent() as connection:
            if self.context is None:
                yield connection
            else:
                with self.context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
                    yield secured


def trusting(service: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=service.certificate)
