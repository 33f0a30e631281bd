"""A peer in an environment of its own, made once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click

from benchmarks.peers.forms import Questions
from benchmarks.servers import Server, ServerFailure, environment, last_line

PEERS = Path(__file__).parent
NOTHING: Mapping[str, str] = MappingProxyType({})


class Installation:
    """Installs a peer before it is started, unless that has been done.

    What its module `prepare` writes, where it has one, goes into the folder `prepared`.

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
        self._peer = peer
        self._folder = environments / peer
        self._prepared = self._folder / "prepared"
        self._variables = {
            "BENCHMARK_ARTIFACT": str(artifact),
            "BENCHMARK_PREPARED": str(self._prepared),
            # What a peer starts itself is to be its own.
            "PATH": f"{self._folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        }

    def server(
        self,
        name: str,
        title: str,
        command: str,
        questions: Questions,
        variables: Mapping[str, str] = NOTHING,
    ) -> Server:
        """Return how it is started, and what it is asked."""
        record, batches = questions
        program, *words = command.replace("{prepared}", str(self._prepared)).split()
        return Server(
            name,
            title,
            [self._program(program), *words],
            record,
            batches,
            {**self._variables, **variables},
            prepare=self._prepare,
        )

    def _program(self, name: str) -> str:
        return str(self._folder / "bin" / name)

    def _prepare(self) -> None:
        python = self._program("python")
        requirements = PEERS / self._peer / "requirements.txt"
        wanted = f"{sys.version}\n{requirements.read_text()}"
        installed = self._folder / "installed"
        if not installed.exists() or installed.read_text() != wanted:
            click.echo(f"bench: installing {self._peer}", err=True)
            _run([sys.executable, "-m", "venv", "--clear", str(self._folder)])
            _run([python, "-m", "pip", "install", "--quiet", "-r", str(requirements)])
            installed.write_text(wanted)
        if (PEERS / self._peer / "prepare.py").exists():
            module = f"benchmarks.peers.{self._peer}.prepare"
            _run([python, "-m", module], environment(self._variables))


def _run(words: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    run = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    if run.returncode:
        raise ServerFailure(f"{' '.join(words[1:3])} failed: {last_line(run.stderr)}")
