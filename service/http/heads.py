"""What the head of a request must be beyond what the parser checks: RFC 9110 and RFC 9112."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv6Address

from service.errors import NotHttp, NotImplementedHere

VERSIONS = ("1.1", "1.0")

PLAIN = rb"[A-Za-z0-9._~!$&'()*+,;=-]"
NAMED_HOST = re.compile(rb"(?!:)%b*(?:%%[0-9A-Fa-f]{2}%b*)*(?::[0-9]{0,5})?" % (PLAIN, PLAIN))
"""RFC 3986's reg-name, which an IPv4 address is too, and a port; or nothing at all, from a client
whose URI has no authority (RFC 9112, section 3.2)."""

LITERAL_HOST = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::[0-9]{0,5})?")
"""RFC 3986's IP-literal of IPv6, and a port."""


def check_head(version: str, headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Return the length of the body, None where it comes in chunks.

    Parameters
    ----------
    version : str
        That of HTTP in the request line.
    headers : sequence of (bytes, bytes)
        Names in lower case, and values.

    Raises
    ------
    NotHttp
        When the version is another than 1.0 or 1.1, Host is missing, repeated or invalid, or a
        body of HTTP/1.0 has a transfer coding.
    NotImplementedHere
        When the body has a transfer coding other than chunked.
    """
    if version not in VERSIONS:
        raise NotHttp("Send HTTP/1.1.")
    fields = dict(headers)
    host = fields.get(b"host")
    if host is None or not NAMED_HOST.fullmatch(host):
        _check_unusual_host(version, host)
    if len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
        raise NotHttp("Send one Host header.")
    if b"transfer-encoding" not in fields:
        return int(fields.get(b"content-length", 0))
    _check_coding(version, [value for name, value in headers if name == b"transfer-encoding"])
    return None


def _check_unusual_host(version: str, host: bytes | None) -> None:
    if host is None:
        if version != "1.0":
            raise NotHttp("Send a Host header.")
    elif not NAMED_HOST.fullmatch(host := host.rstrip(b" \t")) and not _is_literal(host):
        raise NotHttp("The Host header is not a host name or address with an optional port.")


def _is_literal(host: bytes) -> bool:
    literal = LITERAL_HOST.fullmatch(host)
    if not literal:
        return False
    try:
        IPv6Address(literal[1].decode())
    except AddressValueError:
        return False
    return True


def _check_coding(version: str, codings: list[bytes]) -> None:
    if version == "1.0":
        raise NotHttp("HTTP/1.0 has no transfer codings; send HTTP/1.1 or a Content-Length.")
    if [coding.strip(b" \t").lower() for coding in codings] != [b"chunked"]:
        raise NotImplementedHere("The only transfer coding is chunked.")
