"""The errors of the model, as one tree.

::

    HeartlineError
    ├── DataError          a data file, or a value in it, that cannot be used
    ├── RecipeError        a recipe that does not exist
    ├── DivergenceError    training that left the finite numbers
    ├── ArtifactError      an artifact that failed one of the checks of loading
    └── ExportError        an exported graph that does not compute what the model computes
"""

from pathlib import Path


class HeartlineError(Exception):
    """Base of all errors that a user can fix; the message says what to change."""


class DataError(HeartlineError):
    """A data file that cannot be used.

    Parameters
    ----------
    path : Path
        The file.
    problem : str
        What is wrong and what was expected.
    line, row : int, optional
        Line of the file, or its row where it has no lines, counted from 1.
    column : str, optional
        Name of the column.
    """

    def __init__(
        self,
        path: Path,
        problem: str,
        *,
        line: int | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        place = [str(path)]
        if line is not None:
            place.append(f"line {line}")
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(f"{', '.join(place)}: {problem}")


class RecipeError(HeartlineError):
    """A recipe that does not exist."""


class DivergenceError(HeartlineError):
    """Training that left the finite numbers."""


class ArtifactError(HeartlineError):
    """An artifact that failed one of the checks of loading.

    Parameters
    ----------
    path : Path
        The artifact's file.
    check : str
        Name of the check that failed, one of `model.artifact.artifact.CHECKS`.
    problem : str
        What was found and what was expected.
    """

    def __init__(self, path: Path, check: str, problem: str) -> None:
        self.check = check
        super().__init__(f"{path}: the {check} check failed: {problem}")


class ExportError(HeartlineError):
    """An exported graph that does not compute what the model computes."""
