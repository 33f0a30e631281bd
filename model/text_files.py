"""Text files of rows: what their first bytes and their header say of them."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE

DELIMITERS = ",;\t"

OTHER_FORMATS = {
    BOM_UTF16_LE: "the text is UTF-16, and must be UTF-8",
    BOM_UTF16_BE: "the text is UTF-16, and must be UTF-8",
    b"\x1f\x8b": "the file is compressed by gzip; decompress it first",
    b"\x28\xb5\x2f\xfd": "the file is compressed by zstd; decompress it first",
    b"PK\x03\x04": "the file is a ZIP archive or a workbook; save the table as CSV",
}
"""First bytes of files that are no text in UTF-8, and what to do about each."""

QUOTED = re.compile(r'"[^"]*"')


def other_format(start: bytes) -> str:
    """Return why a file that starts with these bytes is no text in UTF-8, empty where it may be."""
    return next((why for mark, why in OTHER_FORMATS.items() if start.startswith(mark)), "")


def delimiter_of(header: str) -> str:
    """Return what separates the names of a header, nothing where it is one name."""
    bare = QUOTED.sub("", header)
    delimiter = max(DELIMITERS, key=bare.count)
    return delimiter if delimiter in bare else ""
