"""Certificates for a test: an authority, and what it signs, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def self_signed(folder: Path, name: str) -> Certificate:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.certificate),
    )
    return made


def locked(key: Path, password: str) -> Path:
    """Write a copy of a key under a password."""
    copy = key.with_suffix(".locked")
    _openssl("rsa", "-aes256", "-in", key, "-passout", f"pass:{password}", "-out", copy)
    return copy
