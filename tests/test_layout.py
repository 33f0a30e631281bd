"""The list of files shows the architecture: small folders, and each file name once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT

MOST_FILES = 12


def modules(part: str) -> list[Path]:
    return [path for path in (ROOT / part).rglob("*.py") if path.name != "__init__.py"]


@pytest.mark.parametrize("part", ["model", "service"])
def test_no_file_name_stands_twice(part: str) -> None:
    names = Counter(path.name for path in modules(part))
    assert [name for name, number in names.items() if number > 1] == []


@pytest.mark.parametrize("part", ["model", "service"])
def test_no_folder_is_crowded(part: str) -> None:
    folders = Counter(path.parent for path in modules(part))
    assert [str(folder) for folder, files in folders.items() if files > MOST_FILES] == []
