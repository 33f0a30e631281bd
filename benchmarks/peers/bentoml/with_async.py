"""BentoML with `async def` methods and one worker."""

import bentoml

from benchmarks.peers.patient import Patient, Prediction
from benchmarks.peers.served import probabilities


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Heart:
    @bentoml.api
    async def predict(self, patient: Patient) -> Prediction:
        return Prediction(probability=probabilities([patient.row()])[0])

    @bentoml.api(route="/predict/batch")
    async def predict_batch(self, patients: list[Patient]) -> list[Prediction]:
        found = probabilities([patient.row() for patient in patients])
        return [Prediction(probability=probability) for probability in found]
