"""The file that models come from, and the last good one that was read from it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from model.artifact.artifact import Artifact
from model.artifact.card import card_path
from model.errors import HeartlineError
from model.schema.features import Feature
from service.settings import Settings, SettingsError

SET_THRESHOLD = "Set by the operator of this service."

Signature: TypeAlias = tuple[int, ...] | None
"""What distinguishes the states of a file; None if there is no file."""


class OtherInputs(HeartlineError):
    """A model whose requests or responses differ from those of the served one."""


class ModelFile:
    """The artifact of the settings, with what an operator decides about it.

    Parameters
    ----------
    settings : Settings
        The path, the digest that it must have, the threshold, what coded columns accept.

    Attributes
    ----------
    artifact : Artifact
        The last good one, which is the one in use.

    Raises
    ------
    ArtifactError
        When the file fails a check.
    SettingsError
        When a threshold is set for a model that has none.

    Notes
    -----
    A file that is written where it stands, and an artifact whose card comes after it, are seen
    half done. So a change counts once two looks in turn have found the same.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._watched = (settings.artifact, card_path(settings.artifact))
        self._read = self._seen = self._signatures()
        self.artifact = _load(settings)

    def has_changed(self) -> bool:
        """Check the file; return whether it has changed since it was read, and is stable."""
        before, self._seen = self._seen, self._signatures()
        return before == self._seen != self._read

    def holding(self, artifact: Artifact) -> ModelFile:
        """Return a copy that holds another artifact."""
        other = copy(self)
        other.artifact = artifact
        return other

    def read_again(self, use: Callable[[Artifact], object]) -> bool:
        """Read and check the file, and use the model; return whether it is a new one.

        What fails a check because it is being written at this moment has not changed yet.

        Parameters
        ----------
        use : callable
            Called with another model. When it raises, the model before stays in use.

        Raises
        ------
        ArtifactError, SettingsError
            As at first.
        OtherInputs
            When requests and answers would not look the same.
        """
        signatures = self._signatures()
        try:
            artifact = self._next()
            if artifact.sha256 == self.artifact.sha256:
                return False
            use(artifact)
            self.artifact = artifact
        except HeartlineError:
            if self._signatures() == signatures:
                raise
            return False
        finally:
            # Set last: a copy made meanwhile must not take the old model for this state's.
            self._read = signatures
        return True

    def _next(self) -> Artifact:
        artifact = _load(self._settings)
        if _interface(artifact) != _interface(self.artifact):
            raise OtherInputs(
                f"{self._settings.artifact}: the features or labels of the model {artifact.name} "
                "differ from those of the served model; restart the service to serve it"
            )
        return artifact

    def _signatures(self) -> tuple[Signature, ...]:
        return tuple(_signature(path) for path in self._watched)


def _signature(path: Path) -> Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _load(settings: Settings) -> Artifact:
    artifact = Artifact.load(settings.artifact, settings.artifact_sha256)
    if settings.codes == "names":
        artifact = replace(artifact, features=artifact.features.with_names_only())
    if settings.threshold is None:
        return artifact
    if artifact.threshold is None:
        classes = ", ".join(artifact.labels)
        raise SettingsError(
            f"HEARTLINE_THRESHOLD: the model {artifact.name} predicts the most probable of "
            f"{classes}, without a threshold; unset it"
        )
    return replace(artifact, threshold=settings.threshold, threshold_reason=SET_THRESHOLD)


def _interface(artifact: Artifact) -> tuple[list[Feature], tuple[str, ...]]:
    """Return all that the types of requests and answers are made of."""
    return [replace(feature, observed=()) for feature in artifact.features], artifact.labels
