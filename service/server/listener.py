"""The listening socket: bound before anything is started, and given up without losing a caller."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress

from model.errors import HeartlineError
from service.settings import Settings

IP_MINTTL = 21
IPV6_MINHOPCOUNT = 73
"""Linux's numbers, which the socket module does not have."""


class ListenError(HeartlineError):
    """An address that cannot be listened on."""


def bind(settings: Settings) -> socket.socket:
    """Return a socket that has the address, and does not listen yet.

    Raises
    ------
    ListenError
        When the address is taken, or is none.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with ExitStack() as closing:
            bound = closing.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            closing.pop_all()
    except OSError as error:
        reason = error.strerror or "not an address"
        raise ListenError(f"cannot listen on {shown_address(settings)}: {reason}") from None
    return bound


def shown_address(settings: Settings) -> str:
    """Return host and port as a URL has them: an IPv6 address is in brackets."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def refuse_connections(listening: socket.socket) -> None:
    """Let no more connections in, in all processes that share the socket; those made stay.

    When a listening socket closes, the kernel resets connections that were not accepted yet. So the
    socket is first set to drop SYN packets with a TTL below 255 (Linux), which almost all have. The
    client sends again after a second, and is refused then.
    """
    _hear_only(listening, 255)


def hear_again(accepted: socket.socket) -> None:
    """Accept packets of any TTL again on a connection that inherited the limit of its socket.

    What was dropped meanwhile is sent again by the client's system.
    """
    _hear_only(accepted, 0)


def _hear_only(connection: socket.socket, least_life: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may lack it, and then closes as others do
            if connection.family == socket.AF_INET6:
                connection.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, least_life)
            connection.setsockopt(socket.IPPROTO_IP, IP_MINTTL, least_life)
