"""The benchmark works from end to end; no test measures speed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from benchmarks import (
    heartline,
    mix,
    senders,
    serving,
    sizing,
    speedups,
    split,
    table,
    without,
)
from benchmarks.patients import Patients
from benchmarks.servers import Question, Server, ServerFailure, running
from benchmarks.wrk import load
from tests.conftest import ARTIFACT, ROOT


def test_the_service_is_measured_beside_its_limit() -> None:
    before = table.PAGE.read_bytes()
    command = ["scripts/bench", "--only", "heartline", "--seconds", "1", "--repetitions", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    servers = json.loads(run.stdout)["servers"]
    assert set(servers) == {"limit", "heartline"}
    assert "failed" not in servers["heartline"]
    figures = servers["heartline"]["figures"]
    assert figures.keys() >= {"per_second_of_limit", "p99_us_1_of_limit", "rows_per_second_objects"}
    assert all(value > 0 for values in figures.values() for value in values)
    assert table.PAGE.read_bytes() == before


def test_a_server_that_does_not_start_or_answers_wrongly_is_reported(tmp_path: Path) -> None:
    limit = serving.limit_server(Patients(ARTIFACT))
    wrong = replace(limit, name="wrong", record=limit.record._replace(probability=0.25))
    missing = Server("missing", "missing", (sys.executable, "-c", "exit('no port')"), limit.record)
    reported = serving.measure([wrong, missing], limit, 1, 1, tmp_path)
    assert reported["wrong"]["failed"] == "/predict answers 0.5, not 0.25"
    assert reported["missing"]["failed"] == "it does not start: no port"
    assert not reported["wrong"]["figures"]
    assert reported["limit"]["figures"]


def test_a_load_that_meets_a_bad_answer_is_void(address: str) -> None:
    refused = Question("POST", "/predict", b"{}")
    with pytest.raises(ServerFailure, match=r"/predict gave \d+ bad answers"):
        load(int(address.rpartition(":")[2]), refused, 1, 1)


def test_every_form_that_people_send_is_answered_as_it_says(tmp_path: Path) -> None:
    own = Patients(ARTIFACT)
    asked = senders.forms(own)
    assert asked.keys() == senders.FORMS.keys()
    with running(heartline.server("heartline", "heartline", own), tmp_path / "log") as started:
        for form, questions in asked.items():
            mix.check(started, form, questions)
            assert len({question.body for question in questions}) > senders.RECORDS // 2
        assert load(started.port, asked[senders.MIX], 2, 1).per_second > 0
        assert min(split.times(started.port, asked[senders.MIX], 0.1)) > 0
        with pytest.raises(ServerFailure, match=r"numbers: 100% of the answers warn"):
            mix.check(started, "numbers", asked["warned"])


def test_each_speedup_can_be_taken_out_of_the_service() -> None:
    assert {speedup.name for speedup in speedups.SPEEDUPS} == without.REPLACEMENTS.keys()
    for target, replacement in without.REPLACEMENTS.values():
        with patch(target, replacement):  # fails where there is no such thing
            pass


def test_the_page_of_speed_has_the_tables_of_the_results() -> None:
    page = table.PAGE.read_text()
    assert table.refreshed(page, json.loads(table.RESULTS.read_text())) == page


def test_the_page_of_deployment_has_the_tables_of_the_results() -> None:
    page = sizing.PAGE.read_text()
    assert sizing.refreshed(page, json.loads(sizing.RESULTS.read_text())) == page
