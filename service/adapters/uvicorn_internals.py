"""uvicorn's insides: the only file that imports them.

The limits of a connection, its framing and the fast path are built into uvicorn's protocol and
server, which have no public interface for them. A new minor version may change any of this:
`versions` refuses one that this was not written for, and `scripts/canary` tries the newest.
"""

from uvicorn.protocols.http.flow_control import CLOSE_HEADER, HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

__all__ = [
    "CLOSE_HEADER",
    "HIGH_WATER_LIMIT",
    "STATUS_LINE",
    "FlowControl",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "ServerState",
]
