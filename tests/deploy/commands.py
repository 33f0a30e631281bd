"""The commands of docs/deploy.md, by their section."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.golden.blocks import BLOCK

PAGE = (ROOT / "docs" / "deploy.md").read_text()


def commands() -> dict[str, str]:
    """Return the shell code of each section that has some."""
    sections = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        title: "".join(code for language, code in BLOCK.findall(text) if language == "sh")
        for title, text in zip(sections[::2], sections[1::2], strict=True)
        if "\n```sh\n" in text
    }
