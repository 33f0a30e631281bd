"""Planted defects: proxies that treat a connection as an earlier version of the server did."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import ClassVar

OFTEN = 10
"""One in so many half-closed connections loses its answer."""


class Proxy(BaseRequestHandler):
    """Forwards the requests of a client and the answers to it."""

    port: ClassVar[int]

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            back = Thread(target=self._pass_back, args=(server,))
            back.start()
            with suppress(OSError):
                while sent := self.request.recv(2**16):
                    server.sendall(self.passed(sent))
                self.at_end(server)
            back.join()

    def passed(self, sent: bytes) -> bytes:
        """Return what the server gets of a piece from the client."""
        return sent

    def at_end(self, server: socket.socket) -> None:
        """Close the sending half, as the client has done."""
        server.shutdown(socket.SHUT_WR)

    def _pass_back(self, server: socket.socket) -> None:
        with suppress(OSError):
            while answered := server.recv(2**16):
                self.request.sendall(answered)
            self.request.shutdown(socket.SHUT_WR)


class LosesWhatIsHeld(Proxy):
    """Closes some connections when the client closes its sending half, before the answer."""

    number = count(1)

    def at_end(self, server: socket.socket) -> None:
        if next(self.number) % OFTEN == 0:
            self.request.shutdown(socket.SHUT_WR)
        super().at_end(server)


class LosesBodiesOfUpgrades(Proxy):
    """Drops the body of a request with an Upgrade header."""

    def passed(self, sent: bytes) -> bytes:
        if b"\r\nupgrade: " not in sent:
            return sent
        head, _, _ = sent.partition(b"\r\n\r\n")
        return re.sub(rb"\r\ncontent-length: \d+", b"\r\ncontent-length: 0", head) + b"\r\n\r\n"


@contextmanager
def proxied(port: int, proxy: type[Proxy]) -> Iterator[int]:
    """Run a proxy in front of a server, and yield its port."""
    handler = type(proxy.__name__, (proxy,), {"port": port})
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
