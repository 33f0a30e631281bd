"""A file of 1,000,000 rows: `heartline predict` beside pandas and a pipeline of scikit-learn.

Run as ``python -m benchmarks.files``. Each run is a process of its own, one after the other in
turns, timed from its start to its end; both compute with the weights of the served model.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from benchmarks.figures import Figures
from benchmarks.servers import ALL_CORES
from model.artifact.artifact import Artifact
from model.schema.features import Feature

ARTIFACT = Path(__file__).parents[1] / "artifacts" / "heart.npz"
HEARTLINE = Path(sys.executable).with_name("heartline")
ROWS = 1_000_000
CHUNK = 100_000
ROUNDS = 5
TOLERANCE = 1e-9
TIMED = [sys.executable, "-m", "benchmarks.timed"]
USUAL = [sys.executable, "-m", "benchmarks.usual_pipeline"]
SHARE_UNSEEN = 0.01
"""Of so many values some lie outside of what training saw, so that there are warnings."""


@dataclass(frozen=True)
class Run:
    """What a process took, from its start to its end."""

    seconds: float
    processor_seconds: float
    peak_mib: float


@click.command()
@click.option("--rows", default=ROWS, help="Rows of the file.")
@click.option("--rounds", default=ROUNDS, help="Runs of each.")
def main(rows: int, rounds: int) -> None:
    result = measure(rows, rounds)
    click.echo(as_markdown(result))
    click.echo(
        f"\n{result['rows']} rows, {result['file_mib']:.0f} MiB; largest difference of a "
        f"probability {result['largest_difference']:.1e}"
    )


def as_markdown(result: dict[str, Any]) -> str:
    """Return the table of the docs."""
    lines = [
        "| | seconds | speed | of the processors, seconds | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for name, run in result["runs"].items():
        row = "| {} | {seconds:.2f} | {speed:.1f} | {processor_seconds:.2f} | {peak_mib:.0f} |"
        lines.append(row.format(name, **run))
    return "\n".join(lines)


def measure(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the medians of the runs, the speed as the median of each round's ratio; the peaks."""
    with TemporaryDirectory() as folder:
        source, own, other = (Path(folder, f"{name}.csv") for name in ("rows", "ours", "theirs"))
        write_rows(source, rows)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(run([HEARTLINE, "predict", source, "-o", own]))
            theirs.append(run([*USUAL, source, other]))
        return {
            "rows": rows,
            "file_mib": source.stat().st_size / 2**20,
            "largest_difference": largest_difference(own, other, rows),
            "runs": {
                "pandas, scikit-learn": summary(theirs, theirs),
                "heartline predict": summary(ours, theirs),
            },
        }


def figures() -> Figures:
    """Return what one round says of the command."""
    measured = measure(rounds=1)["runs"]["heartline predict"]
    return Figures({name: measured[name] for name in ("speed", "peak_mib")})


def summary(runs: Sequence[Run], usual: Sequence[Run]) -> dict[str, float]:
    ratios = [of.seconds / own.seconds for own, of in zip(runs, usual, strict=True)]
    return {
        "seconds": statistics.median(run.seconds for run in runs),
        "speed": statistics.median(ratios),
        "processor_seconds": statistics.median(run.processor_seconds for run in runs),
        "peak_mib": max(run.peak_mib for run in runs),
    }


def write_rows(path: Path, rows: int, seed: int = 0) -> None:
    """Write made-up rows: whole numbers and numbers with one decimal, as such files have them."""
    features = Artifact.load(ARTIFACT).features
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        file.write(",".join(["id", *features.names]) + "\n")
        for first in range(0, rows, CHUNK):
            count = min(CHUNK, rows - first)
            columns = [values(feature, count, rng) for feature in features]
            table = np.column_stack([np.arange(first, first + count), *columns])
            np.savetxt(file, table, fmt="%.10g", delimiter=",")


def values(feature: Feature, count: int, rng: np.random.Generator) -> Any:
    if feature.is_coded:
        return rng.choice([code for code, _ in feature.codes], count)
    low, high = feature.observed
    seen = rng.uniform(low, high, count)
    any_possible = rng.uniform(feature.minimum, feature.maximum, count)
    chosen = np.where(rng.random(count) < SHARE_UNSEEN, any_possible, seen)
    return chosen.round(1 if feature.name == "oldpeak" else 0)


def run(command: Sequence[str | Path]) -> Run:
    """Run a command to its end, with all cores."""
    environment = os.environ | {"HEARTLINE_ARTIFACT": str(ARTIFACT)}
    ended = subprocess.run(
        ["taskset", "-c", ALL_CORES, *TIMED, *command],
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{command[0]} ended with code {ended.returncode}")
    return Run(**json.loads(ended.stdout))


def largest_difference(ours: Path, theirs: Path, rows: int) -> float:
    """Compare the answers, row by row."""
    differences = []
    with ours.open(newline="") as mine, theirs.open(newline="") as other:
        for one, two in zip(csv.DictReader(mine), csv.DictReader(other), strict=True):
            if one["id"] != two["id"] or one["predicted_class"] != two["predicted_class"]:
                raise SystemExit(f"row {one['row']}: the answers are not the same")
            differences.append(abs(float(one["probability"]) - float(two["probability"])))
    if len(differences) != rows or max(differences) > TOLERANCE:
        raise SystemExit(f"{len(differences)} answers differ by up to {max(differences)}")
    return max(differences)


if __name__ == "__main__":
    main()
