"""The tables of docs/speed.md: what `scripts/bench` measured, medians of the repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.figures import medians
from benchmarks.senders import FORMS
from benchmarks.serving import ROWS
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "speed.md"
RESULTS = ROOT / "benchmarks" / "results.json"
PLACE = re.compile(r"(?<=<!-- scripts/bench -->\n).*?(?=<!-- end -->)", re.DOTALL)

# A table of all columns is wider than the screen of a phone.
THROUGHPUT = ("server", "requests per second", "ratio to the limit", "p99, ms")
LATENCY = ("server", "p50 / p99, µs", "ratios to the limit")
RESOURCES = ("server", "start, s", "memory, MiB", "rows per second")

LINES: Mapping[str, Sequence[str]] = {
    "mix": tuple(
        f"{title} | the limit; at log level warning | {{{form}_info:.2f}}; {{{form}_warning:.2f}}"
        for form, title in FORMS.items()
    ),
    "workers": (
        "throughput of two workers, where server and load share two cores | one worker | "
        "{ratio:.2f}",
    ),
    "batches": (
        "time for 1,000 records as objects, without HTTP | orjson.loads of the same bytes | "
        "{ratio_1000:.1f}",
        "time for 10,000 records | the same | {ratio_10000:.1f}",
    ),
    "start": (
        "time from start to the first 200 of /readyz | `import fastapi, numpy, uvicorn` | "
        "{start_ratio:.2f}",
        "resident memory after load | the same imports | {resident_ratio:.2f}",
    ),
    "files": (
        "speed of `heartline predict`, 1,000,000 rows of CSV | pandas with scikit-learn | "
        "{speed:.1f}",
    ),
    "training": (
        "time for 100 iterations of the tutorial's network | only their matrix products | "
        "{fit_ratio:.1f}",
    ),
}

BESIDE = (
    "single records",
    "p50 / p99 / maximum, ms, one connection",
    "the same, 16 connections",
)
BATCHES = {
    0: "no batches",
    1000: "one batch of 1,000 records per second",
    10_000: "one batch of 10,000 records per second",
}


def refreshed(page: str, results: Mapping[str, Any]) -> str:
    """Return the page with the tables of these results."""
    return PLACE.sub(lambda _: as_markdown(results), page)


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables, with an empty line around each."""
    ratios = [
        line.format_map(medians(results[name]))
        for name in LINES
        if name in results
        for line in LINES[name]
    ]
    servers = results["servers"].values()
    started = [server for server in servers if "failed" not in server]
    others = [server for server in started if "start_seconds" in server["figures"]]
    parts = (
        "Requests for one record, with 16 connections:",
        _table(THROUGHPUT, map(_throughput, servers)),
        "Requests for one record, with one connection:",
        _table(LATENCY, map(_latency, started)),
        "Start until the first response, memory of all processes, and batches of 1,000 records:",
        _table(RESOURCES, map(_resources, others)),
        "Comparisons within the service:",
        _table(("what", "compared with", "ratio"), ratios),
        "Single records while another client sends batches:",
        _table(BESIDE, _beside(medians(results["neighbours"]))),
    )
    return "".join(f"\n{part}\n" for part in parts) + "\n"


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    rule = " | ".join("---" for _ in columns)
    return "\n".join(f"| {row} |" for row in (" | ".join(columns), rule, *rows))


def _throughput(server: Mapping[str, Any]) -> str:
    if "failed" in server:
        return " | ".join([server["title"], server["failed"], *[""] * (len(THROUGHPUT) - 2)])
    figures = medians(server["figures"])
    cells = [
        server["title"],
        f"{figures['per_second']:,.0f}",
        _shown(figures, "per_second_of_limit", ".3f"),
        f"{figures['p99_us_16'] / 1000:.1f}",
    ]
    return " | ".join(cells)


def _latency(server: Mapping[str, Any]) -> str:
    figures = medians(server["figures"])
    cells = [
        server["title"],
        f"{figures['p50_us_1']:,.0f} / {figures['p99_us_1']:,.0f}",
        " / ".join(_shown(figures, f"{name}_us_1_of_limit", ".1f") for name in ("p50", "p99")),
    ]
    return " | ".join(cells)


def _resources(server: Mapping[str, Any]) -> str:
    figures = medians(server["figures"])
    cells = [
        server["title"],
        f"{figures['start_seconds']:.2f}",
        f"{figures['resident_mib']:.0f}",
        ", ".join(_batches(figures)) or "-",
    ]
    return " | ".join(cells)


def _shown(figures: Mapping[str, float], name: str, form: str) -> str:
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
