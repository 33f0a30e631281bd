"""Every knob of the service, with its unit and its bounds."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.errors import HeartlineError

PREFIX = "HEARTLINE_"


class SettingsError(HeartlineError):
    """A setting that cannot be used."""


class Settings(BaseSettings):
    """Taken from the environment, each under its name in capitals after ``HEARTLINE_``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, validate_by_name=True, frozen=True
    )

    artifact: Path = Field(
        Path("artifacts/heart.npz"), description="File of the model that is served."
    )
    artifact_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = Field(
        None, description="SHA-256 that the file must have, 64 hex digits; unset: not checked."
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on.")
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("HEARTLINE_PORT", "PORT"),
        description="TCP port that the service listens on; `PORT` is read where this is unset.",
    )
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes.")
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="Least level that is logged; `warning` silences the request lines."
    )
    max_record_bytes: int = Field(
        2**16, ge=2**10, le=2**20, description="Largest body of a request for one record, in bytes."
    )
    max_batch_bytes: int = Field(
        8 * 2**20, ge=2**10, le=2**30, description="Largest body of a batch request, in bytes."
    )
    max_batch_rows: int = Field(
        10_000, ge=1, le=1_000_000, description="Most records in one batch request."
    )


def read_settings(**flags: object) -> Settings:
    """Return the settings of the environment; a flag that is not None goes before them.

    Raises
    ------
    SettingsError
        When one is out of its bounds; its text names the setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{_shown_name(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError("; ".join(faults)) from None


def _shown_name(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0])
    return name if name.isupper() else f"{PREFIX}{name.upper()}"
