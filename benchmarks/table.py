"""The tables of docs/speed.md: what `scripts/bench` measured, medians of the repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.figures import medians
from benchmarks.serving import ROWS
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "speed.md"
RESULTS = ROOT / "benchmarks" / "results.json"
PLACE = re.compile(r"(?<=<!-- scripts/bench -->\n).*?(?=<!-- end -->)", re.DOTALL)

COLUMNS = (
    "server",
    "requests a second",
    "of the limit",
    "p50 / p99 with one connection, µs",
    "to the limit's",
    "p99 with 16, ms",
    "start, s",
    "memory, MiB",
    "batches of 1,000, rows a second",
)

LINES: Mapping[str, Sequence[str]] = {
    "workers": (
        "two workers, where server and load share two cores | to one worker | {ratio:.2f}",
    ),
    "batches": (
        "1,000 records as objects, without HTTP | to orjson.loads of the bytes | {ratio_1000:.1f}",
        "10,000 records | to the same | {ratio_10000:.1f}",
    ),
    "start": (
        "start to the first 200 of /readyz | to `import fastapi, numpy, uvicorn` | "
        "{start_ratio:.2f}",
        "resident memory after load | to that of the same process | {resident_ratio:.2f}",
    ),
    "files": (
        "1,000,000 rows of CSV by `heartline predict` | speed of pandas, scikit-learn and pandas "
        "again | {speed:.1f}",
    ),
    "training": (
        "100 iterations of the tutorial's network | to their matrix products alone | "
        "{fit_ratio:.1f}",
    ),
}

BESIDE = (
    "single records",
    "p50 / p99 / longest with one connection, ms",
    "with 16",
)
BATCHES = {0: "alone", 1000: "beside 1,000 records a second", 10_000: "beside 10,000"}


def refreshed(page: str, results: Mapping[str, Any]) -> str:
    """Return the page with the table of these results."""
    return PLACE.sub(lambda _: as_markdown(results), page)


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables, with an empty line around each."""
    ratios = [line.format_map(medians(results[name])) for name in LINES for line in LINES[name]]
    tables = (
        _table(COLUMNS, map(_row, results["servers"].values())),
        _table(("what", "beside what", "ratio"), ratios),
        _table(BESIDE, _beside(medians(results["neighbours"]))),
    )
    return "".join(f"\n{table}\n" for table in tables) + "\n"


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    rule = " | ".join("---" for _ in columns)
    return "\n".join(f"| {row} |" for row in (" | ".join(columns), rule, *rows))


def _row(server: Mapping[str, Any]) -> str:
    title = server["title"]
    if "failed" in server:
        return " | ".join([title, server["failed"], *[""] * (len(COLUMNS) - 2)])
    figures = medians(server["figures"])
    cells = [
        title,
        f"{figures['per_second']:,.0f}",
        _told(figures, "per_second_of_limit", ".3f"),
        f"{figures['p50_us_1']:,.0f} / {figures['p99_us_1']:,.0f}",
        " / ".join(_told(figures, f"{name}_us_1_of_limit", ".1f") for name in ("p50", "p99")),
        f"{figures['p99_us_16'] / 1000:.1f}",
        _told(figures, "start_seconds", ".2f"),
        _told(figures, "resident_mib", ".0f"),
        ", ".join(_batches(figures)) or "-",
    ]
    return " | ".join(cells)


def _told(figures: Mapping[str, float], name: str, form: str) -> str:
    return format(figures[name], form) if name in figures else "-"


def _batches(figures: Mapping[str, float]) -> Iterator[str]:
    for name, rows in figures.items():
        if name.startswith(ROWS):
            yield f"{rows:,.0f} ({name.removeprefix(ROWS)})"


def _beside(figures: Mapping[str, float]) -> Iterator[str]:
    for rows, title in BATCHES.items():
        times = (
            " / ".join(
                f"{figures[f'{name}_us_{connections}_beside_{rows}'] / 1000:.2f}"
                for name in ("p50", "p99", "longest")
            )
            for connections in (1, 16)
        )
        yield " | ".join((title, *times))
