"""Tracing: a span for each request, sent by OTLP, with nothing in it that a client wrote."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, Status

from service.observability.trace_context import TRACEPARENT

ATTRIBUTES = frozenset(
    {
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "url.scheme",
    }
)
"""What is sent of FastAPI's; the path, the query and the host, which it adds, are the client's."""


class PrivateSpanExporter(OTLPSpanExporter):
    """Sends of each span what cannot hold a submitted value, and drops the rest."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([_private(span) for span in spans])


def tracer_provider() -> TracerProvider:
    """Return what makes spans and sends them, as the variables OTEL_* say.

    Raises
    ------
    ValueError
        When one of the variables cannot be used.
    """
    service = {"service.name": "heartline", "service.version": version("heartline")}
    resource = Resource.create(service).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(PrivateSpanExporter()))
    propagate.set_global_textmap(TRACEPARENT)  # FastAPI asks the global one
    return provider


def _private(span: ReadableSpan) -> ReadableSpan:
    """Return a span without events, links, status text, tracestate and all other attributes."""
    context = span.get_span_context() or INVALID_SPAN_CONTEXT
    attributes = span.attributes or {}
    return ReadableSpan(
        name=span.name,
        context=SpanContext(
            context.trace_id, context.span_id, context.is_remote, context.trace_flags
        ),
        parent=span.parent,
        resource=span.resource,
        attributes={name: attributes[name] for name in ATTRIBUTES & attributes.keys()},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
