"""Runs the lines that docs/files.md has for another engine; every row must be there once.

Run by scripts/engines, in an environment that has the engine and nothing of the tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import polars as pl

from model.artifact.artifact import Artifact

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS, FILES = 4000, 4
ENVIRONMENT = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


@click.command()
@click.argument("engine")
def main(engine: str) -> None:
    (code,) = [
        block
        for block in BLOCK.findall((ROOT / "docs" / "files.md").read_text())
        if engine in block
    ]
    predictor = Artifact.load(ROOT / "artifacts" / "heart.npz").predictor()
    features = predictor.features
    X = features.golden_inputs(ROWS)
    table = pl.DataFrame(X, features.names).with_row_index("id").cast({"id": pl.Int64})
    bad = table.head(1).with_columns(id=pl.lit(ROWS, pl.Int64), age=pl.lit(5.0))
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "artifacts").symlink_to(ROOT / "artifacts")
        (folder / "data").mkdir()
        for number, part in enumerate(pl.concat([table, bad]).iter_slices(1 + ROWS // FILES)):
            part.write_parquet(folder / "data" / f"{number}.parquet")
        (folder / "lines.py").write_text(code)
        environment = os.environ | ENVIRONMENT
        subprocess.run([sys.executable, "lines.py"], cwd=folder, env=environment, check=True)
        reported = pl.read_parquet(folder / "scored" / "*.parquet").sort("id")
    assert reported["id"].to_list() == list(range(ROWS + 1))
    *probabilities, none = reported["probability"].to_list()
    assert np.array_equal(probabilities, predictor.predict_proba(X))
    assert none is None
    *reasons, reason = reported["reasons"].to_list()
    assert not any(reasons)
    assert reason == "age: Expected a number from 18 to 110 (years). (out_of_range)"
    click.echo(
        f"{engine}: {ROWS} rows scored once, to the last bit; a row with faults was reported"
    )


if __name__ == "__main__":
    main()
