from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.processes import COMMAND, started, wait_until_ready


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running service."""
    log = tmp_path_factory.mktemp("service") / "log"
    with started([COMMAND, "serve"], log) as process:
        port = wait_until_ready(process)
        yield f"http://127.0.0.1:{port}"
