"""The served model: what all routes ask, and what a new model replaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from model.artifact.artifact import Artifact
from model.errors import HeartlineError

T = TypeVar("T")


class UnservableError(HeartlineError):
    """A model that passed the checks of its file and does not answer as it must."""


class ServedModel(Generic[T]):
    """The model that answers at the moment.

    Parameters
    ----------
    make : callable
        Makes everything that answers by one model, tries it, and announces it.

    Attributes
    ----------
    current : T
        What `make` returned for the model of the moment, from the first `use` on. A request takes
        it once, so that the whole of its answer is of one model.
    """

    current: T

    def __init__(self, make: Callable[[Artifact], T]) -> None:
        self._make = make

    def use(self, artifact: Artifact) -> None:
        """Let another model answer from the next request on.

        Raises
        ------
        UnservableError
            When anything of it cannot be made or does not work; then nothing has changed.
        """
        try:
            made = self._make(artifact)
        except Exception as error:
            raise UnservableError(
                f"the model {ascii(artifact.name)[1:-1]} cannot be served: its test request failed "
                f"with {type(error).__name__}"
            ) from error
        self.current = made
