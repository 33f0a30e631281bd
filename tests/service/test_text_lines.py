"""The log for people: the fields of the JSON lines, in a line of printable ASCII."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.observability.log_lines import JsonFormatter, current_request_id
from service.observability.logs import STDOUT, configure_logging, only_json_handler
from service.observability.text_lines import TextFormatter
from tests.service.conftest import running_server
from tests.service.samples import JSON, example

PATIENT_VALUE = "98765.4321"
START = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (INFO|WARNING|ERROR) +([\w.]+): ([^=]*)(?: \w+=.*)?"
)

logger = logging.getLogger("heartline")


def formatted(message: str, **extra: object) -> str:
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, message, (), None, extra=extra)
    return TextFormatter().format(record)


def test_a_line_has_time_level_logger_message_and_the_other_fields() -> None:
    line = formatted("serving", url="http://127.0.0.1:8000", workers=2, key_name=None)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO     heartline: serving "
        r"url=http://127\.0\.0\.1:8000 workers=2",
        line,
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("line\nbreak", '"line\\nbreak"'),
        ("\x1b[31mred", '"\\u001b[31mred"'),
        ("\u202e\x9b", '"\\u202e\\u009b"'),
        ("\ud800", '"\\ud800"'),
        ({"out_of_range": 2, "missing": 1}, '{"out_of_range":2,"missing":1}'),
        (True, "true"),
        (object(), '"object"'),
    ],
)
def test_a_value_is_one_word_or_json(value: object, shown: str) -> None:
    assert formatted("m", field=value).endswith(f" heartline: m field={shown}")


@given(st.text(), st.text(), st.text(min_size=1))
def test_a_line_is_printable_ascii_whatever_is_in_it(message: str, value: str, name: str) -> None:
    line = formatted("%s", field=value, **{f"x{name}": value})
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, "%s", (message,), None)
    for text in (line, TextFormatter().format(record)):
        assert text.isascii()
        assert text.isprintable()


def test_the_fields_are_those_of_the_json_line() -> None:
    record = logger.makeRecord(
        logger.name, logging.WARNING, "", 0, "m", (), None, extra={"one": 1, "two": "2"}
    )
    current = current_request_id.set("id")
    fields = json.loads(JsonFormatter().format(record))
    line = TextFormatter().format(record)
    current_request_id.reset(current)
    assert fields.pop("timestamp")[:23] + "Z" == line.split()[0]
    assert [fields.pop(name) for name in ("level", "logger", "message")] == [
        "WARNING",
        "heartline",
        "m",
    ]
    assert line.endswith(" ".join(f"{name}={value}" for name, value in fields.items()))


@pytest.mark.usefixtures("logging_restored")
def test_of_an_exception_the_type_and_the_place_are_written_on_the_same_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "text")
    try:
        raise ValueError(f"age {PATIENT_VALUE}\nis too much")
    except ValueError:
        logger.exception("it failed")
    STDOUT.flush()
    (line,) = capfd.readouterr().out.splitlines()
    assert ' exc_info="ValueError at ' in line
    assert PATIENT_VALUE not in line


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize(
    ("form", "is_terminal", "is_text"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("json", True, False),
        ("text", False, True),
    ],
)
def test_auto_is_text_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, form: str, *, is_terminal: bool, is_text: bool
) -> None:
    monkeypatch.setattr("os.isatty", lambda descriptor: is_terminal and descriptor == 1)
    configure_logging("info", form)  # type: ignore[arg-type]
    assert (only_json_handler() is None) == is_text


@pytest.mark.usefixtures("logging_restored")
def test_the_notice_of_dropped_lines_has_the_format_of_the_others() -> None:
    configure_logging("info", "json")
    assert json.loads(STDOUT._make_notice(3))["lines"] == 3
    configure_logging("info", "text")
    assert STDOUT._make_notice(3).endswith(b"could not be written in time lines=3\n")


@pytest.mark.slow
def test_a_server_writes_the_lines_of_requests_alike_on_both_ways(tmp_path: Path) -> None:
    bad = {**example(), "age": float(PATIENT_VALUE)}
    # A request with a query is not plain.
    asked = [("/predict", example()), ("/predict?", example()), ("/predict", bad)]
    with (
        running_server(tmp_path / "log", HEARTLINE_LOG_FORMAT="text") as server,
        server.client() as client,
    ):
        for number, (path, body) in enumerate(asked):
            client.post(path, json=body, headers={**JSON, "X-Request-ID": str(number)})
    log = server.log.read_text()
    assert all(START.fullmatch(line) for line in log.splitlines())
    assert PATIENT_VALUE not in log
    found = re.findall(
        r"heartline\.access: request method=POST route=/predict status=(\d+) "
        r"duration_ms=[\d.]+ (?:faults=\S+ )?request_id=(\d+)\n",
        log,
    )
    assert found == [("200", "0"), ("200", "1"), ("422", "2")]
