"""BentoML with `def` methods, each request in a thread, and one worker."""

import bentoml

from benchmarks.peers.patient import Patient, Prediction
from benchmarks.peers.served import probabilities


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Heart:
    @bentoml.api
    def predict(self, patient: Patient) -> Prediction:
        return Prediction(probability=probabilities([patient.row()])[0])

    @bentoml.api(route="/predict/batch")
    def predict_batch(self, patients: list[Patient]) -> list[Prediction]:
        found = probabilities([patient.row() for patient in patients])
        return [Prediction(probability=probability) for probability in found]
