"""Spans, as a collector receives them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from service.app import create_app
from service.observability.telemetry import flush
from service.observability.tracing import tracer_provider
from service.settings import Settings, SettingsError
from tests.conftest import ARTIFACT
from tests.service.collector import Collector, attributes, running_collector
from tests.service.conftest import Server, running_server
from tests.service.samples import example

pytestmark = pytest.mark.slow

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "mine"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("traced") / "log"
    with running_server(log, **collector.settings) as server:
        yield server


def _of_trace(trace_id: str) -> Any:
    return lambda span: span.trace_id.hex() == trace_id


def test_a_request_is_one_span_under_the_callers(traced: Server, collector: Collector) -> None:
    with traced.client() as client:
        assert client.post("/predict", json=example(), headers=TRACEPARENT).status_code == 200
    span = collector.wait_for(_of_trace(TRACE))
    assert span.parent_span_id.hex() == SPAN
    assert (span.name, span.kind) == ("POST /predict", Span.SPAN_KIND_SERVER)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/predict",
        "network.protocol.version": "1.1",
        "url.scheme": "http",
    }
    line = traced.log_of("mine")
    assert (line["trace_id"], line["span_id"]) == (TRACE, span.span_id.hex())
    assert [other.span_id for other in collector.spans() if other.trace_id == span.trace_id] == [
        span.span_id
    ]


def test_what_else_a_span_holds_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_collector() as collector:
        for name, value in collector.settings.items():
            monkeypatch.setenv(name, value)
        provider = tracer_provider()
        tracer = provider.get_tracer("a library")
        secret = {"url.path": "98765.4321", "http.route": "/predict"}
        with tracer.start_as_current_span("POST /predict", attributes=secret) as span:
            span.add_event("98765.4321")
            span.add_link(span.get_span_context(), secret)
            span.set_status(StatusCode.ERROR, "98765.4321")
        provider.shutdown()
    (sent,) = collector.spans()
    assert attributes(sent) == {"http.route": "/predict"}
    assert sent.status.code == Status.STATUS_CODE_ERROR
    assert not [body for body in collector.bodies if b"98765" in body]


def test_without_a_caller_a_trace_begins_here(traced: Server, collector: Collector) -> None:
    with traced.client() as client:
        response = client.get("/model")
    line = traced.log_of(response.headers["x-request-id"])
    span = collector.wait_for(_of_trace(line["trace_id"]))
    assert (span.parent_span_id, span.span_id.hex()) == (b"", line["span_id"])


def test_the_spans_are_those_of_heartline(traced: Server, collector: Collector) -> None:
    with traced.client() as client:
        client.get("/livez")
    collector.wait_for(lambda span: span.name == "GET /livez")
    resource = collector.requests()[0].resource_spans[0].resource
    named = {pair.key: pair.value.string_value for pair in resource.attributes}
    assert named["service.name"] == "heartline"


def test_the_last_spans_are_sent_by_a_service_that_stops(tmp_path: Path) -> None:
    with running_collector() as collector:
        slow = {**collector.settings, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        named = {"OTEL_SERVICE_NAME": "triage"}
        with running_server(tmp_path / "log", **slow, **named) as server, server.client() as client:
            client.get("/model")
            assert collector.bodies == []
        assert "GET /model" in {span.name for span in collector.spans()}
        assert b"triage" in collector.bodies[0]


def test_a_collector_that_does_not_answer_is_not_waited_for() -> None:
    class Stuck:
        released = threading.Event()

        def shutdown(self) -> None:
            self.released.wait()

    flush(cast(TracerProvider, Stuck()))
    Stuck.released.set()


def test_by_default_nothing_is_sent(tmp_path: Path) -> None:
    with running_collector() as collector:
        settings = collector.settings | {"HEARTLINE_TRACING": ""}
        with running_server(tmp_path / "log", **settings) as server, server.client() as client:
            client.post("/predict", json=example(), headers=TRACEPARENT)
        assert collector.bodies == []


@pytest.mark.parametrize(
    ("trusted", "scheme"), [("", "http"), ("127.0.0.0/30, ::1", "https"), ("10.0.0.1", "http")]
)
def test_forwarded_headers_are_trusted_only_from_configured_proxies(
    tmp_path: Path, trusted: str, scheme: str
) -> None:
    with running_collector() as collector:
        settings = collector.settings | {
            "HEARTLINE_FORWARDED_ALLOW_IPS": trusted,
            "FORWARDED_ALLOW_IPS": "*",  # uvicorn's own variable
        }
        with running_server(tmp_path / "log", **settings) as server, server.client() as client:
            client.get("/model", headers={"X-Forwarded-Proto": "https"})
            span = collector.wait_for(lambda span: span.name == "GET /model")
            assert attributes(span)["url.scheme"] == scheme


def test_fastapis_logs_and_metrics_are_never_on() -> None:
    app = create_app(Settings(artifact=ARTIFACT, tracing=True))
    provider = app._telemetry["tracer_provider"]
    assert isinstance(provider, TracerProvider)
    provider.shutdown()
    off = dict.fromkeys(("metrics", "logs", "auto_configure", "operation_spans"), False)
    assert app._telemetry.items() >= off.items()


def test_a_variable_that_cannot_be_used_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(
        SettingsError, match=r"^HEARTLINE_TRACING: a variable [^\n]*max_queue_size[^\n]*$"
    ):
        create_app(Settings(artifact=ARTIFACT, tracing=True))
