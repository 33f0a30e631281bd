"""Puts the real answers and figures into README.md, where examples and table have their place."""

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
from tests.end_to_end.processes import COMMAND, free_port, started, wait_until_ready

PAGE = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown(figure: dict[str, float]) -> str:
    """Return the last cells of a metric's row."""
    return "{value:.3f} | {low:.3f} to {high:.3f} | {spread:.3f}".format_map(figure)


def refresh() -> None:
    """Write the page anew."""
    page = with_pictures(with_figures(PAGE.read_text()))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [COMMAND, "serve", "--port", str(port)]
        with started(command, Path(folder) / "log") as process:
            wait_until_ready(port, process)
            page = with_answers(page, f"http://127.0.0.1:{port}")
    PAGE.write_text(page)


def with_figures(page: str) -> str:
    metrics = json.loads(ARTIFACT.with_suffix(".json").read_text())["metrics"]
    for name, figure in metrics.items():
        row = re.compile(rf"^(\| `{name}` \| [^|]+ \|) .*$", re.MULTILINE)
        page = row.sub(rf"\1 {shown(figure)} |", page)
    return page


def with_pictures(page: str) -> str:
    """Give every picture of a report the words that stand under it there."""

    def words(picture: re.Match[str]) -> str:
        report = (ROOT / picture[1] / "report.md").read_text()
        (alt,) = re.findall(rf"^!\[(.+)\]\({picture[2]}\)$", report, re.MULTILINE)
        return f"![{alt}]({picture[1]}/{picture[2]})"

    return re.sub(r"^!\[.*\]\((artifacts/\w+)/(\S+\.png)\)$", words, page, flags=re.MULTILINE)


def with_answers(page: str, address: str) -> str:
    for question, answer in pairwise(list(BLOCK.finditer(page))):
        if answer[1] == "json":
            real = ask(question[1], question[2].replace("http://127.0.0.1:8000", address))
            page = page.replace(answer[0], f"```json\n{laid_out(real)}\n```")
    return page


def ask(language: str, code: str) -> dict[str, Any]:
    command = ["sh", "-c", code] if language == "sh" else [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answer: dict[str, Any] = json.loads(printed) if language == "sh" else ast.literal_eval(printed)
    return answer


def laid_out(answer: dict[str, Any]) -> str:
    """Return JSON with one line for each entry of a list of objects."""
    members = []
    for key, value in answer.items():
        text = json.dumps(value)
        if value and isinstance(value, list) and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n]"
        members.append(f"{json.dumps(key)}: {text}")
    return "{" + ", ".join(members) + "}"
