"""`scripts/bench`: every figure of docs/speed.md, measured side by side.

Server and load have a core each. Without --only, benchmarks/results.json and the tables of
docs/speed.md are written anew; with it, the figures are only printed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks import (
    batches,
    files,
    heartline,
    machine,
    mix,
    neighbours,
    overload,
    serving,
    start,
    table,
    training,
    workers,
)
from benchmarks.figures import repeated
from benchmarks.peers.servers import peers
from benchmarks.servers import CLIENT_CORES

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heartline-bench"


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="A server, or another measurement.")
@click.option("--seconds", type=click.IntRange(1, 60), default=2, show_default=True)
@click.option("--repetitions", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option(
    "--environments",
    type=click.Path(path_type=Path),
    default=CACHE,
    help="Where the peers are installed.",
)
def main(only: Sequence[str], seconds: int, repetitions: int, environments: Path) -> None:
    """Measure the service beside its limit, its peers, and what it is built on."""
    try:
        os.sched_setaffinity(0, {int(CLIENT_CORES)})
    except OSError:
        raise click.ClickException(
            "it needs two cores, one for the server and one for the load"
        ) from None
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tutorial = heartline.tutorial(folder)
        servers = [*heartline.servers(tutorial), *peers(tutorial, environments)]
        others: dict[str, Callable[[], dict[str, float]]] = {
            "batches": batches.measure,
            "mix": partial(mix.measure, tutorial, seconds, folder),
            "overload": partial(overload.measure, folder),
            "neighbours": partial(neighbours.measure, folder),
            "workers": partial(workers.measure, seconds, folder),
            "start": partial(start.measure, folder),
            "training": training.measure,
            "files": files.figures,
        }
        names = [server.name for server in servers] + list(others)
        if unknown := set(only) - set(names):
            raise click.BadParameter(f"{min(unknown)}; there are {', '.join(names)}")
        wanted = only or names
        chosen = [server for server in servers if server.name in wanted]
        results: dict[str, Any] = {
            **machine.describe(),
            "settings": {"seconds": seconds, "repetitions": repetitions},
        }
        if chosen:
            results["servers"] = serving.measure(
                chosen, serving.limit_server(tutorial), seconds, repetitions, folder
            )
        for name, measure in others.items():
            if name in wanted:
                click.echo(f"bench: {name}", err=True)
                results[name] = repeated(measure, repetitions)
    document = json.dumps(results, indent=1)
    if only:
        click.echo(document)
    else:
        table.RESULTS.write_text(document + "\n")
        table.PAGE.write_text(table.refreshed(table.PAGE.read_text(), results))


if __name__ == "__main__":
    main()
