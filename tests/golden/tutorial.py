"""Runs docs/your-own-table.md in the order of its blocks, and puts in what they print."""

from __future__ import annotations

import doctest
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack, chdir, redirect_stdout
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.end_to_end.processes import COMMAND, environment, started, wait_until_ready
from tests.golden.blocks import BLOCK, SERVICE, laid_out

TUTORIAL = ROOT / "docs" / "your-own-table.md"
TABLE = Path("examples", "penguins.csv")
SERVE = ".venv/bin/heartline serve "


def refresh() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as folder:
        TUTORIAL.write_text(with_outputs(TUTORIAL.read_text(), Path(folder)))


def with_outputs(page: str, folder: Path) -> str:
    """Return a page with what its code prints in the blocks below it."""
    (folder / TABLE).parent.mkdir()
    shutil.copy(ROOT / TABLE, folder / TABLE)
    printed = ""

    def replaced(block: re.Match[str]) -> str:
        nonlocal printed
        language, code = block.groups()
        if language in ("json", "text"):
            output = printed or code  # what stands above all code is an excerpt of the table
            printed = ""
        else:
            assert not printed, f"not shown: {printed}"
            printed = reader.run(language, code)
            output = code
            if language == "pycon":
                output, printed = printed, ""
        if language == "json":
            output = laid_out(json.loads(output)) + "\n"
        return f"```{language}\n{output}```"

    with ExitStack() as stack:
        reader = Reader(folder, stack)
        return BLOCK.sub(replaced, page)


class Reader:
    """Follows the tutorial in a folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._address = SERVICE
        self._names: dict[str, Any] = {}

    def run(self, language: str, code: str) -> str:
        """Do what a block says, and return what it prints."""
        if code.startswith("docker "):
            return ""
        if code.startswith(SERVE):
            self._serve(code.removeprefix(SERVE).strip())
            return ""
        runs: dict[str, Callable[[str], str]] = {
            "sh": lambda code: self._process(["sh", "-ec", code]),
            "python": lambda code: self._process([sys.executable, "-c", code]),
            "pycon": self._session,
            "toml": self._edit,
        }
        return runs[language](code)

    def _serve(self, file: str) -> None:
        log = self._folder / "log"
        process = self._stack.enter_context(started([COMMAND, "serve", file], log, self._folder))
        self._address = f"http://127.0.0.1:{wait_until_ready(process)}"

    def _process(self, command: list[str]) -> str:
        *program, code = command
        code = code.replace(".venv/bin/heartline", COMMAND).replace(SERVICE, self._address)
        if "curl " in code:
            code = code.replace("curl ", "curl -sS ", 1)
        return subprocess.run(
            [*program, code],
            cwd=self._folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            text=True,
        ).stdout

    def _edit(self, sections: str) -> str:
        """Put sections in the place of those with the same heading in the schema."""
        schema = self._folder / TABLE.with_suffix(".toml")
        text = schema.read_text()
        for section in sections.strip().split("\n\n"):
            heading = re.escape(section.splitlines()[0])
            old = re.compile(rf"^{heading}\n(.+\n)+", re.MULTILINE)
            assert old.search(text), heading
            text = old.sub(section.replace("\\", r"\\") + "\n", text)
        schema.write_text(text)
        return ""

    def _session(self, session: str) -> str:
        """Return a session with what each line gives."""
        shown = []
        with chdir(self._folder), warnings.catch_warnings(action="ignore"):
            for example in doctest.DocTestParser().get_examples(session):
                lines = example.source.splitlines(keepends=True)
                shown += [f">>> {lines[0]}", *(f"... {line}" for line in lines[1:])]
                shown.append(self._interactive(example.source))
        return "".join(shown)

    def _interactive(self, source: str) -> str:
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                exec(compile(source, "tutorial", "single"), self._names)  # noqa: S102
        except Exception as error:  # noqa: BLE001  # a session shows all of them
            kind = f"{type(error).__module__}.{type(error).__qualname__}"
            notes = getattr(error, "__notes__", [])
            lines = ["Traceback (most recent call last):", "  ...", f"{kind}: {error}", *notes]
            return "\n".join(lines) + "\n"
        return output.getvalue()
