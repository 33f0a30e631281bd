"""Trace context: which span of a distributed trace a request belongs to, as the W3C writes it."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope


class TraceparentPropagator(TraceContextTextMapPropagator):
    """Reads only the header traceparent, and ignores it if it is given twice.

    Of a malformed tracestate or baggage, OpenTelemetry logs what the client wrote.
    """

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        given = getter.get(carrier, "traceparent") or []
        return super().extract({"traceparent": given if len(given) == 1 else []}, context)


TRACEPARENT = TraceparentPropagator()


def trace_ids(scope: Scope) -> dict[str, str]:
    """Return the ids of a request's span for the log: the service's own with tracing on.

    Else it is the caller's, from the header traceparent. Of one that is malformed or given twice,
    nothing is logged.
    """
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        span = _callers_span(scope)
    if not span.is_valid:
        return {}
    return {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}


def _callers_span(scope: Scope) -> SpanContext:
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"]
    if not given:
        return trace.INVALID_SPAN_CONTEXT
    return trace.get_current_span(TRACEPARENT.extract({"traceparent": given})).get_span_context()
