"""What is sent to the service comes out nowhere but in the answer that needs it."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx
import pytest

from service.faults import FAULT_TYPES, MAX_NAME
from tests.conftest import ARTIFACT
from tests.end_to_end.processes import started, wait_until_ready
from tests.service.collector import Collector, attributes, running_collector
from tests.service.samples import JSON, PROBLEM, raw, with_pairs

pytestmark = pytest.mark.slow

WORD, NUMBER, FRACTION = "zq7marked", "73918465203", ".591846203"
MARKS = re.compile(f"{WORD}|{NUMBER}|{re.escape(FRACTION)}")
KEY = f"{WORD}-a-key-of-this-service"

PATHS = [
    "/",
    "/docs",
    "/openapi.json",
    "/static/docs.js",
    f"/static/{WORD}",
    "/livez",
    "/readyz",
    "/model",
    "/metrics",
    "/predict",
    "/predict/batch",
    f"/{WORD}",
    f"/predict/{NUMBER}",
    f"/%0a%0d%0a{{%22level%22:%22{WORD}%22}}%00%1b[2J%e2%80%a8",
    f"/%ff{WORD}",
]
QUERY = f"?age={NUMBER}&{WORD}=%0a{WORD}"
HEADERS = {
    "User-Agent": WORD,
    "Referer": f"http://{WORD}/{NUMBER}",
    "Cookie": f"{WORD}={NUMBER}",
    "Origin": f"http://{WORD}",
    "Accept": WORD,
    "Forwarded": f"for={WORD}",
    "X-Forwarded-For": WORD,
    "X-Forwarded-Proto": WORD,
    "X-Request-ID": f"{WORD} {{",
    "X-API-Key": WORD,
    "traceparent": f"00-{WORD}",
    "tracestate": f"{WORD}={NUMBER}",
    "baggage": f"{WORD}={NUMBER}",
    f"X-{WORD}": NUMBER,
}
SAMPLED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
MALFORMED = [WORD, f"{WORD}=1,{WORD}=2", f"{WORD} {NUMBER};=", f"={NUMBER}"]

GOOD = raw({"age": f"54{FRACTION}", "oldpeak": f"1{FRACTION}"})
RECORDS = [
    GOOD,
    raw({"age": NUMBER}),
    raw({"age": f'"{WORD}"', "sex": f'"{WORD}"', "thal": NUMBER, "chest_pain": "null"}),
    raw({"age": f'{{"{WORD}": {NUMBER}}}', "sex": f'["{WORD}"]', "oldpeak": f"1e{NUMBER}"}),
    raw({"age": f"-{NUMBER}", "num_of_major_vessels": f"1{FRACTION}", "thal": "NaN"}),
    with_pairs(f'"{WORD * 20}": {NUMBER}', f'"a{WORD}": "{WORD}"'),
    with_pairs(f'"age": {NUMBER}', f'"{WORD}": 1', f'"{WORD}": 2'),
    with_pairs(f'"crash": "{WORD} {NUMBER}"'),
    f'{{"{WORD}": {NUMBER}',
    f'"{WORD}"',
    f"[{NUMBER}]",
    f"{WORD}\n{{}}",
    "[" * 5000 + WORD,
    WORD * 2**14,
    "",
]
BATCHES = [f'{{"instances": [{record}]}}' for record in RECORDS]
BATCHES += [f'{{"{WORD}": [], "instances": {{"{WORD}": {NUMBER}}}}}']
KINDS_OF_BODY: list[dict[str, str]] = [
    {"Content-Type": f"text/{WORD}"},
    {"Content-Type": f"application/json; charset={WORD}"},
    {**JSON, "Content-Encoding": WORD},
    {},
]
NO_HTTP = [
    f"{WORD} {NUMBER}\r\n\r\n",
    f"GET /{WORD} {NUMBER}\r\n\r\n",
    f"GET /livez HTTP/1.1\r\nHost: x\r\n{WORD} {NUMBER}\r\n\r\n",
    f"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: \x01{WORD}\r\n\r\n",
    f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {WORD}\r\n\r\n",
    f"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{WORD}\r\n",
    f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    f"Content-Length: 9999\r\n\r\n{WORD}",
    f"GET /livez?{WORD} HTTP/1.1\r\nHost: {WORD}\r\nConnection: Upgrade\r\nUpgrade: {WORD}\r\n\r\n",
    f"GET http://{WORD}/{NUMBER} HTTP/1.0\r\n\r\n",
]

MEMBERS = {"level", "logger", "message", "timestamp", "request_id", "exc_info", "url", "model"}
MEMBERS |= {"model_version", "method", "route", "status", "duration_ms", "key_name"}
MEMBERS |= {"trace_id", "span_id", "drain_seconds", "pid", "reason", "faults"}


@dataclass(frozen=True)
class Run:
    """A service that has been sent everything and has ended."""

    keys: bool
    level: str
    answers: list[httpx.Response]
    log: str
    collector: Collector


def _requests(client: httpx.Client) -> Iterator[httpx.Response]:
    for method, path in product(("GET", "HEAD", "POST", "DELETE", "OPTIONS"), PATHS):
        yield client.request(method, f"{path}{QUERY}", content=WORD if method == "POST" else None)
    asked = {"Access-Control-Request-Method": WORD, "Access-Control-Request-Headers": WORD}
    yield client.options("/predict", headers=asked)
    yield client.get("/model", headers={"Authorization": f"Bearer {WORD}"})
    yield client.get("/model", headers={"Authorization": WORD})
    for path, bodies in (("/predict", RECORDS), ("/predict/batch", BATCHES)):
        for body in bodies:
            yield client.post(path, content=body, headers=JSON)
            yield client.post(f"{path}{QUERY}", content=body, headers={**JSON, **SAMPLED})
        for headers in KINDS_OF_BODY:
            yield client.post(path, content=GOOD, headers=headers)
    for text in MALFORMED:
        yield client.get("/livez", headers={**SAMPLED, "tracestate": text, "baggage": text})
    yield client.get("/metrics")


def _send_no_http(port: int) -> None:
    for text in NO_HTTP:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(text.encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(2**16):
                pass


@pytest.fixture(
    scope="module",
    params=[("debug", False), ("debug", True), ("info", True), ("warning", False),
            ("error", False), ("critical", False)],
    ids=lambda way: f"{way[0]}-{'with' if way[1] else 'without'}-keys",
)  # fmt: skip
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    level, keys = request.param
    log = tmp_path_factory.mktemp("privacy") / "log"
    command = [sys.executable, "-m", "tests.service.crashing", "serve"]
    with running_collector() as collector:
        settings: dict[str, Any] = {
            **collector.settings,
            "HEARTLINE_ARTIFACT": str(ARTIFACT),
            "HEARTLINE_LOG_LEVEL": level,
            "HEARTLINE_MAX_BATCH_BYTES": str(2**16),
            "HEARTLINE_CORS_ORIGINS": "https://app.example",
            "HEARTLINE_FORWARDED_ALLOW_IPS": "127.0.0.1",
            "HEARTLINE_API_KEYS": f"lab:{KEY}" if keys else "",
        }
        headers = {**HEADERS, "Authorization": f"Bearer {KEY}"}
        with started(command, log, **settings) as process:
            port = wait_until_ready(process)
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
                answers = list(_requests(client))
                _send_no_http(port)
                assert client.get("/livez").status_code == 200
        yield Run(keys, level, answers, log.read_text(), collector)


def _without_unknown_names(answer: httpx.Response) -> str:
    """Return the text of an answer, but for the one place where a sender's word may stand."""
    if answer.headers.get("content-type") != PROBLEM or answer.request.method == "HEAD":
        return answer.text
    problem = answer.json()
    for error in problem["errors"]:
        if error["type"] == "unknown_field":
            name = error["loc"].pop()
            assert len(name) <= MAX_NAME
    return json.dumps(problem)


