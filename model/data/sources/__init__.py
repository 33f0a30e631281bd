"""Sources: CSV, NDJSON and Parquet files as columns of cells, with the line of every row."""

from model.data.sources.reading import read_source
from model.data.sources.table import Cells, Table

__all__ = ["Cells", "Table", "read_source"]
