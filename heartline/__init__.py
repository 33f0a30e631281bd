"""Heartline for notebooks: train a model on a table, load one, predict the rows of a data frame.

Examples
--------
>>> import heartline
>>> model = heartline.load("artifacts/iris.npz")
>>> flowers = {
...     "sepal_length": [5.0, 6.5],
...     "sepal_width": [3.4, 3.0],
...     "petal_length": [1.5, 5.5],
...     "petal_width": [0.2, 2.0],
... }
>>> model.predict(flowers)
array(['setosa', 'virginica'], dtype='<U10')
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args


def _check_own(package: str) -> None:
    """Refuse to go on with another file in the place of a package of ours.

    Python looks for modules beside a notebook first, and `model.py` is a likely name there.
    """
    own = Path(__file__).parents[1] / package / "__init__.py"
    spec = find_spec(package)
    if spec and spec.origin and Path(spec.origin).resolve() != own.resolve():
        raise ImportError(
            f"{spec.origin} is imported in place of Heartline's own package {package!r}: "
            "rename it, and start Python again",
            name=package,
            path=spec.origin,
        )


_check_own("model")

import numpy as np
from numpy.typing import NDArray

from model.artifact.artifact import Artifact
from model.errors import DataError, HeartlineError, RecipeError
from model.inference.frames import Frame, matrix_of
from model.inference.predictor import Predictor
from model.schema.classes import predicted_classes
from model.schema.rules import Mask

if TYPE_CHECKING:
    from model.arrays import Array
    from model.data.infer import Inferred
    from model.recipes.recipes import Recipe
    from model.recipes.tables.estimator import NeuralNetworkClassifier

__version__ = version("heartline")

Effort: TypeAlias = Literal["quick", "normal", "thorough"]

__all__ = [
    "DataError",
    "Figure",
    "Figures",
    "HeartlineError",
    "Model",
    "NeuralNetworkClassifier",
    "__version__",
    "load",
    "train",
]

Data: TypeAlias = Frame | str | os.PathLike[str]

MAX_NAMED = 20
"""Columns that a warning names."""


def __getattr__(name: str) -> type[NeuralNetworkClassifier]:
    """Import the estimator when it is asked for: it needs scikit-learn, which serving does not."""
    if name != "NeuralNetworkClassifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    with _extra(name):
        from model.recipes.tables.estimator import NeuralNetworkClassifier
    return NeuralNetworkClassifier


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@dataclass(frozen=True)
class Figure:
    """A figure of a model's quality.

    Parameters
    ----------
    value : float
        The figure.
    low, high : float, optional
        Its 95 % bootstrap interval, where the rows were held out by cross-validation.
    spread : float, optional
        Its standard deviation over the repeats of the cross-validation.
    """

    value: float
    low: float | None = None
    high: float | None = None
    spread: float | None = None

    @classmethod
    def of(cls, figure: float | Mapping[str, float]) -> Figure:
        """Return a figure of a model card."""
        if isinstance(figure, Mapping):
            return cls(figure["value"], figure["low"], figure["high"], figure["spread"])
        return cls(figure)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.6g}"
        return f"{self.value:.3f}  95 % interval {self.low:.3f} to {self.high:.3f}"


class Figures(Mapping[str, Figure]):
    """The figures of a model's quality by their names, in the order of the model card.

    Parameters
    ----------
    figures : mapping of str to Figure
        The figures.
    protocol : str
        How they were found.
    """

    def __init__(self, figures: Mapping[str, Figure], protocol: str) -> None:
        self._figures = dict(figures)
        self.protocol = protocol

    def __getitem__(self, name: str) -> Figure:
        return self._figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    def __repr__(self) -> str:
        lines = [f"{name:<22} {figure}" for name, figure in self.items()]
        return "\n".join([self.protocol, *lines])


class Model:
    """A trained model; `load` and `train` return one.

    Parameters
    ----------
    artifact : Artifact
        What training made, with everything that is known of the model.

    Attributes
    ----------
    classes_ : NDArray of str, of shape (n_classes,)
        Names of the classes, as the cells of the target have them; of two, the positive one last.
    feature_names_in_ : NDArray of str, of shape (n_features,)
        Names of the input columns.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.classes_: NDArray[np.str_] = np.array(artifact.labels)
        self.feature_names_in_: NDArray[np.str_] = np.array(artifact.features.names)

    def __repr__(self) -> str:
        classes = ", ".join(self.artifact.labels[:MAX_NAMED])
        return f"Model({self.artifact.name!r}, {len(self.feature_names_in_)} columns, {classes})"

    @cached_property
    def _predictor(self) -> Predictor:
        return self.artifact.predictor()

    def predict(self, data: Data) -> NDArray[np.str_]:
        """Return the name of each row's class.

        Of two classes the positive one is predicted above the model's threshold, of more the most
        probable one.

        Parameters
        ----------
        data : data frame of pandas or Polars, mapping, or path
            As for `predict_proba`.

        Returns
        -------
        NDArray of str, of shape (n,)
            Each is one of `classes_`.

        Raises
        ------
        DataError
            As for `predict_proba`.

        Examples
        --------
        >>> import heartline
        >>> model = heartline.load("artifacts/heart.npz")
        >>> example = {name: [value] for name, value in model.artifact.features.example().items()}
        >>> model.predict(example)
        array(['absence'], dtype='<U8')
        """
        probabilities = self._probabilities(data)
        return self.classes_[predicted_classes(probabilities, self.artifact.threshold)]

    def predict_proba(self, data: Data) -> Array:
        """Return the probability of each class for each row.

        Parameters
        ----------
        data : data frame of pandas or Polars, mapping, or path
            The rows: a data frame, a mapping from names to sequences, or a file of CSV, NDJSON or
            Parquet. It has a column for each feature, under its name or an alias. Other columns,
            such as the target, are not looked at.

        Returns
        -------
        Array of shape (n, n_classes)
            In the order of `classes_`.

        Raises
        ------
        DataError
            When a column is missing, or a cell is no value of its column. Its text names the first
            such cell, its notes count all of them; rows are counted from 1.

        Warns
        -----
        UserWarning
            When values lie outside of what training saw.

        Examples
        --------
        >>> import heartline
        >>> model = heartline.load("artifacts/heart.npz")
        >>> example = {name: [value] for name, value in model.artifact.features.example().items()}
        >>> model.predict_proba(example).shape
        (1, 2)
        """
        probabilities = self._probabilities(data)
        if probabilities.ndim == 1:
            return np.column_stack([1.0 - probabilities, probabilities])
        return probabilities

    def evaluate(self) -> Figures:
        """Return the figures that training found, of a table of one's own by cross-validation.

        They are those of the model card. Nothing is computed.

        Returns
        -------
        Figures
            A mapping from the name of each figure to its value and interval.

        Examples
        --------
        >>> import heartline
        >>> figures = heartline.load("artifacts/heart.npz").evaluate()
        >>> round(figures["roc_auc"].value, 2), figures["roc_auc"].low < 0.9
        (0.91, True)
        """
        about = self.artifact.about
        figures = {name: Figure.of(figure) for name, figure in about["metrics"].items()}
        training = about.get("training")
        protocol = training.get("protocol", "") if isinstance(training, Mapping) else ""
        return Figures(figures, str(protocol))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model and its cards, each whole or not at all; an existing model is replaced.

        Parameters
        ----------
        path : path
            It ends in ``.npz``. The cards are beside it, ending in ``.json`` and ``.md``.

        Raises
        ------
        ArtifactError
            When the name does not end in ``.npz``.
        OSError
            When a file cannot be written; then the old ones are still there.

        Examples
        --------
        >>> import heartline, tempfile
        >>> from pathlib import Path
        >>> model = heartline.load("artifacts/heart.npz")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "copy.npz"
        ...     model.save(path)
        ...     heartline.load(path)
        Model('heart', 13 columns, absence, presence)
        """
        self.artifact = self.artifact.save(Path(path))

    def _probabilities(self, data: Data) -> Array:
        features = self.artifact.features
        if isinstance(data, str | os.PathLike):
            with _extra("reading a file"):
                from model.data.loading import rows_to_predict
            X = rows_to_predict(Path(data), features)
        else:
            X = matrix_of(data, features)
        unseen = features.rules.unseen(X)
        if unseen.any():
            warnings.warn(_outside(unseen, features.names), stacklevel=3)
        return self._predictor.predict_proba(X)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model from the artifact that `Model.save` or ``heartline train`` wrote.

    Parameters
    ----------
    path : path
        The ``.npz`` file.

    Raises
    ------
    ArtifactError
        When a check of the file fails; they are those of ``heartline verify``.

    Examples
    --------
    >>> import heartline
    >>> heartline.load("artifacts/heart.npz")
    Model('heart', 13 columns, absence, presence)
    """
    return Model(Artifact.load(Path(path)))


