"""The artifact: everything that training hands to the service, in one .npz file.

It is the core of a model with the sections that the model has. Format 1, which is read too, has no
sections; otherwise the formats are the same.

Each check of loading has a name, given by `ArtifactError` and by ``heartline verify``; those that a
section makes itself are named like ``background.rows``, the section first:

==========  ======================================================================
file        a regular file that can be read
size        at most `model.artifact.archive.MAX_BYTES` bytes
digest      the SHA-256 that the card beside it tells, and the pinned one
archive     a plain .npz file whose members are whole
metadata    a JSON document that describes a model
version     of a format that this program reads, which is 1 or 2
limits      no more features, classes or of anything else than `model.artifact.metadata` allows
text        no text with control characters or lone surrogates
sections    each is declared in full, and known if it is required; see `model.artifact.sections`
card        the use, the limits and the metrics are what the documents say of them
keys        exactly the members that the metadata calls for
dtype       64-bit floats
shape       the shapes that the metadata calls for
finite      no NaN but for the missing values of golden rows, no infinity, no sum that overflows
golden      the golden rows give the stored probabilities within 1e-9, in a batch and alone
==========  ======================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.artifact.archive import (
    MAX_BYTES,
    MAX_CARD_VALUES,
    Archive,
    ArchiveFault,
    pack,
    read_json,
)
from model.artifact.card import card_markdown, card_path, markdown_path, model_card
from model.artifact.core import Core, read_core
from model.artifact.metadata import check_values
from model.artifact.sections import (
    Section,
    declaration_of,
    declared_sections,
    members_of,
    read_section,
)
from model.errors import ArtifactError
from model.files import replace_files
from model.inference.predictor import Predictor

FORMAT_VERSION = 2
WITHOUT_SECTIONS = 1
FORMATS = (WITHOUT_SECTIONS, FORMAT_VERSION)
CARD_KEYS = {"intended_use", "not_for", "limits", "metrics"}
"""What `about` holds at least."""
CHECKS = (
    "file", "size", "digest", "archive", "metadata", "version", "limits", "text", "sections",
    "card", "keys", "dtype", "shape", "finite", "golden",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Artifact(Core):
    """A trained model as it stands in a file: the core, and its sections.

    Parameters
    ----------
    sections : tuple of Section
        The parts that not every model has.
    skipped : tuple of str
        Names of those in the file that this program does not know.
    format_version : int
        Format of the file that it comes from. A new file is written in the newest.
    sha256 : str
        Hex digest of the file; empty until there is one.
    """

    sections: tuple[Section, ...] = ()
    skipped: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION
    sha256: str = ""

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the file."""
        return self.sha256[:12]

    def card(self) -> dict[str, Any]:
        """Return the model card."""
        return model_card(self, self.version, self.sha256)

    def predictor(self) -> Predictor:
        """Return the model made ready to answer."""
        return Predictor(
            self.pipeline,
            self.golden,
            features=self.features,
            labels=self.labels,
            threshold=self.threshold,
            version=self.version,
            other_columns=tuple(self.about.get("other_columns", ())),
        )

    @property
    def checks(self) -> tuple[str, ...]:
        """Names of the checks that a file with these sections passes."""
        own = [f"{section.name}.{check}" for section in self.sections for check in section.checks]
        return (*CHECKS, *own)

    def save(self, path: Path) -> Artifact:
        """Write the file and the cards beside it, each whole or not at all.

        Returns
        -------
        Artifact
            The same with the digest of the file.

        Raises
        ------
        ArtifactError
            When the name does not end in ``.npz``; the card would overwrite a ``.json``. When the
            file would fail a check of loading.
        OSError
            When one of the files cannot be written; then the old ones are still there.
        """
        if path.suffix != ".npz":
            raise ArtifactError(path, "file", "the file name must end in .npz")
        content = self._packed()
        saved = replace(self, sha256=hashlib.sha256(content).hexdigest())
        _check(path, content)
        card = saved.card()
        document = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        page = card_markdown(card)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = {card_path(path): document.encode(), markdown_path(path): page.encode()}
        replace_files({path: content, **beside})
        return saved

    def is_in(self, saved: Artifact) -> bool:
        """Tell whether saving this one would write the very bytes that the other came from."""
        return hashlib.sha256(self._packed()).hexdigest() == saved.sha256

    def _packed(self) -> bytes:
        arrays, metadata = self.arrays(), {"format_version": FORMAT_VERSION, **self.document()}
        metadata["sections"] = {section.name: declaration_of(section) for section in self.sections}
        if len(metadata["sections"]) < len(self.sections):
            raise ValueError("two sections of one name")
        for section in self.sections:
            arrays |= members_of(section)
        return pack(arrays, metadata)

    @classmethod
    def load(cls, path: Path, pinned_sha256: str | None = None) -> Artifact:
        """Read a file and check it.

        Parameters
        ----------
        path : Path
            The ``.npz`` file.
        pinned_sha256 : str, optional
            Required SHA-256 of the file.

        Raises
        ------
        ArtifactError
            At the first check that fails.
        """
        try:
            content = _read_file(path)
            sha256 = hashlib.sha256(content).hexdigest()
            _check_digest(path, sha256, pinned_sha256)
        except ArchiveFault as fault:
            raise ArtifactError(path, fault.check, fault.problem) from None
        return replace(_check(path, content), sha256=sha256)


