"""Differences: one question sent in every way that must not change its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from random import Random

from starlette.types import ASGIApp

from model.inference.predictor import Predictor
from tests.service.asking import Answer, Asker
from tests.service.careful import ID, MARK, Form, lines_of
from tests.service.questions import (
    CODINGS,
    Question,
    RowAnswer,
    as_record,
    check,
    check_refusal,
    plainly,
    question,
    row_answers,
)

PREDICTED = "heartline_rows_predicted_total{"


class Finding(Exception):
    """A question that got a wrong answer.

    Parameters
    ----------
    asked : Question
        The question.
    error : Exception
        The failed check.
    """

    def __init__(self, asked: Question, error: BaseException) -> None:
        super().__init__(f"{asked}\n{error!r}")
        self.asked = asked


class Examiner:
    """Sends questions to an application and compares the answers.

    Parameters
    ----------
    app : ASGIApp
        The application.
    predictor : Predictor
        The model that it serves.

    Attributes
    ----------
    predicted : int
        Rows that were predicted in the answers.
    """

    def __init__(self, app: ASGIApp, predictor: Predictor) -> None:
        self.predicted = 0
        self._ask = Asker(app)
        self._predictor = predictor

    def close(self) -> None:
        self._ask.close()

    def fuzz(self, form: Form, seed: int, number: int) -> None:
        """Examine generated questions of a form.

        Raises
        ------
        Finding
            At the first wrong answer.
        """
        rng = Random(f"{form} {seed}")
        for _ in range(number):
            self.examine(question(rng, form), rng)

    def examine(self, asked: Question, rng: Random) -> None:
        """Send a question in every way.

        Raises
        ------
        Finding
            When an answer is wrong.
        """
        plain = replace(asked, coding="")
        with _finding(plain):
            self._check_transfers(plain, self._answer(plain), rng)
            reporting = replace(plain, on_error="report")
            if plain.is_lines and plain.rows:
                self._check_lines(reporting, rng)
            elif plain.form != "record":
                self._answer(reporting)

    def counted(self) -> int:
        """Return how many predicted rows the service has counted."""
        lines = self._ask("/metrics", method="GET").body.decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(PREDICTED))

    def _answer(self, asked: Question, *pieces: bytes, length: bool = True) -> Answer:
        sent = pieces or (asked.sent,)
        with _finding(asked):
            answer = self._ask(asked.path, *sent, headers=asked.headers, length=length)
            self.predicted += check(asked, answer, self._predictor)
        return answer

    def _check_transfers(self, asked: Question, whole: Answer, rng: Random) -> None:
        """Compare with the same body compressed, and cut, and both."""
        for coding in CODINGS:
            again = replace(asked, coding=coding)
            answer = self._answer(again, *cut(rng, again.sent), length=rng.random() < 0.5)
            assert (answer.status, answer.body) == (whole.status, whole.body), (coding, answer)
        self._check_damaged(replace(asked, coding=rng.choice(["gzip", "deflate"])))

    def _check_damaged(self, asked: Question) -> None:
        """Cut the end off a compressed body: it is refused, or the reported rows end early."""
        answer = self._ask(asked.path, asked.sent[:-1], headers=asked.headers)
        if answer.status != HTTPStatus.OK:
            # Wrong column names are refused before the end of the body arrives.
            check_refusal(answer, 422 if asked.rows is None and answer.status == 422 else 400)
            return
        assert asked.on_error == "report", answer
        *answers, last = row_answers(asked, answer)
        assert last["errors"], answer
        self.predicted += sum(not found.get("errors") for found in answers)

    def _check_lines(self, asked: Question, rng: Random) -> None:
        """Compare with a row alone, with the rows in another order, and with the fast path."""
        answers = row_answers(asked, self._answer(asked))
        number = rng.randrange(len(answers))
        order = rng.sample(range(len(answers)), len(answers))
        self._check_some(in_order(asked, [number]), [answers[number]])
        self._check_some(in_order(asked, order), [answers[number] for number in order])
        good = [found for found in answers if not found.get("errors")]
        plain = plainly(asked)
        self._check_some(plain, good)
        self._check_record(plain, good, rng)

    def _check_some(self, asked: Question, expected: list[RowAnswer]) -> None:
        """Compare with the earlier answers to the same rows."""
        found = row_answers(asked, self._answer(asked))
        assert list(map(_placeless, found)) == list(map(_placeless, expected)), (asked, found)

    def _check_record(self, plain: Question, found: list[RowAnswer], rng: Random) -> None:
        """Compare the answer to a row with the answer to the same record on /predict."""
        if not plain.rows or plain.form != "ndjson":
            return
        number = rng.randrange(len(plain.rows))
        record = as_record(plain.rows[number])
        (alone,) = row_answers(record, self._answer(record))
        expected = {name: value for name, value in found[number].items() if name != ID}
        assert alone == expected, (record, alone)


def cut(rng: Random, body: bytes) -> list[bytes]:
    """Return a body in pieces, some of which may be empty."""
    places = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice([0, 1, 1, 2, 5])))
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def in_order(asked: Question, order: list[int]) -> Question:
    """Return a question with its rows in another order."""
    lines = lines_of(asked.body)
    header, rows = (lines[:1], lines[1:]) if asked.form == "csv" else ([], lines)
    # The mark is dropped once; a row that begins with another may come first.
    return replace(asked, body=MARK + b"\n".join([*header, *(rows[number] for number in order)]))


def _placeless(found: RowAnswer) -> RowAnswer:
    """Return the answer to a row without the number of the row."""
    errors = found.get("errors")
    if not isinstance(errors, list):
        return found
    return {**found, "errors": [{**one, "loc": one["loc"][2:]} for one in errors]}


@contextmanager
def _finding(asked: Question) -> Iterator[None]:
    try:
        yield
    except Finding:
        raise
    except Exception as error:
        raise Finding(asked, error) from error
