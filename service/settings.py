"""All settings of the service, with units and bounds."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from model.errors import HeartlineError

PREFIX = "HEARTLINE_"

INJECTED = re.compile(
    r"""HEARTLINE(_\w+)?_(
        SERVICE_HOST=.*
        | SERVICE_PORT(_\w+)?=\d+
        | PORT=(tcp|udp|sctp)://.*
        | PORT_\d+_(TCP|UDP|SCTP)(_[A-Z_]+)?=.*
        | NAME=/.*
        | ENV_\w+=.*
    )""",
    re.VERBOSE | re.DOTALL,
)
"""Variables that Kubernetes sets in every pod for a Service named heartline or heartline-x, and
Docker in a container that is linked to a container of this name."""


class SettingsError(HeartlineError):
    """A setting that cannot be used."""


def _split(text: object) -> object:
    return [part.strip() for part in text.split(",")] if isinstance(text, str) else text


def _check_origin(text: str) -> str:
    # As a browser sends it: in lower case, without a path.
    if not re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", text):
        raise PydanticCustomError(
            "origin", "Expected origins such as https://app.example, separated by commas"
        )
    return text


LogFormat: TypeAlias = Literal["auto", "json", "text"]
Origin = Annotated[str, AfterValidator(_check_origin)]
WithCommas = BeforeValidator(_split)


class Settings(BaseSettings):
    """Read from the environment, each under its name in capitals after ``HEARTLINE_``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, validate_by_name=True, frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Ignore variables such as HEARTLINE_PORT that the operator did not set."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = {
                name: value
                for name, value in env_settings.env_vars.items()
                if not _is_injected(name, value or "")
            }
        return init_settings, env_settings

    artifact: Path = Field(Path("artifacts/heart.npz"), description="File of the served model.")
    artifact_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = Field(
        None, description="Required SHA-256 of the file, 64 hex digits; unset: not checked."
    )
    threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The positive class is predicted above this probability; unset: the model's "
        "own threshold.",
    )
    codes: Literal["any", "names"] = Field(
        "any",
        description="What coded columns accept: a code or its name (`any`), or only its name "
        "(`names`).",
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on.")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("HEARTLINE_PORT", "PORT"),
        description="TCP port that the service listens on, 0: any free port; if unset, `PORT` is "
        "read.",
    )
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes.")
    worker_timeout_seconds: float = Field(
        30,
        ge=5,
        le=3600,
        description="A worker that does not respond for this time is replaced, in seconds.",
    )
    reload_seconds: float = Field(
        1, ge=0.1, le=3600, description="Interval between checks for a new model file, in seconds."
    )
    drain_seconds: float = Field(
        5,
        ge=0,
        le=300,
        description="Time after the stop signal in which new requests are still answered, in "
        "seconds.",
    )
    finish_seconds: int = Field(
        10,
        ge=1,
        le=300,
        description="Time after the drain for requests in flight to finish, in whole seconds.",
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="Minimum log level; at `warning` no request lines are logged."
    )
    log_format: LogFormat = Field(
        "auto",
        description="Format of the log: JSON lines (`json`), lines for people (`text`), or `text` "
        "if standard output is a terminal and `json` otherwise (`auto`).",
    )
    api_keys: SecretStr | None = Field(
        None, description="API keys, name:key or name:sha256:digest, separated by commas."
    )
    api_keys_file: Path | None = Field(
        None, description="File of API keys, separated by commas or line breaks."
    )
    cors_origins: Annotated[tuple[Origin, ...] | None, NoDecode, WithCommas] = Field(
        None, description="Allowed origins of web pages (CORS), separated by commas."
    )
    ssl_certfile: FilePath | None = Field(
        None, description="Certificate with its chain, PEM; if set, the service accepts only HTTPS."
    )
    ssl_keyfile: FilePath | None = Field(
        None,
        description="Private key of the certificate, PEM; unset: read from the certificate's file.",
    )
    ssl_keyfile_password: SecretStr | None = Field(None, description="Password of the private key.")
    ssl_ca_certs: FilePath | None = Field(
        None,
        description="Certificate authorities, PEM; if set, clients need a certificate signed by "
        "one of them.",
    )
    ssl_ciphers: str | None = Field(
        None,
        description="OpenSSL's list of ciphers for TLS 1.2; unset: ECDHE with AES-GCM or ChaCha20.",
    )
    forwarded_allow_ips: Annotated[tuple[IPvAnyNetwork, ...] | None, NoDecode, WithCommas] = Field(
        None,
        description="Proxies whose X-Forwarded headers are trusted, separated by commas; unset: "
        "none.",
    )
    tracing: bool = Field(
        default=False,
        description="Whether to send trace spans; the variables OTEL_* configure the exporter.",
    )
    max_record_bytes: int = Field(
        2**16,
        ge=2**10,
        le=2**20,
        description="Maximum body size of a request for one record, in bytes; unset: at least the "
        "longest record of the model.",
    )
    max_batch_bytes: int = Field(
        8 * 2**20, ge=2**10, le=2**30, description="Maximum body size of a batch request, in bytes."
    )
    max_batch_rows: int = Field(
        10_000, ge=1, le=1_000_000, description="Maximum number of records in one batch request."
    )
    max_stream_bytes: int = Field(
        2**30,
        ge=2**10,
        le=2**40,
        description="Maximum body size of a stream with on_error=report, in bytes.",
    )
    max_bad_rows: int = Field(
        1000,
        ge=1,
        le=1_000_000_000,
        description="Maximum number of rows with faults that are reported; the next one ends "
        "the results.",
    )
    max_stream_idle_seconds: float = Field(
        10,
        ge=0.1,
        le=3600,
        description="Maximum time without a byte from the client of a stream, in seconds.",
    )
    min_stream_bytes_per_second: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="Minimum rate at which a stream must arrive, in bytes per second.",
    )
    max_batches: int = Field(
        4, ge=1, le=1000, description="Maximum number of concurrent batches in each worker."
    )
    max_connections: int = Field(
        512, ge=1, le=65535, description="Maximum number of concurrent connections to each worker."
    )
    max_head_bytes: int = Field(
        2**14,
        ge=2**10,
        le=2**20,
        description="Maximum size of the request line and headers, in bytes.",
    )
    max_head_seconds: int = Field(
        10,
        ge=1,
        le=3600,
        description="Maximum time for the request line and headers to arrive, in seconds.",
    )
    max_body_seconds: int = Field(
        30, ge=1, le=3600, description="Maximum time for the request body to arrive, in seconds."
    )
    max_write_seconds: int = Field(
        30,
        ge=1,
        le=3600,
        description="A client that reads less than 16 KiB of a response in this time is "
        "disconnected, in seconds.",
    )
    max_idle_seconds: int = Field(
        65,
        ge=1,
        le=3600,
        description="Maximum time that a connection stays open without a request, in seconds.",
    )


def read_settings(**flags: object) -> Settings:
    """Return the settings of the environment; a flag that is not None takes precedence.

    Raises
    ------
    SettingsError
        When a setting is out of bounds or unknown; the text names the setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    faults = list(_unknown_names())
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        faults += [f"{_shown_name(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def _unknown_names() -> Iterator[str]:
    """Yield an error for each variable that begins with the prefix and is not a setting.

    A key under a misspelt name would leave the service open.
    """
    known = [name.upper() for name in Settings.model_fields]
    for variable, value in os.environ.items():
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name in known or _is_injected(variable, value):
            continue
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists them all"
        shown = variable if variable.isascii() and variable.isprintable() else ascii(variable)
        yield f"{shown}: no setting has this name; {hint}"


def _is_injected(variable: str, value: str) -> bool:
    return INJECTED.fullmatch(f"{variable.upper()}={value}") is not None


def _shown_name(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0])
    return name if name.isupper() else f"{PREFIX}{name.upper()}"
