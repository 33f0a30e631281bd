"""Scoring many files, each by one of the processes of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from glob import glob
from pathlib import Path

from distributed import Client, KilledWorker, LocalCluster, as_completed

from model.errors import DataError, HeartlineError
from model.inference.predictor import Predictor
from service.files.outputs import Job, check_jobs, publish, staging
from service.files.score_file import Tally, score_file

PATIENCE = "5s"
"""How long a scheduler may take to answer."""


class ClusterError(HeartlineError):
    """A cluster that is not there, or whose workers end."""


def find_files(pattern: str) -> list[Path]:
    """Return the files that match a pattern.

    Raises
    ------
    DataError
        When there is none.
    """
    files = sorted(map(Path, glob(pattern, recursive=True)))  # noqa: PTH207  # may be absolute
    if not files:
        raise DataError(Path(pattern), "no file matches")
    return files


def score_files(
    predictor: Predictor,
    sources: Sequence[Path],
    folder: Path,
    address: str,
    on_file: Callable[[int], object] = id,
    on_done: Callable[[], object] = tuple,
) -> Tally:
    """Score every row of many files.

    Parameters
    ----------
    predictor : Predictor
        The model; it goes to the workers.
    sources : sequence of Path
        The files, each of which a worker reads under this path.
    folder : Path
        Where the answers go, under the names of the files.
    address : str
        Address of the scheduler; empty for a cluster of this machine's processes.
    on_file : callable
        Called with 1 for every file that is done.
    on_done : callable
        Called when all are, before the first of them appears.

    Raises
    ------
    DataError
        When one of the files cannot be used; then none is written.
    ClusterError
        When there is no cluster.

    Notes
    -----
    A file whose worker is lost is scored anew by another. All that workers write stands in a
    folder of this run until the last file is done, so that nothing is there half or twice, even if
    a worker that was given up goes on.
    """
    jobs = [(source, folder / source.name) for source in sources]
    if len({source.name for source in sources}) < len(sources):
        raise DataError(folder, "two input files have the same name")
    check_jobs(jobs)
    with _staging(folder) as staged:
        # The processes of a cluster of this machine end before what they write is taken away.
        with _client(address) as client:
            tally = _scored(client, predictor, jobs, staged, on_file)
        on_done()
        publish(jobs, staged)
    return tally


def _scored(
    client: Client,
    predictor: Predictor,
    jobs: Sequence[Job],
    staged: Path,
    on_file: Callable[[int], object],
) -> Tally:
    score = partial(_score, predictor, staged)
    futures = client.map(score, [source.resolve() for source, _ in jobs], pure=False)
    tally = Tally()
    try:
        for _, scored in as_completed(futures, with_results=True):
            tally += scored
            on_file(1)
    except KilledWorker:
        raise ClusterError("workers ended while scoring; see their logs") from None
    return tally


def _score(predictor: Predictor, staged: Path, source: Path) -> Tally:
    """Score one file; a worker runs this."""
    try:
        return score_file(predictor, source, staged / source.name)
    except HeartlineError as error:  # which another process can create again from its text
        raise HeartlineError(str(error)) from None


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with staging(folder, others_write=True) as staged:
            yield staged
    except OSError as error:
        raise DataError(folder, error.strerror or "cannot be written") from None


@contextmanager
def _client(address: str) -> Iterator[Client]:
    if not address:
        local = LocalCluster(threads_per_worker=1, dashboard_address=None)
        with local, Client(local) as client:
            yield client
        return
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError):
        raise ClusterError(f"{address}: no Dask scheduler responds at this address") from None
    with client:
        yield client