def train(
    data: Data,
    target: str | None = None,
    *,
    seed: int | None = None,
    folds: int | None = None,
    repeats: int | None = None,
    effort: Effort = "normal",
) -> Model:
    """Fit a model to a table, and judge it by cross-validation.

    Of a file it makes the same model as ``heartline train``.

    Parameters
    ----------
    data : data frame of pandas or Polars, mapping, or path
        The rows: a data frame, a mapping from names to sequences, or a file of CSV, NDJSON or
        Parquet; their schema is inferred. Or a schema file, or the name of a built-in recipe.
    target : str, optional
        The column to predict, where `data` holds rows.
    seed : int, optional
        Seed, by default that of the recipe.
    folds, repeats : int, optional
        Of the cross-validation, by default by the number of rows.
    effort : {"quick", "normal", "thorough"}
        Half of the usual passes and repeats, the usual ones, or twice as many.

    Raises
    ------
    DataError
        When the rows cannot be used; its text names the first cell, its notes count all of them.
    HeartlineError
        When a schema file, a recipe or the options cannot be used.

    Warns
    -----
    UserWarning
        When columns are not used, such as ids and dates.

    Examples
    --------
    >>> import heartline
    >>> table = {
    ...     "hours": [n % 10 for n in range(60)],
    ...     "passed": ["yes" if n % 10 > n % 7 else "no" for n in range(60)],
    ... }
    >>> model = heartline.train(table, target="passed", folds=2, repeats=1)
    >>> model.predict({"hours": [0, 9]})
    array(['no', 'yes'], dtype='<U3')
    """
    for name, value, low, high in (
        ("seed", seed, 0, 2**31),
        ("folds", folds, 2, 100),
        ("repeats", repeats, 1, 100),
    ):
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}")
    inferred: list[Inferred] = []
    if effort not in get_args(Effort):
        raise ValueError(f"effort must be one of {', '.join(get_args(Effort))}")
    chosen = {"folds": folds, "repeats": repeats, "effort": effort}
    recipe = _recipe_of(data, target, chosen, inferred)
    for schema in inferred:
        if schema.left_out:
            warnings.warn(_unused(schema), stacklevel=2)
    return Model(recipe.train(random_state=seed))


