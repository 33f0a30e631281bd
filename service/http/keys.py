"""API keys: who may ask what. Of a key nothing but its SHA-256 is held."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest

from service.settings import Settings, SettingsError

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/livez", "/readyz"})
OPEN_FOLDER = "/static/"

MAX_KEYS = 100
"""Each request is compared with every key, and each name is a label of a metric."""

ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9._-]{1,64}):"
    r"(?:sha256:(?P<digest>[0-9A-Fa-f]{64})|(?P<key>[A-Za-z0-9._~+/=-]{16,256}))"
)


def is_open(path: str) -> bool:
    """Return whether a path needs no key: every path that is not listed here needs one."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


class ApiKeys:
    """The keys that are accepted.

    Parameters
    ----------
    names : mapping of bytes to str
        The name of each key by the SHA-256 of the key. A name may have several keys.
    """

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = names

    @property
    def names(self) -> list[str]:
        """The names, each once."""
        return list(dict.fromkeys(self._names.values()))

    @property
    def as_digests(self) -> str:
        """The same keys as a setting that opens nothing."""
        return ",".join(f"{name}:sha256:{digest.hex()}" for digest, name in self._names.items())

    def name_of(self, key: bytes) -> str | None:
        """Return the name of a key, or None. Every key is compared, each in constant time."""
        digest = sha256(key).digest()
        found = [name for known, name in self._names.items() if compare_digest(known, digest)]
        return found[0] if found else None


def bearer_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the key that a request was sent with, or nothing at all."""
    given = [value for name, value in headers if name == b"authorization"]
    scheme, _, key = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    return key.strip() if scheme.lower() == b"bearer" else b""


def read_keys(settings: Settings) -> ApiKeys | None:
    """Return the keys of the settings, or None where there are to be none.

    Raises
    ------
    SettingsError
        When they cannot be used; its text repeats nothing of them.
    """
    if settings.api_keys and settings.api_keys_file:
        raise SettingsError("HEARTLINE_API_KEYS_FILE: set this or HEARTLINE_API_KEYS, not both")
    if settings.api_keys:
        return _parse("HEARTLINE_API_KEYS", settings.api_keys.get_secret_value())
    if settings.api_keys_file:
        try:
            text = settings.api_keys_file.read_text("ascii")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not ASCII text"
            raise SettingsError(f"HEARTLINE_API_KEYS_FILE: cannot be read: {reason}") from None
        return _parse("HEARTLINE_API_KEYS_FILE", text)
    return None


def _parse(variable: str, text: str) -> ApiKeys:
    entries = re.split(r"[\s,]+", text.strip(" \t\r\n,"))
    if len(entries) > MAX_KEYS:
        raise SettingsError(f"{variable}: at most {MAX_KEYS} keys can be used")
    names: dict[bytes, str] = {}
    for number, entry in enumerate(entries, 1):
        match = ENTRY.fullmatch(entry)
        if match is None:
            raise SettingsError(
                f"{variable}: entry {number} is not name:key, with a key of 16 to 256 characters, "
                "or name:sha256:digest; see docs/security.md"
            )
        digest = bytes.fromhex(match["digest"]) if match["digest"] else _digest(match["key"])
        if digest in names:
            raise SettingsError(f"{variable}: entry {number} repeats the key of an earlier entry")
        names[digest] = match["name"]
    return ApiKeys(names)


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
