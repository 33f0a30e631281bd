"""CSV: a header, and blocks of lines that are scored under it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from model.inference.predictor import Predictor
from model.text_files import delimiter_of
from service.files.formats.answer_columns import Scored
from service.files.formats.cells import CellReader, split_line, with_line_feeds
from service.files.formats.columns import BadColumns, given_names
from service.files.formats.tables import TableScorer


class Header(NamedTuple):
    """The first line that is not blank.

    Parameters
    ----------
    names : list of str
        Names of the columns.
    delimiter : str
        What separates them.
    rest : bytes
        What its block holds after it.
    """

    names: list[str]
    delimiter: str
    rest: bytes


def header_of(blocks: Iterator[bytes]) -> Header:
    """Return the header of a file.

    Raises
    ------
    BadColumns
        When there is no such line, or it is no line of CSV.
    """
    for block in blocks:
        lines = iter(block.splitlines(keepends=True))
        for line in lines:
            if not line.isspace():
                return Header(*_names(line), b"".join(lines))
    raise BadColumns("the file is empty")


def _names(line: bytes) -> tuple[list[str], str]:
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadColumns("the header is not UTF-8") from None
    delimiter = delimiter_of(text) or ","
    names = split_line(text, delimiter)
    if names is None:
        raise BadColumns("the header has a quotation mark that does not enclose a whole name")
    return [name.strip() for name in names], delimiter


class CsvScorer:
    """Scores blocks of lines of CSV.

    Parameters
    ----------
    predictor : Predictor
        The model.
    names : sequence of str
        Names of the columns.
    delimiter : str
        What separates them, and the values of a line.

    Raises
    ------
    BadColumns
        When the names are not those of the model.
    """

    def __init__(self, predictor: Predictor, names: Sequence[str], delimiter: str = ",") -> None:
        features = predictor.features
        self._tables = TableScorer(predictor, reads_text=True)
        own = given_names(features, names, predictor.other_columns)
        numbers = {
            own[feature.name]: feature.rule.missing_texts if feature.is_optional else []
            for feature in features
            if not feature.takes_names_only
        }
        self._cells = CellReader(names, numbers, delimiter)

    def score(self, block: bytes) -> Scored:
        """Score the good rows of a block, numbered from 1; say of the bad ones what is wrong.

        A block in which all is good and plain is read several times as fast.
        """
        block = with_line_feeds(block)
        numbers = self._cells.read_numbers(block)
        if numbers is not None:
            scored = self._tables.score(numbers)
            if scored.rejected.is_empty():
                return Scored(scored.answers, self._cells.broken([]))
        rows = self._cells.read(block)
        answers, rejected = self._tables.score(rows.texts, rows.numbers)
        if not rows.broken.is_empty():
            rejected = pl.concat([rejected, rows.broken]).sort("row")
        return Scored(answers, rejected)
