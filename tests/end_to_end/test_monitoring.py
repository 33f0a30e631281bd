"""The rules and the dashboard of deploy/, with a real Prometheus that scrapes a real service."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from model.artifact.artifact import Artifact
from tests.conftest import ROOT
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    listening_port,
    started,
    wait_until,
    wait_until_ready,
)

RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "heartline.json").read_text())
ALERTS_PAGE = (ROOT / "docs" / "alerts.md").read_text()
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
ALERTS = re.findall(r"^ +- alert: (\w+)$", (RULES / "rules.yml").read_text(), re.MULTILINE)
RECORDS = re.findall(r"^ +- record: (\S+)$", (RULES / "rules.yml").read_text(), re.MULTILINE)


def promtool(*arguments: str) -> None:
    ended = subprocess.run(
        ["promtool", *arguments], cwd=RULES, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "rules.yml")


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    files = [file.name for file in RULES.glob("*_test.yml")]
    promtool("test", "rules", *files)
    cases = "".join((RULES / name).read_text() for name in files)
    for alert in ALERTS:
        ends = re.findall(rf"alertname: {alert}\n.*\n +exp_alerts:(.*)\n", cases)
        assert {"", " []"} <= set(ends), f"{alert} needs a case for each side"


def send_traffic(stopped: Event, url: str, record: dict[str, float]) -> None:
    """Send valid and invalid requests of every kind, until stopped."""
    unseen = {**record, "age": 110}
    with httpx.Client(base_url=url) as client:
        while not stopped.wait(0.05):
            client.post("/predict", json=record)
            client.post("/predict", json={**record, "age": -1, "no_field": 1})
            client.post("/predict/batch", json={"instances": [record] * 19 + [unseen]})
            client.post("/predict", content="not JSON")
            client.get("/nowhere")
            client.get("/readyz")


class Prometheus:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, query: str) -> list[float]:
        """Return the samples of a query, once there is one that is a number."""
        deadline = time.monotonic() + PATIENCE
        while True:
            result = self.get("query", query=query)["result"]
            values = [float(sample["value"][1]) for sample in result]
            if any(map(math.isfinite, values)):
                return values
            assert time.monotonic() < deadline, f"no data: {query}"
            time.sleep(0.2)

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules, once each has been evaluated."""
        deadline = time.monotonic() + PATIENCE
        while True:
            rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
            if rules and all(rule["health"] != "unknown" for rule in rules):
                return rules
            assert time.monotonic() < deadline, "the rules are not evaluated"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, artifact: Artifact) -> Iterator[str]:
    """The address of two workers under some traffic."""
    log = tmp_path_factory.mktemp("service") / "log"
    stopped = Event()
    command = [COMMAND, "serve", "--workers", "2"]
    with started(command, log) as process:
        port = wait_until_ready(process)
        arguments = (stopped, f"http://127.0.0.1:{port}", artifact.features.example())
        traffic = Thread(target=send_traffic, args=arguments)
        traffic.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stopped.set()
            traffic.join()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, service: str) -> Iterator[Prometheus]:
    """A Prometheus with the example's configuration, but the service's address and more haste."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(RULES / "rules.yml", folder)
    example = (RULES / "prometheus.yml").read_text()
    for theirs, ours in (("heartline:8000", service), ("_interval: 15s", "_interval: 1s")):
        assert theirs in example
        example = example.replace(theirs, ours)
    (folder / "prometheus.yml").write_text(example)
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
    ]
    with started(command, folder / "log", folder) as process:
        url = f"http://127.0.0.1:{listening_port(process)}"
        wait_until(lambda: is_ready(url))
        with httpx.Client(base_url=f"{url}/api/v1") as client:
            yield Prometheus(client)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_of_the_dashboard_returns_data(prometheus: Prometheus, query: str) -> None:
    assert prometheus.values(query.replace("$job", "heartline").replace("$__rate_interval", "10s"))


@pytest.mark.parametrize("record", RECORDS)
def test_every_recorded_rule_returns_data(prometheus: Prometheus, record: str) -> None:
    assert prometheus.values(record)


def test_every_rule_is_loaded_and_none_fails(prometheus: Prometheus) -> None:
    rules = prometheus.rules()
    assert {rule["name"]: rule["health"] for rule in rules} == dict.fromkeys(
        (*RECORDS, *ALERTS), "ok"
    )


def test_prometheus_counts_the_rows_of_both_workers_as_one(prometheus: Prometheus) -> None:
    single = 'heartline_requests_total{route="/predict", status="200"}'
    batches = 'heartline_requests_total{route="/predict/batch", status="200"}'
    prometheus.values(f"{single} > 0")
    (gap,) = prometheus.values(
        f"sum(heartline_rows_predicted_total) - sum({single}) - 20 * sum({batches})"
    )
    assert abs(gap) <= 20  # the scrape may fall between an answer's row and its request


def test_the_dashboard_fits_its_grid() -> None:
    taken = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_the_page_of_alerts_says_of_each_what_it_means_and_what_to_do() -> None:
    sections = re.split(r"^## ", ALERTS_PAGE, flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == ALERTS
    for section in sections:
        assert re.findall(r"^\*\*(.+)\.\*\* \S", section, re.MULTILINE) == [
            "Meaning",
            "Look at",
            "Do",
        ]


def test_the_panels_that_the_page_of_alerts_names_exist() -> None:
    lists = re.findall(r"panels? ((?:\"[^\"]+\"(?:, | and )?)+)", ALERTS_PAGE)
    named = {name for names in lists for name in re.findall(r'"([^"]+)"', names)}
    assert "Builds" in named
    assert named <= {panel["title"] for panel in PANELS}


def test_every_alert_links_to_its_section() -> None:
    rules = (RULES / "rules.yml").read_text()
    links = re.findall(r"alert: (\w+)\n(?:.*\n)+? +runbook_url: (\S+)$", rules, re.MULTILINE)
    assert links == [(alert, f"docs/alerts.md#{alert.lower()}") for alert in ALERTS]


def test_the_dashboard_links_to_every_alert() -> None:
    base = "${docs}docs/alerts.md"
    assert base in [link["url"] for link in DASHBOARD["links"]]
    links = {link["url"] for panel in PANELS for link in panel.get("links", [])}
    assert links == {f"{base}#{alert.lower()}" for alert in ALERTS}
    assert "docs" in [variable["name"] for variable in DASHBOARD["templating"]["list"]]
