"""A rolling upgrade under full load, behind nginx and HAProxy, and a replica that is killed.

Run as ``scripts/rehearse-upgrade``.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.conftest import ROOT
from tests.end_to_end.balancers import BALANCERS, Balancer
from tests.end_to_end.upgrades import CLIENTS, Outcome, Replicas, kill_one, replicas, upgrade

KILL_REQUESTS = 5000


@click.command()
@click.option("--requests", default=100_000, show_default=True, help="Of each load balancer.")
@click.option("--old", metavar="COMMIT", help="The version before.  [default: this checkout]")
def main(requests: int, old: str | None) -> None:
    """Replace three replicas and their model under load, and then kill one."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        before = checkout(old, folder / "old") if old else ROOT
        with replicas(folder / "replicas", before) as running:
            with balancers(running, folder / "retries", without_retries=False) as both:
                replaced = upgrade(running, both, requests)
                show("three replicas and the model replaced", replaced)
                show("one killed", kill_one(running, both, KILL_REQUESTS))
            with balancers(running, folder / "none", without_retries=True) as both:
                show("one killed, no request sent again", kill_one(running, both, KILL_REQUESTS))
    sys.exit(any(outcome.lost or outcome.wrong for outcome in replaced.values()))


def checkout(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder."""
    files = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(files)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@contextmanager
def balancers(
    running: Replicas, folder: Path, *, without_retries: bool
) -> Iterator[list[Balancer]]:
    """Run both load balancers for as long as the block."""
    folder.mkdir()
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                kind(
                    folder / name, running.ports, kind.without_retries if without_retries else {}
                ).running()
            )
            for name, kind in BALANCERS.items()
        ]


def show(title: str, outcomes: Mapping[str, Outcome]) -> None:
    click.echo(f"{title}; {CLIENTS} clients of each")
    for name, (answers, wrong, lost, retried) in outcomes.items():
        click.echo(f"  {name:8} answers {answers.total()} {dict(answers)}")
        click.echo(f"  {'':8} wrong {dict(wrong)}  lost {lost}  sent again so far {retried}")


if __name__ == "__main__":
    main()
