"""The first schema of a file: inferred, and written once to be read and edited."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from model.data.infer import Inferred, infer_schema
from model.data.schema_file import JSON_SCHEMA_FILE
from model.data.schema_text import as_toml
from model.data.sources import read_source
from model.errors import HeartlineError
from model.files import check_writable, replace_files

HEADING = (
    "What each column holds, inferred from the rows. Comments mark what was guessed: read them,",
    "and edit what is wrong. docs/tables.md describes the keys.",
)

FILE_BYTES = 2**16
"""So much is written to see whether there is room, before the rows are read."""


class SchemaExists(HeartlineError):
    """A schema file that would be replaced."""


@dataclass(frozen=True)
class FirstSchema:
    """Where a schema is written to.

    Parameters
    ----------
    path : Path
        The schema's file.
    data : Path
        The file of the rows.
    force : bool
        Whether an existing schema is replaced.
    """

    path: Path
    data: Path
    force: bool

    def check(self) -> None:
        """Refuse to replace a file.

        Raises
        ------
        SchemaExists
            When there is one, which `force` does not allow, or which is that of the rows.
        OSError
            When the schema could not be written.
        """
        if self.path.exists() and self.data.exists() and self.path.samefile(self.data):
            raise SchemaExists(f"{self.path}: holds the rows; give another --output")
        if self.path.exists() and not self.force:
            raise SchemaExists(
                f"{self.path}: kept; give another --output, or --force to replace it"
            )
        check_writable(self.path, FILE_BYTES)

    def infer(self, target: str) -> Inferred:
        """Return the schema, with the rows' path relative to its own; see `infer_schema`."""
        folder = self.path.parent
        relative = Path(os.path.relpath(self.data.resolve(), folder.resolve())).as_posix()
        return infer_schema(read_source(self.data), target, self.path.stem, relative)

    def write(self, inferred: Inferred) -> None:
        """Write a schema completely or not at all."""
        text = as_toml(inferred.schema, inferred.notes, HEADING)
        text = f"#:schema {self._json_schema()}\n{text}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({self.path: text.encode()})

    def _json_schema(self) -> str:
        """Return where an editor finds the JSON Schema of the file.

        Within one folder of work both may move together, so that the path is relative.
        """
        here, file = Path.cwd(), JSON_SCHEMA_FILE.resolve()
        folder = self.path.parent.resolve()
        if here in file.parents and (here == folder or here in folder.parents):
            return quote(Path(os.path.relpath(file, folder)).as_posix())
        return file.as_uri()
