from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from service.cli import cli
from service.settings import Settings, SettingsError, read_settings
from tests.conftest import ROOT

DEFAULTS: dict[str, Any] = {
    "artifact": Path("artifacts/heart.npz"),
    "artifact_sha256": None,
    "threshold": None,
    "codes": "any",
    "host": "127.0.0.1",
    "port": 8000,
    "workers": 1,
    "worker_timeout_seconds": 30.0,
    "reload_seconds": 1.0,
    "drain_seconds": 5.0,
    "finish_seconds": 10,
    "log_level": "info",
    "log_format": "auto",
    "api_keys": None,
    "api_keys_file": None,
    "cors_origins": None,
    "ssl_certfile": None,
    "ssl_keyfile": None,
    "ssl_keyfile_password": None,
    "ssl_ca_certs": None,
    "ssl_ciphers": None,
    "forwarded_allow_ips": None,
    "tracing": False,
    "max_record_bytes": 2**16,
    "max_batch_bytes": 8 * 2**20,
    "max_batch_rows": 10_000,
    "max_stream_bytes": 2**30,
    "max_bad_rows": 1000,
    "max_stream_idle_seconds": 10.0,
    "min_stream_bytes_per_second": 20,
    "max_batches": 4,
    "max_connections": 512,
    "max_head_bytes": 2**14,
    "max_head_seconds": 10,
    "max_body_seconds": 30,
    "max_write_seconds": 30,
    "max_idle_seconds": 65,
}

GIVEN: dict[str, tuple[str, Any]] = {
    "artifact": ("other/model.npz", Path("other/model.npz")),
    "artifact_sha256": ("aB" * 32, "aB" * 32),
    "threshold": ("0.2", 0.2),
    "codes": ("names", "names"),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104
    "port": ("65535", 65535),
    "workers": ("64", 64),
    "worker_timeout_seconds": ("5", 5.0),
    "reload_seconds": ("0.1", 0.1),
    "drain_seconds": ("0", 0.0),
    "finish_seconds": ("300", 300),
    "log_level": ("critical", "critical"),
    "log_format": ("text", "text"),
    "api_keys": (f"laboratory:{'k' * 16}", SecretStr(f"laboratory:{'k' * 16}")),
    "api_keys_file": ("secrets/keys", Path("secrets/keys")),
    "cors_origins": (
        "https://app.example, http://[::1]:8080",
        ("https://app.example", "http://[::1]:8080"),
    ),
    "ssl_certfile": (__file__, Path(__file__)),
    "ssl_keyfile": (__file__, Path(__file__)),
    "ssl_keyfile_password": ("p", SecretStr("p")),
    "ssl_ca_certs": (__file__, Path(__file__)),
    "ssl_ciphers": ("HIGH", "HIGH"),
    "forwarded_allow_ips": (
        "10.0.0.1, fd00::/8",
        (IPv4Network("10.0.0.1/32"), IPv6Network("fd00::/8")),
    ),
    "tracing": ("true", True),
    "max_record_bytes": ("1024", 1024),
    "max_batch_bytes": ("1024", 1024),
    "max_batch_rows": ("1", 1),
    "max_stream_bytes": ("1024", 1024),
    "max_bad_rows": ("1", 1),
    "max_stream_idle_seconds": ("0.1", 0.1),
    "min_stream_bytes_per_second": ("1", 1),
    "max_batches": ("1000", 1000),
    "max_connections": ("1", 1),
    "max_head_bytes": ("1024", 1024),
    "max_head_seconds": ("1", 1),
    "max_body_seconds": ("3600", 3600),
    "max_write_seconds": ("1", 1),
    "max_idle_seconds": ("5", 5),
}

