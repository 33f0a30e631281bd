import json
from collections.abc import Iterator
from contextlib import closing
from random import Random

import httpx
import pytest

from model.inference.predictor import Predictor
from tests.end_to_end.connection import Connection
from tests.end_to_end.fuzz import CONNECTIONS, Fuzzer, WrongAnswer, check_answer, children
from tests.end_to_end.hostile import KINDS, NO_HTTP, Exchange, Sent, asking, exchange
from tests.end_to_end.planted import LosesBodiesOfUpgrades, LosesWhatIsHeld, Proxy, proxied
from tests.end_to_end.processes import COMMAND, PATIENCE, started, wait_until_ready
from tests.service.questions import Question
from tests.service.samples import example

SEED = 20260
ROUNDS = 60
GOOD_ONE = Question("record", json.dumps(example()).encode())
BAD_ONE = Question("record", b"{}")
GOOD = asking(GOOD_ONE)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service of two workers that must all be there at the end, and have logged no error."""
    log = tmp_path_factory.mktemp("hostile") / "log"
    command = [COMMAND, "serve", "--workers", "2"]
    # A batch that is rejected by the limit would test nothing.
    with started(command, log, HEARTLINE_MAX_BATCHES="1000") as process:
        port = wait_until_ready(process)
        workers = children(process.pid)
        yield port
        assert children(process.pid) == workers
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [event for event in events if event["level"] not in {"INFO", "WARNING"}]


def statuses(port: int, predictor: Predictor, exchange: Exchange, pause: float = 0) -> list[int]:
    connection = Connection(port, PATIENCE)
    connection.send(exchange, pause)
    answers = connection.answers(exchange)
    connection.close()
    for sent, answer in zip(exchange.requests, answers, strict=False):
        check_answer(answer, sent, predictor)
    return [answer.status for answer in answers]


def test_a_request_in_single_bytes_is_answered(port: int, predictor: Predictor) -> None:
    pieces = tuple(GOOD[place : place + 1] for place in range(len(GOOD)))
    sent = Exchange(pieces, (Sent(question=GOOD_ONE),))
    assert statuses(port, predictor, sent, 0.001) == [200]


def test_a_hundred_requests_in_one_packet_are_answered_in_order(
    port: int, predictor: Predictor
) -> None:
    both = (Sent(question=GOOD_ONE), Sent(question=BAD_ONE))
    sent = Exchange(((GOOD + asking(BAD_ONE)) * 50,), both * 50)
    assert statuses(port, predictor, sent) == [200, 422] * 50


@pytest.mark.parametrize("number", range(len(NO_HTTP)))
def test_what_is_no_http_is_refused_or_dropped(
    port: int, predictor: Predictor, number: int
) -> None:
    sent = Exchange((NO_HTTP[number],), (Sent(),), "half-closed", is_http=False)
    assert len(statuses(port, predictor, sent)) <= 1


@pytest.mark.parametrize("part", [1, 20, 100, len(GOOD) - 1])
def test_a_request_that_is_cut_short_gets_no_answer(
    port: int, predictor: Predictor, part: int
) -> None:
    sent = Exchange((GOOD[:part],), (Sent(),), "half-closed", is_http=False)
    assert statuses(port, predictor, sent) in ([], [400])


def test_clients_that_go_away_leave_nothing_broken(port: int, predictor: Predictor) -> None:
    for _ in range(50):
        statuses(port, predictor, Exchange((GOOD,), (Sent(question=GOOD_ONE),), "aborted"))
    assert statuses(port, predictor, Exchange((GOOD,), (Sent(question=GOOD_ONE),))) == [200]


def mixture(fuzzer: Fuzzer) -> None:
    """Send exchanges of every kind, few enough for every run of the tests."""
    rng = Random(SEED)
    for _ in range(ROUNDS):
        fuzzer.send([exchange(rng) for _ in range(CONNECTIONS)])
    for make in KINDS:
        fuzzer.send([make(rng) for _ in range(CONNECTIONS)])


def test_a_mixture_of_everything_gets_its_answers_alone(port: int, predictor: Predictor) -> None:
    with closing(Fuzzer(port, predictor, PATIENCE)) as fuzzer:
        mixture(fuzzer)
    assert {200, 404, 405, 415, 422} <= fuzzer.statuses.keys()


@pytest.mark.parametrize("defect", [LosesWhatIsHeld, LosesBodiesOfUpgrades])
def test_a_planted_defect_is_found(port: int, predictor: Predictor, defect: type[Proxy]) -> None:
    with (
        proxied(port, defect) as defective,
        closing(Fuzzer(defective, predictor, PATIENCE)) as fuzzer,
        pytest.raises(WrongAnswer) as found,
    ):
        mixture(fuzzer)
    with closing(Fuzzer(port, predictor, PATIENCE)) as direct:
        # The answer is right without the defect.
        direct.send([found.value.sent] * CONNECTIONS)
