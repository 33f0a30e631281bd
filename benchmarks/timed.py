"""What a command takes, as a line of JSON: ``python -m benchmarks.timed COMMAND ...``.

This process is small, and nothing else: Linux counts the memory of the parent process to
the process's peak.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> None:
    started = time.perf_counter()
    code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    print(json.dumps(figures))  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
