"""Swaps of two models under full load: every answer must be that of the version that it states.

Run as ``python -m benchmarks.model_swaps``.
"""

import sys

import click

from tests.end_to_end.swaps import swap_under_load


@click.command()
@click.option("--swaps", default=1000, help="Models served in turn.")
@click.option("--workers", default=2, help="Processes that serve them.")
@click.option("--clients", default=16, help="Connections that send without a pause.")
def main(swaps: int, workers: int, clients: int) -> None:
    results = swap_under_load(swaps, workers, clients)
    right = results.answers.total()
    click.echo(f"swaps      {swaps} in each of {workers} workers, {results.seconds:.0f} s")
    click.echo(
        f"answers    {right}, {right / results.seconds:.0f} a second, {dict(results.answers)}"
    )
    click.echo(f"wrong      {results.wrong}")
    click.echo(f"lost       {results.lost}")
    sys.exit(results.wrong + results.lost > 0)


if __name__ == "__main__":
    main()
