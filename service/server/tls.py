"""TLS: the certificate of the service, and which clients it talks to."""

from __future__ import annotations

import ssl
from pathlib import Path

from service.settings import Settings, SettingsError

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: with forward secrecy, and authenticated. Those of TLS 1.3 all are."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of HTTPS, or None for plain HTTP.

    Raises
    ------
    SettingsError
        When certificate, key and the rest do not go together.
    """
    if settings.ssl_certfile is None:
        if settings.ssl_keyfile or settings.ssl_ca_certs:
            raise SettingsError("HEARTLINE_SSL_CERTFILE: required when another TLS setting is set")
        return None
    try:
        return _context(settings.ssl_certfile, settings)
    except OSError as error:
        raise SettingsError(
            f"HEARTLINE_SSL_CERTFILE: the TLS files cannot be used: {error.args[-1]}"
        ) from None


def _context(certificate: Path, settings: Settings) -> ssl.SSLContext:
    password = settings.ssl_keyfile_password
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(
        certificate,
        settings.ssl_keyfile,
        # With none at all, OpenSSL would ask the terminal for that of a locked key.
        password.get_secret_value() if password else "",
    )
    if settings.ssl_ca_certs:
        context.load_verify_locations(settings.ssl_ca_certs)
        context.verify_mode = ssl.CERT_REQUIRED
    context.set_ciphers(settings.ssl_ciphers or CIPHERS)
    return context
