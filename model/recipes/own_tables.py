"""Own tables: the recipe for a schema file, or for a file of rows whose schema is inferred."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from model.data import Dataset
from model.data.infer import Inferred, infer_schema
from model.data.loading import dataset_of, load_dataset
from model.data.sources import Table, read_source
from model.data.table_schema import TableSchema
from model.errors import RecipeError
from model.recipes.recipes import Recipe, find_recipe
from model.recipes.tables.plans import USUAL, Choices
from model.recipes.tables.table_fit import TableFit

SUFFIXES = (".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".parquet")
"""Ends of the names of files of rows."""


def recipe_for(
    name: str,
    target: str | None = None,
    choices: Choices = USUAL,
    on_inferred: Callable[[Inferred], None] = lambda _: None,
) -> Recipe:
    """Return the recipe of a name, of a schema file or of a file of rows.

    Parameters
    ----------
    name : str
        Name of a built-in recipe, or path of a file.
    target : str, optional
        Of a file of rows, the column that is predicted.
    choices : Choices
        Folds, repeats and effort of a table of one's own.
    on_inferred : callable
        Called with the schema that was inferred, where one was.

    Raises
    ------
    RecipeError
        When there is no such recipe, or its options contradict each other.
    SchemaError, DataError
        When the file cannot be used.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if target is not None:
            raise RecipeError(f"{name}: the schema names the target; leave --target out")
        schema = TableSchema.read(path)
        load: Callable[[Path | None], Dataset] = partial(load_dataset, schema)
    elif target is not None or path.suffix in SUFFIXES:
        if target is None:
            raise RecipeError(f"{name}: a file of rows needs --target, the column to predict")
        table = read_source(path)
        return inferred_recipe(table, target, path.stem, choices, on_inferred)
    else:
        return _built_in(name, choices)
    return table_recipe(schema.name, load, choices)


def inferred_recipe(
    table: Table,
    target: str,
    name: str,
    choices: Choices,
    on_inferred: Callable[[Inferred], None],
) -> Recipe:
    """Return the recipe of a table whose schema is inferred; see `recipe_for`."""
    inferred = infer_schema(table, target, name)
    on_inferred(inferred)
    schema = inferred.schema
    return table_recipe(name, partial(_load, schema, table), choices)


def _load(schema: TableSchema, table: Table, data: Path | None) -> Dataset:
    return dataset_of(schema, table) if data is None else load_dataset(schema, data)


def _built_in(name: str, choices: Choices) -> Recipe:
    recipe = find_recipe(name)
    if choices != USUAL:
        problem = "the recipe sets folds, repeats and effort; leave the options out"
        raise RecipeError(f"{name}: {problem}")
    return recipe


def table_recipe(
    name: str,
    load: Callable[[Path | None], Dataset],
    choices: Choices = USUAL,
) -> Recipe:
    """Return a recipe that fits any table.

    Parameters
    ----------
    name : str
        Name of its model.
    load : callable
        Returns the data set, or that of another file with the same columns. What it returns is
        kept: a run needs it more than once.
    choices : Choices
        Folds, repeats and effort.
    """
    return Recipe(name, cache(load), TableFit(choices), random_state=0)
