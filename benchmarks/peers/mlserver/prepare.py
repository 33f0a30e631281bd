"""Writes the model repository that MLServer reads: the pipeline, and a runtime for the network."""

import json
import os
from pathlib import Path
from typing import Any

import joblib

from benchmarks.peers.pipeline import make_pipeline

MODELS: dict[str, dict[str, Any]] = {
    "sk": {
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./pipeline.joblib"},
    },
    "np": {"implementation": "benchmarks.peers.mlserver.runtime.Heart"},
}

for name, settings in MODELS.items():
    folder = Path(os.environ["BENCHMARK_PREPARED"]) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-settings.json").write_text(json.dumps({"name": "heart", **settings}))
    joblib.dump(make_pipeline(), folder / "pipeline.joblib")
