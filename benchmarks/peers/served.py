"""What a peer serves: `probabilities` of the module that BENCHMARK_MODEL names."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

probabilities: Callable[[Any], Any] = import_module(
    f"benchmarks.peers.{os.environ['BENCHMARK_MODEL']}"
).probabilities
