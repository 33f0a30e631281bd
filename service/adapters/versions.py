"""The versions of the packages whose insides are used: checked before the service starts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from model.errors import HeartlineError

WRITTEN_FOR: Mapping[str, str] = {"fastapi": "0.165", "uvicorn": "0.54"}
"""The minor version of each. The bounds in pyproject.toml are the same."""


class VersionError(HeartlineError):
    """A package is installed in a version that the service was not written for."""


def check_versions() -> None:
    """Check that the packages whose insides are used are those that they were written for.

    Raises
    ------
    VersionError
        When one has another minor version.
    """
    for package, wanted in WRITTEN_FOR.items():
        installed = version(package)
        if not f"{installed}.".startswith(f"{wanted}."):
            raise VersionError(
                f"{package} {installed} is installed, and this version of Heartline needs "
                f"{package} {wanted}: install 'heartline' again, with its dependencies"
            )
