"""What a running server writes to its log."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.service.conftest import Server, running_server
from tests.service.samples import JSON, example

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
def test_the_callers_span_is_told(server: Server, given: str) -> None:
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


def test_the_log_tells_what_is_served(server: Server) -> None:
    with server.client() as client:
        version = client.get("/readyz").json()["model_version"]
    (line,) = [line for line in server.log_lines() if line["message"] == "serving"]
    assert (line["logger"], line["url"], line["model_version"]) == (
        "heartline",
        server.url,
        version,
    )


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
