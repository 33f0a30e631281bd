"""The access line of a plain request: the same bytes that `logging` and its formatter write."""

from __future__ import annotations

import json
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.keys import ENTRY
from service.http.middleware.access_log import log_request, logger
from service.http.middleware.request_id import WELL_FORMED
from service.observability.access_lines import access_line
from service.observability.log_lines import JsonFormatter, current_request_id, timestamp
from tests.service.conftest import Server
from tests.service.samples import JSON, example

NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
TRACES = st.builds(
    lambda trace, span: {"trace_id": trace, "span_id": span},  # in the order of `trace_ids`
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
)
TIMES = st.floats(0, 4e9)


class Formatted(logging.Handler):
    """Keeps the line that the formatter makes of the last record, made at a given time."""

    def __init__(self, created: float) -> None:
        super().__init__()
        self._created = created
        self.line = b""

    def emit(self, record: logging.LogRecord) -> None:
        record.created = self._created
        self.line = f"{JsonFormatter().format(record)}\n".encode()


@given(
    seconds=st.floats(0, 1e6),
    key_name=st.none() | NAMES,
    trace=st.just({}) | TRACES,
    request_id=NAMES,
    now=TIMES,
    status=st.integers(100, 599),
)
def test_the_line_is_the_formatters_to_the_byte(
    seconds: float,
    key_name: str | None,
    trace: dict[str, str],
    request_id: str,
    now: float,
    status: int,
) -> None:
    facts = ("POST", "/predict", status, seconds, key_name, trace)
    handler = Formatted(now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "handlers", [handler])
        patch.setattr(logger, "propagate", False)
        patch.setattr(logger, "level", logging.INFO)
        logger.manager._clear_cache()  # type: ignore[attr-defined]
        patch.setattr(time, "time", lambda: now)
        current = current_request_id.set(request_id)
        log_request(*facts)
        current_request_id.reset(current)
        assert access_line(*facts, request_id, timestamp(now)) == handler.line
    logger.manager._clear_cache()  # type: ignore[attr-defined]


def test_key_names_and_request_ids_have_the_forms_that_are_compared() -> None:
    assert "(?P<name>[A-Za-z0-9._-]{1,64})" in ENTRY.pattern
    assert WELL_FORMED.pattern == "[A-Za-z0-9._-]{1,64}"


@given(TIMES)
def test_a_timestamp_is_the_time_to_the_microsecond(seconds: float) -> None:
    parsed = datetime.fromisoformat(timestamp(seconds))
    assert parsed.utcoffset() == timedelta(0)
    assert abs(parsed - datetime.fromtimestamp(seconds, UTC)) <= timedelta(microseconds=1)
    assert len(timestamp(seconds)) == len("2026-01-01T00:00:00.000000+00:00")


def test_a_running_server_writes_the_same_fields_in_the_same_order_both_ways(
    server: Server,
) -> None:
    ids = [uuid.uuid4().hex, uuid.uuid4().hex]
    # The second is not plain: it has a query.
    with server.client() as client:
        for request_id, path in zip(ids, ("/predict", "/predict?"), strict=True):
            headers = {**JSON, "X-Request-ID": request_id}
            assert client.post(path, json=example(), headers=headers).status_code == 200
    plain, other = [list(server.log_of(request_id).items()) for request_id in ids]
    varying = {"timestamp", "duration_ms", "request_id"}
    assert [name for name, _ in plain] == [name for name, _ in other]
    for (name, value), (_, other_value) in zip(plain, other, strict=True):
        assert type(value) is type(other_value)
        assert name in varying or json.dumps(value) == json.dumps(other_value)
