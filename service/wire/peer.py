"""The peer: what the application knows of the other end of a connection."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

PEER = "peer"
"""Its name in the state of a request."""


class Peer:
    """The client of one connection.

    Attributes
    ----------
    has_left : bool
        Whether the connection is lost. The server ignores what is sent then, and an application
        that waits for a message of it would take a part of the body.
    """

    has_left = False


def check_peer(request: Request) -> None:
    """Check that there is still a client to answer.

    Raises
    ------
    ClientDisconnect
        When there is none.
    """
    peer: Peer | None = request.scope.get("state", {}).get(PEER)
    if peer is not None and peer.has_left:
        raise ClientDisconnect
