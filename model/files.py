"""Writing a file so that it is there whole, or the old one still is."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write to a temporary file beside the path, then rename it.

    Notes
    -----
    The bytes are on the disk before the name is: neither a full disk nor a crash leaves half a
    file under it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
