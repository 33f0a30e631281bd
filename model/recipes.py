"""Recipes: the training runs that have a name, and every setting of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from model.artifact import Artifact
from model.datasets import Dataset, load_heart
from model.design import Design
from model.encoding import Encoding
from model.errors import RecipeError
from model.initializers import glorot_uniform, standard_normal
from model.losses import BinaryCrossEntropy, ClippedBinaryCrossEntropy
from model.optimizers import Adam, GradientDescent
from model.procedures import HoldOut, NestedCrossValidation, Procedure


@dataclass(frozen=True)
class Recipe:
    """A training run with a name.

    Parameters
    ----------
    name : str
        What the user calls it.
    load : callable
        Returns its data set, or that of a file of the user's own.
    procedure : Procedure
        How the artifact comes about.
    random_state : int
        Seed where the user names none.
    """

    name: str
    load: Callable[[Path | None], Dataset]
    procedure: Procedure
    random_state: int

    def train(
        self,
        data: Path | None = None,
        random_state: int | None = None,
        on_fit: Callable[[int], None] = lambda _: None,
    ) -> Artifact:
        """Run the recipe.

        Parameters
        ----------
        data : Path, optional
            A file of the user's own in place of the recipe's.
        random_state : int, optional
            Seed in place of the recipe's.
        on_fit : callable
            Called with the number of networks just fitted.

        Raises
        ------
        DataError
            When the file cannot be used.
        DivergenceError
            When a fit leaves the finite numbers.
        """
        seed = self.random_state if random_state is None else random_state
        return self.procedure.run(self.name, self.load(data), seed, on_fit)


TUTORIAL = Design(
    encode=Encoding.plain,
    hidden_layer_sizes=(8,),
    hidden_activation="relu",
    initializer=standard_normal,
    loss=ClippedBinaryCrossEntropy(),
    optimizer=partial(GradientDescent, learning_rate=0.001),
    iterations=100,
    reduction="sum",
)
TUTORIAL_WIDE = replace(
    TUTORIAL,
    hidden_layer_sizes=(10,),
    optimizer=partial(GradientDescent, learning_rate=0.01),
    iterations=500,
)
HEART = Design(
    encode=Encoding.one_hot,
    hidden_layer_sizes=(8,),
    hidden_activation="tanh",
    initializer=glorot_uniform,
    loss=BinaryCrossEntropy(),
    optimizer=partial(Adam, learning_rate=0.05),
    iterations=100,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "heart",
            load_heart,
            NestedCrossValidation(tuple(replace(HEART, l2=l2) for l2 in (10.0, 15.0, 20.0))),
            random_state=1,
        ),
        Recipe("heart-tutorial", load_heart, HoldOut(TUTORIAL, 0.2, split_seed=2), random_state=1),
        Recipe(
            "heart-tutorial-wide",
            load_heart,
            HoldOut(TUTORIAL_WIDE, 0.2, split_seed=2),
            random_state=1,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises
    ------
    RecipeError
        When there is none; its text lists those that there are.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise RecipeError(f"no recipe {name!r}; there are {', '.join(RECIPES)}") from None
