"""Does the service's memory grow? Sends good and bad requests to one worker at full speed.

Most are for one record; the others are batches, tables, CSV and NDJSON, plain and compressed. Some
clients stream, half-close their connections, or disconnect in the middle of a request or an answer.
Run as ``python -m benchmarks.soak``; ``--requests`` sets how many. It prints the resident memory
after the first 100,000 and at the end.
"""

import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click

from tests.end_to_end.connection import Connection
from tests.end_to_end.hostile import (
    Exchange,
    Sent,
    asking,
    cut_short,
    disconnected,
    half_closed,
    streamed,
)
from tests.end_to_end.processes import COMMAND, PATIENCE, started, wait_until_ready
from tests.service.questions import question

PACKETS = 1000
PIPELINED = 20
RECORDS = 0.8
"""The share of requests for one record."""

BETWEEN = 10
"""One exchange in so many is of another kind than a packet."""

WARM_UP = 100_000


def packet(rng: Random) -> Exchange:
    """Return pipelined requests, so that the server is the bottleneck."""
    asked = [
        question(rng, "record") if rng.random() < RECORDS else question(rng)
        for _ in range(PIPELINED)
    ]
    return Exchange((b"".join(map(asking, asked)),), tuple(Sent(question=one) for one in asked))


def exchanges(rng: Random) -> list[Exchange]:
    """Return packets, with streams and disconnecting clients between them."""
    others = [streamed, disconnected, half_closed, cut_short]
    return [
        others[number // BETWEEN % len(others)](rng) if number % BETWEEN == 0 else packet(rng)
        for number in range(PACKETS)
    ]


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Client:
    """Sends one exchange after the other, on a new connection where the last is closed.

    Parameters
    ----------
    port : int
        Where the server listens.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = Connection(port, PATIENCE)
        self.sent = 0
        self.statuses: Counter[int] = Counter()

    def send(self, exchange: Exchange) -> None:
        """Send it, and read the answers."""
        if self._connection.is_closed:
            self._connection = Connection(self._port, PATIENCE)
        self._connection.send(exchange)
        answers = self._connection.answers(exchange)
        must_answer = exchange.is_http and exchange.ending in ("open", "half-closed")
        if must_answer and len(answers) < len(exchange.requests):
            raise click.ClickException(
                f"{len(answers)} of {len(exchange.requests)} requests were answered"
            )
        self.sent += len(exchange.requests)
        self.statuses.update(answer.status for answer in answers)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@click.command()
@click.option("--requests", default=2_000_000, show_default=True)
def main(requests: int) -> None:
    """Send the requests over and over and print the memory."""
    warm = number = 0
    command = [COMMAND, "serve", "--log-level", "warning"]
    with TemporaryDirectory() as folder, started(command, Path(folder) / "log") as process:
        client, sending = Client(wait_until_ready(process)), exchanges(Random(1))  # noqa: S311
        begun = time.monotonic()
        while client.sent < requests:
            client.send(sending[number % len(sending)])
            number += 1
            if not warm and client.sent >= WARM_UP:
                warm = resident_kib(process.pid)
        seconds, end = time.monotonic() - begun, resident_kib(process.pid)
        client.close()
    click.echo(f"{client.sent} requests in {seconds:.0f} s, {client.sent / seconds:.0f} a second")
    click.echo(f"statuses: {dict(sorted(client.statuses.items()))}")
    click.echo(f"resident after {WARM_UP}: {warm} KiB; at the end: {end} KiB, {end - warm:+} KiB")


if __name__ == "__main__":
    main()
