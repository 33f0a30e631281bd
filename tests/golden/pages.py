"""Puts the real answers, figures and pictures' descriptions into README.md and docs/."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.processes import COMMAND, started, wait_until_ready
from tests.golden.blocks import BLOCK, SERVICE, laid_out
from tests.golden.tutorial import TUTORIAL

PAGES = (
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page != TUTORIAL),
)


def shown(figure: dict[str, float]) -> str:
    """Return the last cells of a metric's row."""
    return "{value:.3f} | {low:.3f} to {high:.3f} | {spread:.3f}".format_map(figure)


def refresh() -> None:
    """Write the pages anew."""
    with tempfile.TemporaryDirectory() as folder:
        command = [COMMAND, "serve"]
        with started(command, Path(folder) / "log") as process:
            port = wait_until_ready(process)
            for path in PAGES:
                page = with_pictures(with_figures(path.read_text()))
                path.write_text(with_answers(page, f"http://127.0.0.1:{port}"))


def with_figures(page: str) -> str:
    metrics = json.loads(ARTIFACT.with_suffix(".json").read_text())["metrics"]
    for name, figure in metrics.items():
        row = re.compile(rf"^(\| `{name}` \| [^|]+ \|) .*$", re.MULTILINE)
        page = row.sub(rf"\1 {shown(figure)} |", page)
    return page


def with_pictures(page: str) -> str:
    """Give every picture of a report the description that it has there."""

    def described(picture: re.Match[str]) -> str:
        report = (ROOT / picture[2] / "report.md").read_text()
        (alt,) = re.findall(rf"^!\[(.+)\]\({picture[3]}\)$", report, re.MULTILINE)
        return f"![{alt}]({picture[1]}{picture[2]}/{picture[3]})"

    pictures = re.compile(r"^!\[.*\]\(((?:\.\./)?)(artifacts/\w+)/(\S+\.png)\)$", re.MULTILINE)
    return pictures.sub(described, page)


def with_answers(page: str, address: str) -> str:
    for question, answer in examples(page):
        real = ask(question[1], question[2].replace(SERVICE, address))
        page = page.replace(answer[0], f"```json\n{laid_out(real)}\n```")
    return page


def examples(page: str) -> list[tuple[re.Match[str], re.Match[str]]]:
    """Return each request to a running service with the answer that stands below it."""
    return [
        (question, answer)
        for question, answer in pairwise(BLOCK.finditer(page))
        if answer[1] == "json" and SERVICE in question[2]
    ]


def ask(language: str, code: str) -> dict[str, Any]:
    command = ["sh", "-c", code] if language == "sh" else [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answer: dict[str, Any] = json.loads(printed) if language == "sh" else ast.literal_eval(printed)
    return answer
