"""The heartline command."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.artifact import CHECKS, Artifact
from model.card import card_path
from model.errors import HeartlineError
from service.settings import read_settings

if TYPE_CHECKING:
    from model.recipes import Recipe


class TrainingPartsMissing(HeartlineError):
    """The serving parts are installed without those for training."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="heartline")
def cli() -> None:
    """Train a small neural network, verify what came out, and serve it over HTTP."""


@cli.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="A file of your own rows.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The artifact.  [default: artifacts/NAME.npz]"
)
@click.option("--seed", type=click.IntRange(0, 2**31), help="Seed.  [default: the recipe's]")
def train(name: str, data: Path | None, output: Path | None, seed: int | None) -> None:
    """Run the recipe NAME and write an artifact with its model card."""
    recipe = _find_recipe(name)
    path = output or Path("artifacts") / f"{name}.npz"
    if path.suffix != ".npz":
        raise click.BadParameter("the name of an artifact ends in .npz", param_hint="--output")
    artifact = _train(recipe, data, seed).save(path)
    click.echo(f"artifact   {path}")
    click.echo(f"card       {card_path(path)}")
    click.echo(f"version    {artifact.version}")
    for metric, figure in artifact.about["metrics"].items():
        click.echo(f"{metric:<22} {_shown(figure)}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sha256", help="The digest that the file must have.")
def verify(file: Path, sha256: str | None) -> None:
    """Run every check of loading on the artifact FILE and say which one failed."""
    artifact = Artifact.load(file, sha256)
    click.echo(f"{file}: model {artifact.name}, version {artifact.version}")
    if sha256 is None and not card_path(file).exists():
        click.echo(f"digest not checked: no {card_path(file).name} beside it, no --sha256 given")
    click.echo(f"passed: {', '.join(CHECKS)}")


@cli.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 8000]")
@click.option("--workers", type=int, help="Number of processes.  [default: 1]")
@click.option("--log-level", help="debug, info, warning, error or critical.  [default: info]")
def serve(**flags: object) -> None:
    """Serve the artifact over HTTP until SIGTERM or Ctrl-C.

    Settings not given here come from the environment, see docs/settings.md.
    """
    from service.server import serve as serve_until_stopped

    serve_until_stopped(read_settings(**flags))


def main() -> None:
    """Run the command; what a user can mend is one line and exit code 1."""
    try:
        cli()
    except HeartlineError as error:
        click.echo(f"heartline: {error}", err=True)
        sys.exit(1)


def _shown(figure: float | dict[str, float]) -> str:
    if isinstance(figure, dict):
        return "{value:.3f}  95 % interval {low:.3f} to {high:.3f}".format_map(figure)
    return f"{figure:.6g}"


def _find_recipe(name: str) -> Recipe:
    try:
        from model.recipes import find_recipe
    except ModuleNotFoundError as error:
        raise TrainingPartsMissing(
            f"training needs {error.name}: pip install 'heartline[train]'"
        ) from None
    return find_recipe(name)


def _train(recipe: Recipe, data: Path | None, seed: int | None) -> Artifact:
    """Run a recipe; show how far it is, where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(recipe.name, total=recipe.procedure.fits)
        return recipe.train(data, seed, on_fit=partial(progress.advance, task))
