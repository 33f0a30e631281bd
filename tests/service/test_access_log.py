"""What a running server writes to its log."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.service.conftest import Server, running_server
from tests.service.samples import JSON, example, raw, with_pairs

PATIENT_VALUE = "98765.4321"

ANSWERED: list[tuple[str, str, int, str | None]] = [
    ("GET", "/livez", 200, "/livez"),
    ("GET", "/readyz?age=98765.4321", 200, "/readyz"),
    ("GET", "/model", 200, "/model"),
    ("GET", "/", 307, "/"),
    ("GET", "/docs", 200, "/docs"),
    ("GET", "/openapi.json", 200, "/openapi.json"),
    ("GET", "/static/docs.js?98765.4321", 200, "/static/{path:path}"),
    ("GET", "/static/98765.4321", 404, "/static/{path:path}"),
    ("GET", "/98765.4321", 404, None),
    ("GET", "/predict/98765.4321?age=98765.4321", 404, None),
    ("DELETE", "/predict?98765.4321", 405, "/predict"),
    ("POST", "/predict", 422, "/predict"),
    ("POST", "/predict/batch", 422, "/predict/batch"),
]


@pytest.mark.parametrize(
    ("method", "path", "status", "route"), ANSWERED, ids=[f"{way[0]}-{way[1]}" for way in ANSWERED]
)
def test_a_request_is_one_line_with_nothing_that_the_client_wrote(
    server: Server, method: str, path: str, status: int, route: str | None
) -> None:
    request_id = uuid.uuid4().hex
    headers = {**JSON, "X-Request-ID": request_id, "User-Agent": PATIENT_VALUE}
    with server.client() as client:
        body = f'{{"age": {PATIENT_VALUE}}}' if method == "POST" else None
        response = client.request(method, path, headers=headers, content=body)
    assert response.status_code == status
    line = server.log_of(request_id)
    assert isinstance(line.pop("duration_ms"), float)
    assert line.pop("timestamp")
    faults = line.pop("faults", None)
    assert (faults is not None) == (status == 422)
    assert line == {
        "level": "INFO",
        "logger": "heartline.access",
        "message": "request",
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "key_name": None,
    }
    assert PATIENT_VALUE not in server.log.read_text()


GOOD = json.dumps(example())
FAULTY: list[tuple[str, dict[str, str], bytes, dict[str, int]]] = [
    ("/predict", JSON, b'{"age": 98765.4321}', {"missing": 12, "out_of_range": 1}),
    ("/predict", JSON, b"98765.4321", {"not_an_object": 1}),
    ("/predict", JSON, b"{98765.4321", {"json_invalid": 1}),
    ("/predict", JSON, with_pairs('"name-of-a-patient": 1', '"x": 1').encode(),
     {"unknown_field": 2}),
    ("/predict/batch", JSON,
     f'{{"instances": [{raw({"age": "5", "sex": "7"})}, {raw({"age": "98765.4321"})}]}}'.encode(),
     {"out_of_range": 2, "unknown_code": 1}),
    ("/predict/batch", {"Content-Type": "application/x-ndjson"},
     f"{GOOD}\n{raw({'age': 'null'})}\n{raw({'sex': 'null'})}".encode(), {"null": 2}),
    ("/predict/batch", {"Content-Type": "text/csv"}, b"98765.4321\n",
     {"missing": 13, "unknown_field": 1}),
    ("/predict/batch?on_error=98765.4321", {"Content-Type": "text/csv"}, b"age\n",
     {"unknown_code": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "headers", "body", "faults"), FAULTY, ids=range(len(FAULTY)))
def test_the_line_of_a_refused_request_has_the_kinds_of_its_faults_and_their_counts(
    server: Server, path: str, headers: dict[str, str], body: bytes, faults: dict[str, int]
) -> None:
    request_id = uuid.uuid4().hex
    with server.client() as client:
        headers = {**headers, "X-Request-ID": request_id}
        response = client.post(path, content=body, headers=headers)
    assert len(response.json()["errors"]) == sum(faults.values())
    assert server.log_of(request_id)["faults"] == faults
    log = server.log.read_text()
    assert PATIENT_VALUE not in log
    assert "name-of-a-patient" not in log


@pytest.mark.parametrize("path", ["/predict", "/predict?", "/predict/batch", "/livez"])
def test_other_lines_have_no_faults(server: Server, path: str) -> None:
    request_id = uuid.uuid4().hex
    with server.client() as client:
        headers = {**JSON, "X-Request-ID": request_id}
        content = f'{{"instances": [{GOOD}]}}' if path == "/predict/batch" else GOOD
        client.post(path, content=content, headers=headers)
    assert "faults" not in server.log_of(request_id)


def test_a_refused_id_is_in_no_line(server: Server) -> None:
    with server.client() as client:
        response = client.get(
            "/livez", headers={"X-Request-ID": f"{PATIENT_VALUE} {PATIENT_VALUE}"}
        )
    assert server.log_of(response.headers["x-request-id"])["route"] == "/livez"
    assert PATIENT_VALUE not in server.log.read_text()


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "given",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-bring",
    ],
)
def test_the_callers_span_is_reported(server: Server, given: str) -> None:
    with server.client() as client:
        response = client.get("/livez", headers={"traceparent": given})
    line = server.log_of(response.headers["x-request-id"])
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)
    assert not {"traceparent", "traceresponse"} & set(response.headers)


@pytest.mark.parametrize(
    "given",
    [
        [f"00-{TRACE}-{SPAN}"],
        [f"00-{TRACE.upper()}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01-more"],
        [f"ff-{TRACE}-{SPAN}-01"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE}0-{SPAN}-01"],
        [f"00-{TRACE[:-1]}g-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"],
        [PATIENT_VALUE],
        [PATIENT_VALUE * 100],
        ["\xe9"],
    ],
    ids=range(13),
)
def test_a_malformed_traceparent_is_ignored(server: Server, given: list[str]) -> None:
    headers = [("traceparent", value.encode("latin-1")) for value in given]
    with server.client() as client:
        response = client.get("/livez", headers=headers)  # type: ignore[arg-type]
    line = server.log_of(response.headers["x-request-id"])
    assert not {"trace_id", "span_id"} & set(line)
    assert PATIENT_VALUE not in server.log.read_text()


def test_the_log_shows_what_is_served(server: Server) -> None:
    with server.client() as client:
        version = client.get("/readyz").json()["model_version"]
    (line,) = [line for line in server.log_lines() if line["message"] == "serving"]
    assert (line["logger"], line["url"], line["model_version"]) == (
        "heartline",
        server.url,
        version,
    )


@pytest.mark.slow
def test_level_warning_silences_the_request_lines(tmp_path: Path) -> None:
    running = running_server(tmp_path / "log", HEARTLINE_LOG_LEVEL="warning")
    with running as server, server.client() as client:
        assert client.post("/predict", json=example()).status_code == 200
        assert client.get("/nowhere").status_code == 404
    assert server.log.read_text() == ""


def test_a_body_over_the_limit_of_a_running_server_is_answered(server: Server) -> None:
    with server.client() as client:
        response = client.post("/predict", content=b" " * 2**20, headers=JSON)
        assert response.status_code == 413
        assert client.get("/livez").status_code == 200
