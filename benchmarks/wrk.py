"""wrk, the load generator: one thread on a core of its own, the same requests over and over."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.servers import CLIENT_CORES, Question, ServerFailure

SCRIPT = """\
local requests = {{{requests}}}
local number = 0
request = function()
  number = number % #requests + 1
  return requests[number]
end
done = function(summary, latency, requests)
  local bad = 0
  for _, errors in pairs(summary.errors) do bad = bad + errors end
  io.write(string.format(
    '\\n{{"requests": %d, "seconds": %.6f, "bad": %d, "p50": %d, "p99": %d, "longest": %d}}\\n',
    summary.requests, summary.duration / 1e6, bad,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"""


class Load(NamedTuple):
    """What came of a load; times in microseconds."""

    per_second: float
    p50: int
    p99: int
    longest: int

    def times(self) -> dict[str, int]:
        """Return them by their names."""
        return {"p50": self.p50, "p99": self.p99, "longest": self.longest}


def load(
    port: int, questions: Question | Sequence[Question], connections: int, seconds: float
) -> Load:
    """Ask a question, or several in turn, on so many connections for so long.

    Raises
    ------
    ServerFailure
        When an answer was not a good one, or did not come.
    """
    asked = [questions] if isinstance(questions, Question) else questions
    path = asked[0].path
    with TemporaryDirectory() as folder:
        script = Path(folder) / "ask.lua"
        script.write_text(_script(port, asked))
        address = f"http://127.0.0.1:{port}{path}"
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), address]
        run = subprocess.run(
            ["taskset", "-c", CLIENT_CORES, *words],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        )
    if run.stderr:
        raise ServerFailure(f"wrk: {run.stderr}")
    results = json.loads(run.stdout.splitlines()[-1])
    if results["bad"] or not results["requests"] or "Non-2xx" in run.stdout:
        raise ServerFailure(f"{path} gave {results['bad']} bad answers: {run.stdout}")
    return Load(
        results["requests"] / results["seconds"], results["p50"], results["p99"], results["longest"]
    )


def _script(port: int, questions: Sequence[Question]) -> str:
    return SCRIPT.format(requests=", ".join(_quoted(sent(port, asked)) for asked in questions))


def sent(port: int, question: Question) -> bytes:
    """Return the bytes of a request."""
    lines = [
        f"{question.method} {question.path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{name}: {value}" for name, value in question.headers.items()),
        f"Content-Length: {len(question.body)}",
    ]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + question.body


def _quoted(request: bytes) -> str:
    # JSON's escapes for what is printable, CR and LF are Lua's too.
    return json.dumps(request.decode("ascii"))