def test_every_kind_of_answer_was_given(run: Run) -> None:
    wanted = {200, 307, 400, 404, 405, 413, 415, 422, 500}
    assert {answer.status_code for answer in run.answers} == wanted | ({401} if run.keys else set())


def test_the_answers_reveal_nothing_but_the_names_of_unknown_fields(run: Run) -> None:
    for answer in run.answers:
        reported = f"{answer.headers.multi_items()} {_without_unknown_names(answer)}"
        assert not MARKS.search(reported), (answer.request.method, answer.request.url, reported)
    assert any(WORD in answer.text for answer in run.answers if answer.status_code == 422)


def test_the_log_reveals_nothing(run: Run) -> None:
    assert not MARKS.search(run.log)


def test_every_line_of_the_log_is_one_event_of_known_members(run: Run) -> None:
    for line in run.log.splitlines():
        event = json.loads(line)
        assert set(event) <= MEMBERS, line
        assert set(event.get("faults", ())) <= set(FAULT_TYPES)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)


def test_every_request_is_one_line_and_a_crash_is_reported_under_its_id(run: Run) -> None:
    events = [json.loads(line) for line in run.log.splitlines()]
    lines = {e["request_id"]: e for e in events if e["logger"] == "heartline.access"}
    crashes = {e["request_id"]: e for e in events if "exc_info" in e}
    ids = [answer.headers["x-request-id"] for answer in run.answers]
    assert len(set(ids)) == len(ids)
    if run.level in {"debug", "info"}:
        assert lines.keys() >= set(ids)
        assert {lines[i]["status"] for i in crashes} == {500}
    failed = {a.headers["x-request-id"] for a in run.answers if a.status_code == 500}
    assert set(crashes) == (failed if run.level != "critical" else set())
    for event in crashes.values():
        assert event["exc_info"].startswith("RuntimeError at ")
        assert "; caused by KeyError at " in event["exc_info"]


def test_the_spans_reveal_nothing(run: Run) -> None:
    for body in run.collector.bodies:
        assert not MARKS.search(body.decode("latin-1"))
    spans = run.collector.spans()
    assert len(spans) >= len(run.answers)
    assert not [span for span in spans if span.events or span.trace_state or span.status.message]
    crashed = {
        attributes(s).get("error.type")
        for s in spans
        if attributes(s)["http.response.status_code"] == 500
    }
    assert crashed == {"500"}
