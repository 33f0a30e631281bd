"""Ray Serve with one replica behind a FastAPI ingress."""

import os
import signal

import ray
from fastapi import FastAPI
from ray import serve

from benchmarks.peers.patient import Patient, Prediction

app = FastAPI()


@serve.deployment(num_replicas=1, logging_config={"log_level": "WARNING"})
@serve.ingress(app)
class Heart:
    def __init__(self) -> None:
        from benchmarks.peers.served import probabilities

        self.probabilities = probabilities

    @app.post("/predict")
    async def predict(self, patient: Patient) -> Prediction:
        return Prediction(probability=self.probabilities([patient.row()])[0])

    @app.post("/predict/batch")
    async def predict_batch(self, patients: list[Patient]) -> list[Prediction]:
        found = self.probabilities([patient.row() for patient in patients])
        return [Prediction(probability=probability) for probability in found]


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="warning")
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    serve.run(Heart.bind())  # type: ignore[attr-defined]
    signal.sigwait({signal.SIGTERM})
    ray.shutdown()