def _check(path: Path, content: bytes) -> Artifact:
    """Return the artifact that a file holds; run all checks but those of the file itself."""
    try:
        return _unpack(Archive(content))
    except ArchiveFault as fault:
        raise ArtifactError(path, fault.check, fault.problem) from None


def _read_file(path: Path) -> bytes:
    try:
        # O_NONBLOCK: the opening of a named pipe would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ArchiveFault("file", "not a regular file")
            if status.st_size > MAX_BYTES:
                raise ArchiveFault("size", f"{status.st_size} bytes, at most {MAX_BYTES} are read")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ArchiveFault("file", error.strerror or "cannot be read") from None
    except ValueError:
        raise ArchiveFault("file", "not a path") from None


def _check_digest(path: Path, sha256: str, pinned: str | None) -> None:
    if pinned is not None and sha256 != pinned.lower():
        raise ArchiveFault("digest", f"SHA-256 {sha256} is not the pinned {pinned.lower()}")
    card = card_path(path)
    if not os.path.lexists(card):
        return
    try:
        stated = read_json(_read_file(card), card.name, MAX_CARD_VALUES).get("sha256")
    except (ArchiveFault, AttributeError):
        raise ArchiveFault("digest", f"{card.name} is no card that can be read") from None
    if sha256 != stated:
        raise ArchiveFault("digest", f"SHA-256 {sha256} is not that of {card.name}")


def _unpack(archive: Archive) -> Artifact:
    metadata = archive.metadata()
    found = metadata.get("format_version") if isinstance(metadata, dict) else None
    if type(found) is not int:
        raise ArchiveFault("metadata", "no format version")
    if found not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise ArchiveFault("version", f"format {found}, this program reads {known}")
    check_values(metadata)
    declared = [] if found == WITHOUT_SECTIONS else declared_sections(metadata.get("sections"))
    members = {name for declaration in declared for name in declaration.members.values()}
    artifact = Artifact(**vars(read_core(archive, metadata, members)), format_version=found)
    _check_numbers(artifact)
    read = {
        declaration.name: read_section(archive, declaration, artifact) for declaration in declared
    }
    return replace(
        artifact,
        sections=tuple(section for section in read.values() if section is not None),
        skipped=tuple(name for name, section in read.items() if section is None),
    )


def _check_numbers(artifact: Artifact) -> None:
    if not artifact.pipeline.is_finite(artifact.features.rules.largest):
        raise ArchiveFault("finite", "a sum of a possible row may become too large")
    with np.errstate(all="ignore"):
        probabilities = artifact.predict_proba(artifact.golden_inputs)
    if not artifact.are_golden(probabilities):
        raise ArchiveFault(
            "golden", "the golden rows do not give the probabilities stored with them"
        )
    if not artifact.predictor().is_sound():
        raise ArchiveFault("golden", "the golden rows do not give the same alone, or made ready")
