"""The heartline command."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from model.errors import ArtifactError, HeartlineError
from model.files import check_writable, replace_files
from service.console.interrupts import die_of_signals, finishing
from service.console.progress import is_watched, progress_bars
from service.console.standard_streams import discard_output, fill_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model.artifact.artifact import Artifact
    from model.data.infer import Inferred
    from model.inference.predictor import Predictor
    from model.recipes.recipes import Recipe
    from service.files.score_file import Tally
    from service.files.stops import Stops


ARTIFACT_BYTES = 2**16
REPORT_BYTES = 2**20
"""Bytes that are written before the work begins, to check that there is space."""

SOME_REJECTED = 3
"""Exit code of `heartline predict` if rows were rejected; 2 is that of a wrong command line."""


class ArtifactUnread(HeartlineError):
    """The file of the artifact cannot be read; the text says how to name another."""


class PartsMissing(HeartlineError):
    """A package that a command needs is not installed."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="heartline")
def cli() -> None:
    """Train a small neural network, verify the model, and serve it over HTTP."""


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, help="Name of the column to predict.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The schema's file.  [default: FILE with the suffix .toml]",
)
@click.option("--force", is_flag=True, help="Replace an existing schema.")
def init(file: Path, target: str, output: Path | None, *, force: bool) -> None:
    """Write a schema for the rows of FILE: CSV, NDJSON or Parquet.

    The schema describes each column. It is inferred from the rows; comments mark the guesses. Read
    and edit it before you train a model with it.
    """
    with _parts("inferring a schema", "train"):
        from model.data.first_schema import FirstSchema

    first = FirstSchema(output or file.with_suffix(".toml"), file, force)
    with finishing():
        first.check()
    inferred = first.infer(target)
    with finishing():
        first.check()  # another run may have written the file meanwhile
        first.write(inferred)
    _say(f"schema     {first.path}")
    for line in inferred.summary:
        _say(line)


TABLE_OPTIONS = (
    click.option("--target", help="The column to predict, if NAME is a file of rows."),
    click.option(
        "--folds",
        type=click.IntRange(2, 100),
        help="Folds of the cross-validation.  [default: depends on the number of rows]",
    ),
    click.option(
        "--repeats",
        type=click.IntRange(1, 100),
        help="Repeats of the cross-validation.  [default: depends on the number of rows]",
    ),
    click.option(
        "--effort",
        type=click.Choice(["quick", "normal", "thorough"]),
        default="normal",
        show_default=True,
        help="Half of the usual passes and repeats, the usual ones, or twice as many.",
    ),
)
"""Options of the commands that fit a table."""