def _recipe_of(
    data: Data,
    target: str | None,
    chosen: Mapping[str, Any],
    inferred: list[Inferred],
) -> Recipe:
    """Return the recipe of what `train` is given; note the schema that was inferred, if one was."""
    with _extra("training"):
        from model.data.sources.frame_table import table_of
        from model.recipes.own_tables import SUFFIXES, inferred_recipe, recipe_for
        from model.recipes.tables.plans import Choices
    choices = Choices(**chosen)
    if isinstance(data, str | os.PathLike):
        suffix = Path(data).suffix
        if target is None and suffix in SUFFIXES:
            raise RecipeError(f"{data}: a file of rows needs target, the column to predict")
        if target is not None and suffix == ".toml":
            raise RecipeError(f"{data}: the schema names the target; leave target out")
        return recipe_for(os.fspath(data), target, choices, inferred.append)
    if target is None:
        raise RecipeError("a data frame needs target, the column to predict")
    return inferred_recipe(table_of(data), target, target, choices, inferred.append)


def _unused(inferred: Inferred) -> str:
    """Return a sentence on the columns that a schema ignores, each with the reason.

    What follows the first sentence of a reason says how to edit a schema file.
    """
    ignored = inferred.schema.ignored
    reasons = [column.reason.partition(".")[0] for column in ignored]
    named = [f"{of.name} ({reason})" for of, reason in zip(ignored, reasons, strict=True)]
    return f"columns that are not used: {_listed(named, len(ignored))}"


def _outside(unseen: Mask, names: Sequence[str]) -> str:
    """Return a sentence on the values that training has not seen the like of."""
    named = [names[column] for column in sorted({*np.nonzero(unseen)[1].tolist()})]
    rows = len({*np.nonzero(unseen)[0].tolist()})
    columns = _listed(named, len(named))
    return f"values outside of what training saw, in {rows} of {len(unseen)} rows: {columns}"


def _listed(names: Sequence[str], number: int) -> str:
    """Return the first names, and how many more there are."""
    more = [f"and {number - MAX_NAMED} more"] if number > MAX_NAMED else []
    return ", ".join([*names[:MAX_NAMED], *more])


@contextmanager
def _extra(purpose: str) -> Iterator[None]:
    """Say of a library that is missing with which extra it comes."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{purpose} needs {error.name}: in the checkout, scripts/install all or "
            "pip install '.[train]'",
            name=error.name,
        ) from None
