from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.processes import COMMAND, free_port, started, wait_until_ready


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running service."""
    port = free_port()
    log = tmp_path_factory.mktemp("service") / "log"
    with started([COMMAND, "serve", "--port", str(port)], log) as process:
        wait_until_ready(port, process)
        yield f"http://127.0.0.1:{port}"
