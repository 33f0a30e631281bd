"""The load balancers of docs/deploy.md, run with the page's lines in front of real replicas."""

from __future__ import annotations

import csv
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import httpx

from tests.conftest import ROOT
from tests.end_to_end.processes import reserved_port, started, wait_until

PAGE = ROOT / "docs" / "deploy.md"
ADDRESS = re.compile(r"10\.0\.0\.1(\d):8000")


class Balancer(ABC):
    """A load balancer that forwards to three replicas.

    Parameters
    ----------
    folder : Path
        For its configuration and its logs.
    replicas : sequence of int
        Their ports.
    changes : mapping of str to str, optional
        Other words for some of the page's lines.
    """

    name: ClassVar[str]
    without_retries: ClassVar[Mapping[str, str]]
    """What lets it send no request again that a replica may have got."""
    hurried: ClassVar[Mapping[str, str]]
    """What lets it try a replica again sooner, so that a test is short."""

    def __init__(
        self, folder: Path, replicas: Sequence[int], changes: Mapping[str, str] | None = None
    ) -> None:
        self.port = 0
        self._folder = folder
        lines = PAGE.read_text().partition(f"```{self.name}\n")[2].partition("```")[0]
        for theirs, ours in (changes or {}).items():
            assert theirs in lines
            lines = lines.replace(theirs, ours)
        self._lines = ADDRESS.sub(lambda found: f"127.0.0.1:{replicas[int(found[1]) - 1]}", lines)

    @contextmanager
    def running(self) -> Iterator[Balancer]:
        """Run it for as long as the block, from its first good answer on."""
        self._folder.mkdir()
        with (
            reserved_port() as self.port,
            started(self._command(), self._folder / "output", self._folder),
        ):
            wait_until(self._answers)
            yield self

    @abstractmethod
    def retried(self) -> int:
        """Return how often a request was sent to another replica."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/model").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class Nginx(Balancer):
    """nginx: it learns of a replica that has stopped from a request that fails."""

    name = "nginx"
    without_retries: ClassVar[Mapping[str, str]] = {" non_idempotent": ""}
    hurried: ClassVar[Mapping[str, str]] = {"fail_timeout=2s": "fail_timeout=1s"}
    around = """
        daemon off; user root; pid nginx.pid; error_log errors;
        events {{}}
        http {{
          log_format tries '$upstream_addr'; access_log tries tries;
          client_body_temp_path bodies; proxy_temp_path answers;
          fastcgi_temp_path unused; uwsgi_temp_path unused; scgi_temp_path unused;
          {lines}
        }}
        """

    def retried(self) -> int:
        return (self._folder / "tries").read_text().count(",")

    def _command(self) -> list[str]:
        lines = self._lines.replace("\nserver {", f"\nserver {{\n  listen 127.0.0.1:{self.port};")
        configuration = self._folder / "nginx.conf"
        configuration.write_text(self.around.format(lines=lines))
        return ["nginx", "-p", str(self._folder), "-c", str(configuration)]


class HAProxy(Balancer):
    """HAProxy: it asks each replica whether it is ready."""

    name = "haproxy"
    without_retries: ClassVar[Mapping[str, str]] = {
        " empty-response junk-response response-timeout": ""
    }
    hurried: ClassVar[Mapping[str, str]] = {"inter 1s": "inter 100ms"}

    def retried(self) -> int:
        rows = csv.DictReader(self._ask("show stat").removeprefix("# ").splitlines())
        return sum(int(row["wredis"]) for row in rows if row["svname"] == "BACKEND")

    def _command(self) -> list[str]:
        lines = self._lines.replace("bind :8080", f"bind 127.0.0.1:{self.port}")
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(f"global\n  stats socket {self._folder}/socket\n{lines}")
        return ["haproxy", "-db", "-f", str(configuration)]

    def _ask(self, question: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._folder / "socket"))
            connection.sendall(f"{question}\n".encode())
            return b"".join(iter(lambda: connection.recv(2**16), b"")).decode()


BALANCERS = {balancer.name: balancer for balancer in (Nginx, HAProxy)}
