"""Writes the model that `mlflow models serve` reads."""

import os
from pathlib import Path
from shutil import rmtree

import mlflow.sklearn
import numpy as np

from benchmarks.peers.patient import Patient
from benchmarks.peers.pipeline import make_pipeline

pipeline = make_pipeline()
# As if it had been fitted to a frame, such as the requests bring.
pipeline[0].feature_names_in_ = np.array(list(Patient.model_fields))
folder = Path(os.environ["BENCHMARK_PREPARED"])
rmtree(folder, ignore_errors=True)
mlflow.sklearn.save_model(
    pipeline,
    str(folder),
    pyfunc_predict_fn="predict_proba",
    skops_trusted_types=["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"],
)
