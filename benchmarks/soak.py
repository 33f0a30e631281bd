"""Does the service's memory grow? Sends good and bad requests to one worker at full speed.

Run as ``python -m benchmarks.soak``; ``--requests`` says how many. It tells the resident memory
after the first 100,000 and at the end.
"""

import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click

from tests.end_to_end.hostile import Connection, Exchange, prediction
from tests.end_to_end.processes import COMMAND, PATIENCE, free_port, started, wait_until_ready

DIFFERENT = 20_000
PIPELINED = 20
WARM_UP = 100_000


def packets(rng: Random) -> list[Exchange]:
    """Return requests of which many go at once, so that the server is what is waited for."""
    methods = ("POST",) * PIPELINED
    return [
        Exchange((b"".join(prediction(rng) for _ in range(PIPELINED)),), methods)
        for _ in range(DIFFERENT // PIPELINED)
    ]


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@click.command()
@click.option("--requests", default=2_000_000, show_default=True)
def main(requests: int) -> None:
    """Send the requests over and over and tell the memory."""
    port, sent, warm = free_port(), 0, 0
    command = [COMMAND, "serve", "--port", str(port), "--log-level", "warning"]
    with TemporaryDirectory() as folder, started(command, Path(folder) / "log") as process:
        wait_until_ready(port, process)
        connection, exchanges = Connection(port, PATIENCE), packets(Random(1))  # noqa: S311
        begun = time.monotonic()
        while sent < requests:
            exchange = exchanges[sent // PIPELINED % len(exchanges)]
            connection.send(exchange)
            answered = len(connection.answers(exchange))
            if answered != PIPELINED:
                raise click.ClickException(f"{answered} of {PIPELINED} requests were answered")
            sent += PIPELINED
            if sent == WARM_UP:
                warm = resident_kib(process.pid)
        seconds, end = time.monotonic() - begun, resident_kib(process.pid)
        connection.close()
    click.echo(f"{sent} requests in {seconds:.0f} s, {sent / seconds:.0f} a second")
    click.echo(f"resident after {WARM_UP}: {warm} KiB; at the end: {end} KiB, {end - warm:+} KiB")


if __name__ == "__main__":
    main()
