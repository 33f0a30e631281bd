"""A peer in an environment of its own, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.servers import Question, Server, ServerFailure, environment

PEERS = Path(__file__).parent


class Installation:
    """Installs a peer when it is to be started, unless it has been done before.

    Parameters
    ----------
    peer : str
        Folder in this package with its requirements.
    environments : Path
        Where all environments are.
    artifact : Path
        File of the network that it serves.
    """

    def __init__(self, peer: str, environments: Path, artifact: Path) -> None:
        self._requirements = PEERS / peer / "requirements.txt"
        self._folder = environments / peer
        self._variables = {
            "BENCHMARK_ARTIFACT": str(artifact),
            "BENCHMARK_PREPARED": str(self._folder / "prepared"),
            "PATH": f"{self._folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        }

    def server(
        self,
        name: str,
        title: str,
        command: str,
        record: Question,
        batch: Question | None = None,
        prepare: str = "",
        **variables: str,
    ) -> Server:
        """Return how it is started; `prepare` is a module that writes what it serves."""
        program, *words = command.split()
        return Server(
            name,
            title,
            [self._program(program), *words],
            record,
            {} if batch is None else {"objects": batch},
            self._variables | variables,
            prepare=lambda: self._prepare(prepare),
        )

    def _program(self, name: str) -> str:
        return str(self._folder / "bin" / name)

    def _prepare(self, module: str) -> None:
        wanted = f"{sys.version}\n{self._requirements.read_text()}"
        installed = self._folder / "installed"
        if not installed.exists() or installed.read_text() != wanted:
            print(f"bench: installing {self._folder.name}", file=sys.stderr)  # noqa: T201
            _run(sys.executable, "-m", "venv", "--clear", str(self._folder))
            self._run("-m", "pip", "install", "--quiet", "-r", str(self._requirements))
            installed.write_text(wanted)
        if module:
            self._run("-m", module)

    def _run(self, *words: str) -> None:
        _run(self._program("python"), *words, **environment(self._variables))


def _run(*words: str, **variables: str) -> None:
    run = subprocess.run(words, env=variables or None, capture_output=True, text=True, check=False)
    if run.returncode:
        raise ServerFailure(f"{' '.join(words[1:4])} failed: {run.stderr.strip()[-300:]}")
