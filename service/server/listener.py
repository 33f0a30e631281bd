"""The listening socket: bound before anything is started, and given up without losing a caller."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress

from model.errors import HeartlineError
from service.settings import Settings

IP_MINTTL = 21
IPV6_MINHOPCOUNT = 73
"""Linux's numbers; the socket module does not tell them."""


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

    The kernel resets what has connected and was not accepted when a listening socket closes. So
    the door is shut first, where the system can (Linux): the socket is told to hear only packets
    that nobody has passed on and that started with the longest life, which next to none do.
    Whoever knocks is not heard, tries again in a second, and is refused properly then.
    """
    _hear_only(listening, 255)


def hear_again(accepted: socket.socket) -> None:
    """Hear who came in at the very moment that the door was shut, and took its deafness over.

    What has been sent meanwhile is sent again by the caller's system.
    """
    _hear_only(accepted, 0)


def _hear_only(connection: socket.socket, least_life: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may lack it, and then closes as others do
            if connection.family == socket.AF_INET6:
                connection.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, least_life)
            connection.setsockopt(socket.IPPROTO_IP, IP_MINTTL, least_life)