OUT_OF_BOUNDS = [
    ("HEARTLINE_ARTIFACT_SHA256", "a" * 63),
    ("HEARTLINE_ARTIFACT_SHA256", "g" * 64),
    ("HEARTLINE_ARTIFACT_SHA256", "a" * 64 + "\n"),
    ("HEARTLINE_THRESHOLD", "0"),
    ("HEARTLINE_THRESHOLD", "1"),
    ("HEARTLINE_THRESHOLD", "-0.1"),
    ("HEARTLINE_THRESHOLD", "nan"),
    ("HEARTLINE_THRESHOLD", "inf"),
    ("HEARTLINE_THRESHOLD", "half"),
    ("HEARTLINE_CODES", "codes"),
    ("HEARTLINE_CODES", "Names"),
    ("HEARTLINE_PORT", "-1"),
    ("HEARTLINE_PORT", "65536"),
    ("HEARTLINE_PORT", "8000.5"),
    ("HEARTLINE_MAX_BATCHES", "0"),
    ("HEARTLINE_MAX_BATCHES", "1001"),
    ("HEARTLINE_WORKERS", "0"),
    ("HEARTLINE_WORKERS", "65"),
    ("HEARTLINE_WORKERS", "-1"),
    ("HEARTLINE_WORKERS", "true"),
    ("HEARTLINE_WORKER_TIMEOUT_SECONDS", "4.9"),
    ("HEARTLINE_WORKER_TIMEOUT_SECONDS", "3601"),
    ("HEARTLINE_RELOAD_SECONDS", "0"),
    ("HEARTLINE_RELOAD_SECONDS", "3601"),
    ("HEARTLINE_DRAIN_SECONDS", "-1"),
    ("HEARTLINE_DRAIN_SECONDS", "301"),
    ("HEARTLINE_DRAIN_SECONDS", "nan"),
    ("HEARTLINE_FINISH_SECONDS", "0"),
    ("HEARTLINE_FINISH_SECONDS", "301"),
    ("HEARTLINE_FINISH_SECONDS", "1.5"),
    ("HEARTLINE_LOG_LEVEL", "trace"),
    ("HEARTLINE_CORS_ORIGINS", "*"),
    ("HEARTLINE_CORS_ORIGINS", "app.example"),
    ("HEARTLINE_CORS_ORIGINS", "https://App.example"),
    ("HEARTLINE_CORS_ORIGINS", "https://app.example/"),
    ("HEARTLINE_CORS_ORIGINS", "https://app.example,"),
    ("HEARTLINE_CORS_ORIGINS", "https://a.example https://b.example"),
    ("HEARTLINE_SSL_CERTFILE", "nowhere.pem"),
    ("HEARTLINE_SSL_KEYFILE", "nowhere.pem"),
    ("HEARTLINE_SSL_CA_CERTS", "nowhere.pem"),
    ("HEARTLINE_FORWARDED_ALLOW_IPS", "*"),
    ("HEARTLINE_FORWARDED_ALLOW_IPS", "proxy.example"),
    ("HEARTLINE_FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
    ("HEARTLINE_FORWARDED_ALLOW_IPS", "10.0.0.1,"),
    ("HEARTLINE_TRACING", "otlp"),
    ("HEARTLINE_MAX_RECORD_BYTES", "1023"),
    ("HEARTLINE_MAX_RECORD_BYTES", str(2**20 + 1)),
    ("HEARTLINE_MAX_BATCH_BYTES", "1023"),
    ("HEARTLINE_MAX_BATCH_BYTES", str(2**30 + 1)),
    ("HEARTLINE_MAX_BATCH_BYTES", "8MB"),
    ("HEARTLINE_MAX_BATCH_ROWS", "0"),
    ("HEARTLINE_MAX_BATCH_ROWS", "1000001"),
    ("HEARTLINE_MAX_BATCH_ROWS", "inf"),
    ("HEARTLINE_MAX_CONNECTIONS", "0"),
    ("HEARTLINE_MAX_CONNECTIONS", "65536"),
    ("HEARTLINE_MAX_HEAD_BYTES", "1023"),
    ("HEARTLINE_MAX_HEAD_BYTES", str(2**20 + 1)),
    ("HEARTLINE_MAX_HEAD_SECONDS", "0"),
    ("HEARTLINE_MAX_HEAD_SECONDS", "3601"),
    ("HEARTLINE_MAX_BODY_SECONDS", "0"),
    ("HEARTLINE_MAX_BODY_SECONDS", "inf"),
    ("HEARTLINE_MAX_WRITE_SECONDS", "0"),
    ("HEARTLINE_MAX_WRITE_SECONDS", "3601"),
    ("HEARTLINE_MAX_IDLE_SECONDS", "0"),
    ("HEARTLINE_MAX_IDLE_SECONDS", "0.5"),
]


def test_the_defaults_are_these() -> None:
    assert read_settings().model_dump() == DEFAULTS


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_taken_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, value = GIVEN[name]
    monkeypatch.setenv(f"HEARTLINE_{name.upper()}", text)
    assert read_settings().model_dump() == {**DEFAULTS, name: value}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"HEARTLINE_{name.upper()}", "")
    assert read_settings().model_dump() == DEFAULTS


def test_a_flag_goes_before_heartline_port_and_that_before_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "8001")
    assert read_settings().port == 8001
    monkeypatch.setenv("HEARTLINE_PORT", "8002")
    assert read_settings().port == 8002
    assert read_settings(port=8003).port == 8003
    assert read_settings(port=None).port == 8002
    monkeypatch.setenv("HEARTLINE_PORT", "")
    assert read_settings().port == 8001


def test_a_flag_mends_a_variable_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTLINE_PORT", "http://10.0.0.1:80")
    assert read_settings(port=8003).port == 8003


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOST", "h"), ("WORKERS", "2"), ("LOG_LEVEL", "debug"), ("FORWARDED_ALLOW_IPS", "*")],
)
def test_a_variable_without_the_prefix_is_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert read_settings().model_dump() == DEFAULTS


@pytest.mark.parametrize(("variable", "value"), OUT_OF_BOUNDS)
def test_a_value_out_of_bounds_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable}: [^\n]*$"):
        read_settings()


def test_a_port_that_cannot_be_used_is_refused_by_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "tcp://10.0.0.1:80")
    with pytest.raises(SettingsError, match=r"^HEARTLINE_PORT: [^\n]*$"):
        read_settings()


