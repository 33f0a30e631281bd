from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import warnings
from typing import Any

import pytest

from service.observability.log_lines import current_request_id
from service.observability.logs import STDOUT, configure_logging, only_json_handler

pytestmark = pytest.mark.usefixtures("logging_restored")

PATIENT_VALUE = "98765.4321"
logger = logging.getLogger("uvicorn.error")


class Quoting(ValueError):
    pass


def _lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    (handler,) = logging.getLogger().handlers
    handler.flush()
    return capfd.readouterr().out.splitlines()


def _line(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (text,) = _lines(capfd)
    assert PATIENT_VALUE not in text
    line: dict[str, Any] = json.loads(text)
    return line


def _fail(secret: str) -> None:
    raise Quoting(f"age {secret} is\ntoo much")


def test_of_an_exception_the_type_and_the_way_are_reported_but_never_the_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    try:
        _fail(PATIENT_VALUE)
    except Quoting:
        logger.exception("it\nfailed")
    line = _line(capfd)
    assert (line["level"], line["logger"], line["message"]) == (
        "ERROR",
        "uvicorn.error",
        "it\nfailed",
    )
    assert line["exc_info"].startswith("Quoting at ")
    assert "in _fail" in line["exc_info"]


def test_causes_and_contexts_are_reported_by_their_types_alone(
    capfd: pytest.CaptureFixture[str],
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
    parts = _line(capfd)["exc_info"].split("; caused by ")
    assert [part.split(" at ")[0] for part in parts] == ["RuntimeError", "KeyError", "Quoting"]


def test_the_members_of_a_group_keep_their_texts_to_themselves(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    try:
        raise ExceptionGroup(PATIENT_VALUE, [ValueError(PATIENT_VALUE), KeyError(PATIENT_VALUE)])
    except ExceptionGroup:
        logger.exception("failed")
    assert _line(capfd)["exc_info"].startswith("ExceptionGroup at ")


def test_exceptions_that_caused_each_other_end(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    first, second = ValueError(PATIENT_VALUE), KeyError(PATIENT_VALUE)
    first.__cause__, second.__cause__ = second, first
    logger.error("failed", exc_info=first)
    assert _line(capfd)["exc_info"].count("caused by") == 1


def test_an_exception_that_was_never_raised_is_reported_too(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    logger.error("failed", exc_info=Quoting(PATIENT_VALUE))
    assert _line(capfd)["exc_info"].startswith("Quoting")


@pytest.mark.parametrize("message", ["a\r\nb\u2028c\x85d\x0be", 'quo"te\\', "naïve ☃", "\ud800"])
def test_a_line_is_one_line_of_json_whatever_is_in_it(
    capfd: pytest.CaptureFixture[str], message: str
) -> None:
    configure_logging("info")
    logger.info(message, extra={"field": message, "color_message": "coloured"})
    line = _line(capfd)
    assert (line["message"], line["field"]) == (message, message)
    assert "color_message" not in line


@pytest.mark.parametrize(
    ("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("critical", 0)]
)
def test_lines_below_the_level_are_left_out(
    capfd: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    configure_logging(level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logger.log(number, "line")
    assert len(_lines(capfd)) == lines


def test_uvicorns_own_access_log_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug")
    logging.getLogger("uvicorn.access").info('"GET /%s"', PATIENT_VALUE)
    assert _lines(capfd) == []


def test_the_lines_of_an_event_loop_wait_for_one_another_but_for_warnings(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")

    async def log(*levels: int) -> list[str]:
        for level in levels:
            logger.log(level, "%d", level)
        STDOUT.flush()
        return [json.loads(line)["message"] for line in capfd.readouterr().out.splitlines()]

    assert asyncio.run(log(logging.INFO, logging.INFO)) == []
    assert asyncio.run(log(logging.INFO, logging.WARNING)) == ["20", "20", "20", "30"]


def test_lines_that_an_event_loop_holds_are_written_by_it_after_one_turn(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")

    async def log() -> None:
        logger.info("one")
        logger.info("two")
        await asyncio.sleep(0)  # one turn
        STDOUT.flush()
        assert [json.loads(line)["message"] for line in capfd.readouterr().out.splitlines()] == [
            "one",
            "two",
        ]

    for _ in range(2):  # each loop has its own turn
        asyncio.run(log())


def test_a_warning_of_python_is_a_line_with_its_kind_and_place_but_not_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info")
        warnings.warn(f"expected int, got {PATIENT_VALUE}", UserWarning, stacklevel=1)
    line = _line(capfd)
    assert line["message"].startswith(f"UserWarning at {__file__}:")


def test_every_line_made_in_a_request_has_its_id(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")

    def log() -> None:
        current_request_id.set("mine")
        logger.error("in a request")

    contextvars.Context().run(log)
    assert _line(capfd)["request_id"] == "mine"
    contextvars.Context().run(logger.error, "in none")
    assert "request_id" not in _line(capfd)


def test_an_attribute_of_another_type_is_written_as_the_name_of_its_type(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    logger.info("line", extra={"field": Quoting(PATIENT_VALUE), "fields": {"one": [object()]}})
    line = _line(capfd)
    assert (line["field"], line["fields"]) == ("Quoting", {"one": ["object"]})


def test_a_line_has_the_stack_that_was_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logger.info("line", stack_info=True)
    assert __file__ in _line(capfd)["stack_info"]


def test_lines_of_requests_and_of_loggers_are_written_in_their_order(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")
    handler = only_json_handler()
    assert handler is not None

    async def log() -> None:
        for number in range(3):
            handler.add(b'{"message":"plain %d"}\n' % number)
            logger.info("%d", number)

    asyncio.run(log())
    messages = [json.loads(line)["message"] for line in _lines(capfd)]
    assert messages == ["plain 0", "0", "plain 1", "1", "plain 2", "2"]


def test_lines_are_held_for_no_loop_that_has_ended(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    ended = asyncio.new_event_loop()

    async def log() -> None:
        logger.info("one")

    ended.run_until_complete(log())
    ended.close()  # with what it had to do
    logger.info("two")
    STDOUT.flush()
    lines = capfd.readouterr().out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["one", "two"]


def test_a_second_handler_gets_every_line(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    assert only_json_handler() is not None
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    assert only_json_handler() is None
    logging.getLogger().removeHandler(other)
    assert _lines(capfd) == []
