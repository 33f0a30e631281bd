"""The sections of an artifact: parts that a model may have or lack, each with checks of its own.

The metadata of a file declares its sections::

    "sections": {
        "background": {"required": false, "arrays": {"rows": [50, 13]}, "document": {"of": "heart"}}
    }

The array ``rows`` of the section ``background`` is the member ``background.rows`` of the file.

A program that does not know a section skips it, and refuses the file if the section is marked as
required. Of a section that is skipped, the members are there and whole; no more can be said. Saving
leaves it out: whether it still fits what has been changed cannot be known.

A new section is one class in a file of its own, and one line in `SECTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from model.arrays import Array
from model.artifact.archive import Archive, ArchiveFault, shown
from model.artifact.core import Core

MAX_SECTIONS = 32
MAX_DIMENSIONS = 4
"""Of one array."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Of a section, of an array of it and of a check: without the dot that joins two of them."""


class Section(Protocol):
    """What a class of sections has.

    Attributes
    ----------
    name : str
        Name of the section.
    is_required : bool
        Whether a program that does not know the section must refuse the file.
    checks : tuple of str
        Names of the checks that `read` makes.
    """

    name: ClassVar[str]
    is_required: ClassVar[bool]
    checks: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, core: Core, arrays: Mapping[str, Array], document: Mapping[str, Any]) -> Self:
        """Return the section that a file holds.

        Parameters
        ----------
        core : Core
            The model, which has passed its checks.
        arrays : mapping of str to Array
            Finite numbers, of the shapes that the file declares.
        document : mapping
            What the metadata says of the section.

        Raises
        ------
        ArchiveFault
            When one of the `checks` fails.
        KeyError, TypeError, ValueError
            When the arrays or the document are others than those of such a section.
        """
        ...

    def arrays(self) -> Mapping[str, Array]:
        """Return the arrays of the section, by name."""
        ...

    def document(self) -> Mapping[str, Any]:
        """Return what the metadata says of the section."""
        ...


SECTIONS: tuple[type[Section], ...] = ()
"""The sections that this program knows."""


@dataclass(frozen=True)
class Declaration:
    """What a file says of one of its sections."""

    name: str
    is_required: bool
    shapes: Mapping[str, tuple[int, ...]]
    document: Mapping[str, Any]

    @property
    def members(self) -> dict[str, str]:
        """Names of the arrays' members in the file, by those of the arrays."""
        return {array: f"{self.name}.{array}" for array in self.shapes}

    @property
    def section(self) -> type[Section] | None:
        """The class of the section; None where this program has none."""
        return next((known for known in SECTIONS if known.name == self.name), None)


def declaration_of(section: Section) -> dict[str, Any]:
    """Return what the metadata of a file says of a section."""
    return {
        "required": section.is_required,
        "arrays": {name: array.shape for name, array in section.arrays().items()},
        "document": section.document(),
    }


def members_of(section: Section) -> dict[str, Array]:
    """Return the members of a file that hold the arrays of a section."""
    return {f"{section.name}.{name}": array for name, array in section.arrays().items()}


def declared_sections(described: Any) -> list[Declaration]:
    """Return the declarations of the metadata.

    Raises
    ------
    ArchiveFault
        When one is malformed, or required and unknown.
    """
    if type(described) is not dict:
        raise ArchiveFault("metadata", "the list of sections is missing")
    if len(described) > MAX_SECTIONS:
        problem = f"{len(described)} sections; the limit is {MAX_SECTIONS}"
        raise ArchiveFault("limits", problem)
    declared = [_declaration(name, parts) for name, parts in described.items()]
    for declaration in declared:
        if declaration.is_required and declaration.section is None:
            raise ArchiveFault(
                "sections",
                f"the file requires the section {declaration.name}, which this program does not "
                "know",
            )
    return declared


def _declaration(name: str, parts: Any) -> Declaration:
    if not (
        NAME.fullmatch(name)
        and type(parts) is dict
        and parts.keys() == {"required", "arrays", "document"}
        and type(parts["required"]) is bool
        and type(parts["arrays"]) is dict
        and all(map(NAME.fullmatch, parts["arrays"]))
        and all(map(_is_shape, parts["arrays"].values()))
        and type(parts["document"]) is dict
    ):
        raise ArchiveFault("sections", f"the declaration of the section {shown(name)} is not valid")
    shapes = {array: tuple(shape) for array, shape in parts["arrays"].items()}
    return Declaration(name, parts["required"], shapes, parts["document"])


def _is_shape(shape: Any) -> bool:
    return (
        type(shape) is list
        and len(shape) <= MAX_DIMENSIONS
        and all(type(size) is int and size >= 1 for size in shape)
    )


def read_section(archive: Archive, declaration: Declaration, core: Core) -> Section | None:
    """Return a section of a file; None where this program does not know it.

    Raises
    ------
    ArchiveFault
        When a check fails. The name of one of the section's own begins with that of the section.
    """
    section, members = declaration.section, declaration.members
    if section is None:
        for member in members.values():
            archive.content(member)
        return None
    arrays = {
        name: archive.array(members[name], shape) for name, shape in declaration.shapes.items()
    }
    try:
        return section.read(core, arrays, declaration.document)
    except ArchiveFault as fault:
        raise ArchiveFault(f"{section.name}.{fault.check}", fault.problem) from None
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        problem = f"the content of {section.name} is not valid ({type(error).__name__})"
        raise ArchiveFault("sections", problem) from None
