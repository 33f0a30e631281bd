from __future__ import annotations

import contextvars
import json
import logging
import sys
from typing import Any

import pytest

from service.logs import configure_logging, current_request_id

pytestmark = pytest.mark.usefixtures("logging_restored")

PATIENT_VALUE = "98765.4321"
logger = logging.getLogger("uvicorn.error")


class Quoting(ValueError):
    pass


def _line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (text,) = capsys.readouterr().out.splitlines()
    assert PATIENT_VALUE not in text
    line: dict[str, Any] = json.loads(text)
    return line


def _fail(secret: str) -> None:
    raise Quoting(f"age {secret} is\ntoo much")


def test_of_an_exception_the_type_and_the_way_are_told_but_never_the_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    try:
        _fail(PATIENT_VALUE)
    except Quoting:
        logger.exception("it\nfailed")
    line = _line(capsys)
    assert (line["level"], line["logger"], line["message"]) == (
        "ERROR",
        "uvicorn.error",
        "it\nfailed",
    )
    assert line["exc_info"].startswith("Quoting at ")
    assert "in _fail" in line["exc_info"]


def test_causes_and_contexts_are_told_by_their_types_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    try:
        try:
            try:
                _fail(PATIENT_VALUE)
            except Quoting:
                raise KeyError(PATIENT_VALUE)  # noqa: B904  # its context is what is tested
        except KeyError as error:
            raise RuntimeError(PATIENT_VALUE) from error
    except RuntimeError:
        logger.exception("failed")
    parts = _line(capsys)["exc_info"].split("; caused by ")
    assert [part.split(" at ")[0] for part in parts] == ["RuntimeError", "KeyError", "Quoting"]


def test_the_members_of_a_group_keep_their_texts_to_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    try:
        raise ExceptionGroup(PATIENT_VALUE, [ValueError(PATIENT_VALUE), KeyError(PATIENT_VALUE)])
    except ExceptionGroup:
        logger.exception("failed")
    assert _line(capsys)["exc_info"].startswith("ExceptionGroup at ")


def test_exceptions_that_caused_each_other_end(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    first, second = ValueError(PATIENT_VALUE), KeyError(PATIENT_VALUE)
    first.__cause__, second.__cause__ = second, first
    logger.error("failed", exc_info=first)
    assert _line(capsys)["exc_info"].count("caused by") == 1


def test_an_exception_that_was_never_raised_is_told_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    logger.error("failed", exc_info=Quoting(PATIENT_VALUE))
    assert _line(capsys)["exc_info"].startswith("Quoting")


@pytest.mark.parametrize("message", ["a\r\nb\u2028c\x85d\x0be", 'quo"te\\', "naïve ☃", "\ud800"])
def test_a_line_is_one_line_of_json_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str], message: str
) -> None:
    configure_logging("info")
    logger.info(message, extra={"field": message, "color_message": "coloured"})
    line = _line(capsys)
    assert (line["message"], line["field"]) == (message, message)
    assert "color_message" not in line


@pytest.mark.parametrize(
    ("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("critical", 0)]
)
def test_lines_below_the_level_are_left_out(
    capsys: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    configure_logging(level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logger.log(number, "line")
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_uvicorns_own_access_log_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug")
    logging.getLogger("uvicorn.access").info('"GET /%s"', PATIENT_VALUE)
    assert capsys.readouterr().out == ""


def test_the_log_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stdout


def test_every_line_made_in_a_request_has_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")

    def log() -> None:
        current_request_id.set("mine")
        logger.error("in a request")

    contextvars.Context().run(log)
    assert _line(capsys)["request_id"] == "mine"
    contextvars.Context().run(logger.error, "in none")
    assert "request_id" not in _line(capsys)