def _table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of tables, in their order."""
    for option in reversed(TABLE_OPTIONS):
        command = option(command)
    return command


@cli.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="File with your own rows.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File of the artifact.  [default: artifacts/NAME.npz]",
)
@click.option("--seed", type=click.IntRange(0, 2**31), help="Random seed.  [default: the recipe's]")
@_table_options
@click.option("--force", is_flag=True, help="Replace the model of a different run.")
def train(
    name: str,
    data: Path | None,
    output: Path | None,
    seed: int | None,
    *,
    force: bool,
    **table: Any,
) -> None:
    """Fit a model and write an artifact with its model card.

    NAME is a recipe; a schema file, as `heartline init` writes it; or with --target a file of rows,
    whose schema is inferred.

    An existing artifact of the same run is kept. An artifact of a different run is replaced only
    with --force.
    """
    recipe = _find_recipe(name, **table)
    from model.artifact.card import card_path, markdown_path
    from model.recipes.reruns import earlier_run

    path = output or Path("artifacts") / f"{recipe.name}.npz"
    if path.suffix != ".npz":
        raise click.BadParameter("the file name must end in .npz", param_hint="--output")
    with finishing():
        for file in (path, card_path(path), markdown_path(path)):
            check_writable(file, ARTIFACT_BYTES)
    find_earlier = partial(earlier_run, path, recipe, data, seed)
    earlier = None if force else find_earlier()
    artifact = _train(recipe, data, seed)
    if not (earlier or force):  # another run may have written the file meanwhile
        earlier = find_earlier()
    if earlier:
        _say(f"unchanged  {path}: {earlier.agreement(artifact)}")
        artifact = earlier.artifact
    else:
        with finishing():
            artifact = artifact.save(path)
        _say(f"artifact   {path}")
        _say(f"card       {card_path(path)}")
    _say(f"version    {artifact.version}")
    for figures in artifact.about["training"].get("progress", ()):
        _say("  ".join(f"{name} {figure:g}" for name, figure in figures.items()))
    for metric, figure in artifact.about["metrics"].items():
        _say(f"{metric:<22} {_shown(figure)}")


@cli.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="File with your own rows.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the report.  [default: artifacts/NAME]",
)
@click.option("--seed", type=click.IntRange(0, 2**31), help="Random seed.  [default: the recipe's]")
@_table_options
def evaluate(
    name: str, data: Path | None, output: Path | None, seed: int | None, **table: Any
) -> None:
    """Evaluate a recipe by cross-validation, and write a report with plots.

    NAME is a recipe, a schema file, or with --target a file of rows, as for `heartline train`.
    """
    recipe = _find_recipe(name, **table)
    from model.recipes.reruns import saved_version
    from model.reports.evidence import gather
    from model.reports.report import make_report

    folder = output or Path("artifacts") / recipe.name
    with finishing():
        check_writable(folder / "report.html", REPORT_BYTES)
    with progress_bars() as start:
        evidence = gather(recipe, data, seed, start)
    path = Path("artifacts") / f"{recipe.name}.npz"
    report = make_report(evidence, saved_version(path, recipe, data, seed, evidence.artifact))
    with finishing():
        report.write(folder)
    _say(f"report     {folder / 'report.md'}")
    _say(f"one page   {folder / 'report.html'}")


@cli.command()
@click.argument("name")
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True)
def compare(name: str, seeds: int) -> None:
    """Compare the recipe NAME with models of scikit-learn and networks of Keras.

    All are trained on the same rows and columns, once for each seed from 0 to SEEDS - 1, and
    evaluated on the same held-out rows. The table has means and standard deviations.
    """
    recipe = _find_recipe(name)
    with _parts("comparing", "compare"):
        from model.reports import comparison
        from model.reports.rivals import rivals

        contenders = rivals()
    with progress_bars() as start:
        on_fit = start(name, (1 + len(contenders)) * seeds)
        scores = comparison.compare(recipe, contenders, range(seeds), partial(on_fit, 1))
    _say(comparison.as_markdown(scores))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sha256", help="Required SHA-256 of the file.")
def verify(file: Path, sha256: str | None) -> None:
    """Run every loading check on the artifact FILE and name the first that fails.

    Then start the application in this process and send it the example request in every format.
    """
    from model.artifact.card import card_path
    from service.app import try_model
    from service.inference.model_file import ModelFile
    from service.settings import Settings

    # The defaults: the environment says nothing about the file.
    settings = Settings.model_construct(artifact=file, artifact_sha256=sha256)
    model_file = ModelFile(settings)
    artifact = model_file.artifact
    try_model(settings, model_file)
    format_version = artifact.format_version
    _say(f"{file}: model {artifact.name}, version {artifact.version}, format {format_version}")
    if sha256 is None and not card_path(file).exists():
        _say(f"digest not checked: no {card_path(file).name} next to it, no --sha256 given")
    _say(f"passed: {', '.join(artifact.checks)}")
    if artifact.skipped:
        _say(f"skipped: {', '.join(artifact.skipped)}, which this program does not know")
    _say("tested: the example request in every format")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--onnx",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT",
    help="The ONNX file; an existing one is replaced.",
)
def export(file: Path, output: Path) -> None:
    """Write the model in the artifact FILE as an ONNX graph.

    The graph computes in 64-bit floats, with encoding, missing values, scaling and calibration
    inside. Its probabilities are compared with the model's: if one deviates by more than 1e-12,
    nothing is written. The graph does not validate its input.
    """
    if output.suffix != ".onnx":
        raise click.BadParameter("the file name must end in .onnx", param_hint="--onnx")
    if output.exists() and file.exists() and output.samefile(file):
        raise click.BadParameter("the file holds the artifact", param_hint="--onnx")
    with _parts("exporting", "onnx"):
        from model.export.onnx_export import TOLERANCE, export_onnx
    from model.artifact.artifact import Artifact

    artifact = Artifact.load(file)
    exported = export_onnx(artifact)
    with finishing():
        check_writable(output, len(exported.content))
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_files({output: exported.content})
    _say(f"onnx       {output}")
    _say(f"version    {artifact.version}")
    allowed = f"at most {TOLERANCE:g} allowed"
    _say(f"deviation  {exported.deviation:.2g} in {exported.rows} rows, {allowed}")


@cli.command()
@click.argument("file")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File for the results; with --cluster a folder.",
)
@click.option(
    "--cluster",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS]",
    help="Score many files on a Dask cluster; without an address, on a local cluster.",
)
def predict(file: str, output: Path, cluster: str | None) -> None:
    """Score every row of FILE: CSV, NDJSON or Parquet, as its suffix says.

    Rejected rows are written with their reasons to a file next to the output. Exit codes: 0, every
    row was scored; 3, some rows were rejected; 1, an error, and nothing was written. With
    --cluster, FILE is a pattern such as 'data/*.parquet'.
    """
    from service.files.quiet import native_output_discarded
    from service.files.stops import ended_by_stops
    from service.inference.model_file import ModelFile
    from service.settings import read_settings

    with ended_by_stops() as stops, native_output_discarded():
        with _artifact_from("set HEARTLINE_ARTIFACT"):
            predictor = ModelFile(read_settings()).artifact.predictor()
        if cluster is None:
            tally = _score_file(predictor, Path(file), output, stops)
        else:
            tally = _score_files(predictor, file, output, cluster, stops)
    lines = [f"scored     {tally.scored} rows, {output}"]
    if tally.rejected:
        bad = output.with_suffix(".rejected.*") if cluster is None else output / "*.rejected.*"
        lines.append(f"rejected   {tally.rejected} rows, {bad}")
    _print_summary("\n".join(lines))
    if tally.rejected:
        sys.exit(SOME_REJECTED)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 8000]")
@click.option("--workers", type=int, help="Number of processes.  [default: 1]")
@click.option("--ssl-certfile", help="Certificate with its chain, PEM.  [default: plain HTTP]")
@click.option("--ssl-keyfile", help="Private key, PEM.  [default: in the certificate's file]")
@click.option("--ssl-ca-certs", help="Certificate authorities for client certificates, PEM.")
@click.option("--ssl-ciphers", help="OpenSSL's list of ciphers for TLS 1.2.")
@click.option("--log-level", help="debug, info, warning, error or critical.  [default: info]")
def serve(file: Path | None, **flags: object) -> None:
    """Serve the artifact FILE over HTTP until SIGTERM or Ctrl-C.

    Without FILE, HEARTLINE_ARTIFACT names the artifact. All other settings are environment
    variables, see docs/settings.md.
    """
    from service.observability.logs import flush_log
    from service.server.serve import serve as serve_until_stopped
    from service.settings import read_settings

    try:
        with _artifact_from("set HEARTLINE_ARTIFACT or name the file: heartline serve FILE"):
            serve_until_stopped(read_settings(artifact=file, **flags))
    finally:
        flush_log()  # before the line that says why the command ends


def main() -> None:
    """Run the command; an error that a user can correct is one line and exit code 1."""
    die_of_signals()
    fill_missing()
    try:
        cli()
    except HeartlineError as error:
        _fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
    except OSError as error:  # a file or an output that cannot be written
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or type(error).__name__}")


def _fail(reason: str) -> NoReturn:
    """Say why the command ends; if that cannot be printed, the exit code still does."""
    with suppress(OSError):
        click.echo(f"heartline: {reason}", err=True)
    discard_output()
    sys.exit(1)


def _say(line: str) -> None:
    try:
        click.echo(line)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def _shown(figure: float | dict[str, float]) -> str:
    if isinstance(figure, dict):
        return "{value:.3f}  95 % interval {low:.3f} to {high:.3f}".format_map(figure)
    return f"{figure:.6g}"


@contextmanager
def _artifact_from(hint: str) -> Iterator[None]:
    """Add to the error of an unreadable file how to name another file."""
    try:
        yield
    except ArtifactError as error:
        if error.check != "file":
            raise
        raise ArtifactUnread(f"{error}; {hint}") from None


@contextmanager
def _parts(purpose: str, extra: str) -> Iterator[None]:
    """Replace the error of a missing package by how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise PartsMissing(
            f"{purpose} needs {error.name}: in the checkout, scripts/install all or "
            f"pip install '.[{extra}]'"
        ) from None