SECRET = "lab:0123456789abcdef"  # noqa: S105


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("HEARTLINE_API_KEY", "did you mean HEARTLINE_API_KEYS?"),
        ("HEARTLINE_APIKEYS", "did you mean HEARTLINE_API_KEYS?"),
        ("HEARTLINE_KEYS_FILE", "did you mean HEARTLINE_API_KEYS_FILE?"),
        ("heartline_api_key", "did you mean HEARTLINE_API_KEYS?"),
        ("Heartline_Api_Key", "did you mean HEARTLINE_API_KEYS?"),
        ("HEARTLINE_SSL_CERT_FILE", "did you mean HEARTLINE_SSL_CERTFILE?"),
        ("HEARTLINE_LOGLEVEL", "did you mean HEARTLINE_LOG_LEVEL?"),
        ("HEARTLINE_MAX_CONECTIONS", "did you mean HEARTLINE_MAX_CONNECTIONS?"),
        ("HEARTLINE_XYZ", "docs/settings.md lists them all"),
        ("HEARTLINE_", "docs/settings.md lists them all"),
        ("HEARTLINE_API_KEYS_NAME", "did you mean HEARTLINE_API_KEYS_FILE?"),
        ("HEARTLINE_SERVICE_PORTS", "docs/settings.md lists them all"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_name_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, hint: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert str(refused.value) == f"{variable}: no setting has this name; {hint}"


@pytest.mark.parametrize("variable", ["HEARTLINE_PORT", "HEARTLINE_X_PORT"])
@pytest.mark.parametrize("value", ["http://10.0.0.1:80", "80/tcp", "tcp:10.0.0.1"])
def test_a_port_that_nothing_injects_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        read_settings()


def test_a_name_with_control_characters_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTLINE_A\nB", SECRET)
    with pytest.raises(SettingsError, match=r"^'HEARTLINE_A\\nB': no setting"):
        read_settings()


INJECTED = {
    "{}_SERVICE_HOST": "10.0.0.1",
    "{}_SERVICE_PORT": "80",
    "{}_SERVICE_PORT_HTTP": "80",
    "{}_SERVICE_PORT_HTTP_METRICS": "9090",
    "{}_PORT": "tcp://10.0.0.1:80",
    "{}_PORT_80_TCP": "tcp://10.0.0.1:80",
    "{}_PORT_80_TCP_PROTO": "tcp",
    "{}_PORT_80_TCP_PORT": "80",
    "{}_PORT_80_TCP_ADDR": "10.0.0.1",
    "{}_PORT_53_UDP": "udp://[fd00::1]:53",
    "{}_PORT_53_UDP_ADDR": "fd00::1",
    "{}_PORT_80_TCP_START": "tcp://172.17.0.2:80",
    "{}_PORT_80_TCP_PORT_END": "81",
    "{}_NAME": "/web/heartline",
    "{}_ENV_HEARTLINE_WORKERS": "2",
    "{}_ENV_PATH": "/usr/bin",
}
"""What Kubernetes and Docker set, by the name of the service."""


@pytest.mark.parametrize("service", ["HEARTLINE", "HEARTLINE_X", "HEARTLINE_API_V2"])
def test_what_kubernetes_and_docker_inject_is_ignored(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name, value in INJECTED.items():
        monkeypatch.setenv(name.format(service), value)
    assert read_settings().model_dump() == DEFAULTS
    monkeypatch.setenv("PORT", "8001")
    assert read_settings().port == 8001


def test_a_name_in_lower_case_is_the_same_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("heartline_max_batches", "7")
    assert read_settings().max_batches == 7


def test_all_faults_of_the_settings_are_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEARTLINE_PORT", "-1")
    monkeypatch.setenv("HEARTLINE_WORKERS", "0")
    monkeypatch.setenv("HEARTLINE_WORKER", "0")
    with pytest.raises(
        SettingsError, match=r"^HEARTLINE_WORKER: .*; HEARTLINE_PORT: .*; HEARTLINE_WORKERS: .*$"
    ):
        read_settings()


@pytest.mark.parametrize(
    ("flag", "value", "named"),
    [("--port", "-1", "HEARTLINE_PORT"), ("--workers", "65", "HEARTLINE_WORKERS"),
     ("--log-level", "loud", "HEARTLINE_LOG_LEVEL")],
)  # fmt: skip
def test_a_flag_out_of_bounds_is_refused_too(flag: str, value: str, named: str) -> None:
    run = CliRunner().invoke(cli, ["serve", flag, value])
    assert isinstance(run.exception, SettingsError)
    assert str(run.exception).startswith(f"{named}: ")


def test_the_settings_page_lists_each_setting_with_its_default_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(HEARTLINE_\w+)` \| ([^|]*) \|", page, flags=re.MULTILINE))
    assert rows == {
        f"HEARTLINE_{name.upper()}": "unset" if value is None else f"`{str(value).lower()}`"
        for name, value in DEFAULTS.items()
    }
    assert set(re.findall(r"HEARTLINE_\w+", page)) == set(rows)
    assert list(DEFAULTS) == list(Settings.model_fields)
