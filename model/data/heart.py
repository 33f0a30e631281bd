"""Heart disease: 270 patients of the Statlog project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from model.data.dataset import Costs, Dataset
from model.data.loading import load_dataset
from model.data.table_schema import TableSchema

HEART_FILE = Path(__file__).with_name("heart.dat")
HEART = TableSchema.read(HEART_FILE.with_suffix(".toml"))
HEART_FEATURES = HEART.features
HEART_TARGET = HEART.target.feature
STATLOG_COSTS = cast("Costs", HEART.target.costs)
"""The cost matrix of the Statlog project: a missed patient counts as five false alarms."""


def load_heart(path: Path | None = None) -> Dataset:
    """Read the Statlog heart data, or a file of the user's own with the same columns.

    Parameters
    ----------
    path : Path, optional
        A file as `model.data.sources.read_source` reads it, with a header in any of the accepted
        names; or space-separated values without a header, as ``heart.dat`` has them.

    Raises
    ------
    DataError
        When the file cannot be used; its text names file, line and column.
    """
    # Its own file has no header, so files of rows to predict have no column to copy.
    return replace(load_dataset(HEART, path), other_columns=())