def _print_summary(summary: str) -> None:
    """Print what was done; if that fails, the exit code still describes the files."""
    try:
        _say(summary)
    except OSError as error:
        with suppress(OSError):
            click.echo(f"heartline: {error.filename}: {error.strerror}", err=True)
        discard_output()


def _score_file(predictor: Predictor, file: Path, output: Path, stops: Stops) -> Tally:
    with _parts("scoring files", "files"):
        from service.files.formats.reading import rows_about
        from service.files.score_file import score_file
    gc.freeze()  # all that was imported is looked at no more, which at the end takes 0.1 s
    with progress_bars() as start:
        advance = start("rows", rows_about(file) if is_watched() else 0)

        def on_rows(number: int) -> None:
            advance(number)
            stops.check()

        return score_file(predictor, file, output, on_rows)


def _score_files(
    predictor: Predictor, pattern: str, folder: Path, address: str, stops: Stops
) -> Tally:
    with _parts("scoring on a cluster", "cluster"):
        from service.files.cluster import find_files, score_files
    files = find_files(pattern)
    stops.interrupt()
    with progress_bars() as start:
        advance = start("files", len(files))
        return score_files(predictor, files, folder, address, advance, stops.hold)


def _find_recipe(name: str, target: str | None = None, **chosen: Any) -> Recipe:
    with _parts("training", "train"):
        from model.recipes.own_tables import recipe_for
        from model.recipes.tables.plans import Choices
    return recipe_for(name, target, Choices(**chosen), _say_ignored)


def _say_ignored(inferred: Inferred) -> None:
    for line in inferred.left_out:
        _say(line)


def _train(recipe: Recipe, data: Path | None, seed: int | None) -> Artifact:
    with progress_bars() as start:
        return recipe.train(data, seed, start(recipe.name, recipe.procedure.fits))
