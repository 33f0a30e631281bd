"""The compose file: its parts fit together, and the service starts with its environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.deploy.manifests import read
from tests.deploy.stopping import seconds_to_stop
from tests.end_to_end.processes import COMMAND, started, wait_until_ready

COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = read(COMPOSE)[0]["services"]
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def mounts(service: str) -> dict[str, Path]:
    """Return the paths of this repository that a service sees, by its own paths."""
    pairs = (DEFAULT.sub(r"\1", each).split(":") for each in SERVICES[service]["volumes"])
    return {inside: (COMPOSE.parent / source).resolve() for source, inside, *_ in pairs}


def environment() -> dict[str, str]:
    return {
        name: DEFAULT.sub(r"\1", value)
        for name, value in SERVICES["heartline"]["environment"].items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists(service: str) -> None:
    paths = [path for path in mounts(service).values() if path.parent != COMPOSE.parent]
    assert paths
    assert all(path.exists() for path in paths)


def test_prometheus_runs_with_the_files_that_are_tested() -> None:
    assert mounts("prometheus")["/etc/prometheus"] == ROOT / "deploy" / "prometheus"
    (configuration,) = read(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    (scraped,) = configuration["scrape_configs"][0]["static_configs"][0]["targets"]
    assert scraped.split(":")[0] in SERVICES


def test_grafana_finds_the_dashboard_and_prometheus() -> None:
    provisioning = mounts("grafana")["/etc/grafana/provisioning"]
    (dashboards,) = read(provisioning / "dashboards" / "heartline.yaml")
    folder = Path(dashboards["providers"][0]["options"]["path"])
    dashboard = ROOT / "deploy" / "grafana" / "heartline.json"
    assert mounts("grafana")[str(folder / "heartline.json")] == dashboard
    (sources,) = read(provisioning / "datasources" / "prometheus.yaml")
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES


def test_compose_waits_for_as_long_as_a_stop_may_take() -> None:
    grace = SERVICES["heartline"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > seconds_to_stop(environment())


def test_no_service_gains_privileges_or_listens_beyond_loopback() -> None:
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert SERVICES["heartline"]["read_only"] is True


@pytest.mark.slow
def test_the_service_starts_with_the_environment_of_the_file(tmp_path: Path) -> None:
    (inside, outside), *_ = mounts("heartline").items()
    variables = {name: value.replace(inside, str(outside)) for name, value in environment().items()}
    with started([COMMAND, "serve"], tmp_path / "log", **variables) as process:
        assert wait_until_ready(process)
