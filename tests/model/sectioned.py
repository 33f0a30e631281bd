"""A section that only the tests know, an artifact that has it, and a file of before sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from model.arrays import Array
from model.artifact.archive import ArchiveFault
from model.artifact.artifact import Artifact
from model.artifact.core import Core

FORMAT_1 = Path(__file__).with_name("format_1.npz")
"""The heart model as it was saved before there was a format 2."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Rows with the probabilities that the model gives them, and where they are from."""

    name: ClassVar[str] = "reference"
    is_required: ClassVar[bool] = False
    checks: ClassVar[tuple[str, ...]] = ("rows", "probabilities")

    rows: Array
    probabilities: Array
    origin: str

    @classmethod
    def read(cls, core: Core, arrays: Mapping[str, Array], document: Mapping[str, Any]) -> Self:
        section = cls(arrays["rows"], arrays["probabilities"], document["origin"])
        if section.rows.shape[1:] != (len(core.features),):
            raise ArchiveFault("rows", "they are not of the features")
        if {*document} != {"origin"} or type(section.origin) is not str or len(arrays) > 2:
            raise ValueError
        difference = np.abs(core.predict_proba(section.rows) - section.probabilities)
        if difference.shape != (len(section.rows),) or difference.max() > 1e-9:
            raise ArchiveFault("probabilities", "they are not those of the model")
        return section

    def arrays(self) -> dict[str, Array]:
        return {"rows": self.rows, "probabilities": self.probabilities}

    def document(self) -> dict[str, Any]:
        return {"origin": self.origin}


class Needed(Reference):
    """The same, where a program that does not know it must not serve the model."""

    name: ClassVar[str] = "needed"
    is_required: ClassVar[bool] = True


def with_section(artifact: Artifact, section: type[Reference] = Reference) -> Artifact:
    """Return an artifact with one section."""
    rows = artifact.features.golden_inputs(30)[16:]
    made = section(rows, artifact.predict_proba(rows), "made up")
    return replace(artifact, sections=(made,))
