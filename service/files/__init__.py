"""Scoring of whole files: what `heartline predict` does, on one machine or on many.

Polars' reader holds as many pieces of a file at once as it has threads, and each is large: with
eight of them a CSV file took 600 MB. These settings bound it; Polars reads them once, so they stand
where nothing has imported it yet. A variable that is already set stays as it is.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "2")
os.environ.setdefault("POLARS_CSV_CHUNK_SIZE", str(2**20))
os.environ.setdefault("POLARS_CSV_CHUNK_PREFETCH_LIMIT", "2")
