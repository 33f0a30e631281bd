"""TLS: the certificate of the service, and which clients it talks to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from service.settings import Settings, SettingsError


def tls_factory(settings: Settings) -> Callable[..., ssl.SSLContext] | None:
    """Return what makes the context of HTTPS in each worker, or None for plain HTTP.

    Raises
    ------
    SettingsError
        When certificate, key and the rest do not go together; they have been tried.
    """
    if settings.ssl_certfile is None:
        if settings.ssl_keyfile or settings.ssl_ca_certs:
            raise SettingsError("HEARTLINE_SSL_CERTFILE: the other files of TLS need it too")
        return None
    factory = partial(_context, settings.ssl_certfile, settings)
    try:
        factory()
    except OSError as error:
        raise SettingsError(
            f"HEARTLINE_SSL_CERTFILE: this and its companions do not work: {error.args[-1]}"
        ) from None
    return factory


def _context(certificate: Path, settings: Settings, *_: object) -> ssl.SSLContext:
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
    if settings.ssl_ciphers:
        context.set_ciphers(settings.ssl_ciphers)
    return context
