import json
from collections.abc import Iterator
from random import Random

import httpx
import pytest

from tests.end_to_end.fuzz import CONNECTIONS, Fuzzer, check_answer, children
from tests.end_to_end.hostile import (
    JSON,
    KINDS,
    NO_HTTP,
    Connection,
    Exchange,
    exchange,
    message,
)
from tests.end_to_end.processes import COMMAND, PATIENCE, free_port, started, wait_until_ready
from tests.service.samples import example

GOOD = message("POST", "/predict", JSON, json.dumps(example()).encode())


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service of two workers that must all be there at the end, and have logged no error."""
    port, log = free_port(), tmp_path_factory.mktemp("hostile") / "log"
    command = [COMMAND, "serve", "--port", str(port), "--workers", "2"]
    # A batch refused for want of a place would tell nothing of itself.
    with started(command, log, HEARTLINE_MAX_BATCHES="1000") as process:
        wait_until_ready(port, process)
        workers = children(process.pid)
        yield port
        assert children(process.pid) == workers
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [event for event in events if event["level"] not in {"INFO", "WARNING"}]


def statuses(port: int, exchange: Exchange, pause: float = 0) -> list[int]:
    connection = Connection(port, PATIENCE)
    connection.send(exchange, pause)
    answers = connection.answers(exchange)
    connection.close()
    for answer in answers:
        check_answer(answer, exchange)
    return [answer.status for answer in answers]


def test_a_request_in_single_bytes_is_answered(port: int) -> None:
    pieces = tuple(GOOD[place : place + 1] for place in range(len(GOOD)))
    assert statuses(port, Exchange(pieces, ("POST",)), 0.001) == [200]


def test_a_hundred_requests_in_one_packet_are_answered_in_order(port: int) -> None:
    bad = message("POST", "/predict", JSON, b"{}")
    sent = Exchange(((GOOD + bad) * 50,), ("POST",) * 100)
    assert statuses(port, sent) == [200, 422] * 50


@pytest.mark.parametrize("number", range(len(NO_HTTP)))
def test_what_is_no_http_is_refused_or_dropped(port: int, number: int) -> None:
    sent = Exchange((NO_HTTP[number],), ("POST",), "half-closed", is_http=False)
    assert len(statuses(port, sent)) <= 1


@pytest.mark.parametrize("part", [1, 20, 100, len(GOOD) - 1])
def test_a_request_that_is_cut_short_gets_no_answer(port: int, part: int) -> None:
    sent = Exchange((GOOD[:part],), ("POST",), "half-closed", is_http=False)
    assert statuses(port, sent) in ([], [400])


def test_clients_that_go_away_leave_nothing_broken(port: int) -> None:
    for _ in range(50):
        statuses(port, Exchange((GOOD,), ("POST",), "aborted"))
    assert statuses(port, Exchange((GOOD,), ("POST",))) == [200]


def test_a_mixture_of_everything_gets_answers_alone(port: int) -> None:
    rng, fuzzer = Random(20260), Fuzzer(port, PATIENCE)
    for _ in range(60):
        fuzzer.send([exchange(rng) for _ in range(CONNECTIONS)])
    for make in KINDS:
        fuzzer.send([make(rng) for _ in range(CONNECTIONS)])
    assert {200, 404, 405, 415, 422} <= fuzzer.statuses.keys()
    fuzzer.close()
