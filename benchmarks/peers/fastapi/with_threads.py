"""FastAPI with `def` routes, each request in a thread of its pool: what the templates do."""

from fastapi import FastAPI

from benchmarks.peers.patient import Patient, Prediction
from benchmarks.peers.served import probabilities

app = FastAPI()


@app.post("/predict")
def predict(patient: Patient) -> Prediction:
    return Prediction(probability=probabilities([patient.row()])[0])


@app.post("/predict/batch")
def predict_batch(patients: list[Patient]) -> list[Prediction]:
    found = probabilities([patient.row() for patient in patients])
    return [Prediction(probability=probability) for probability in found]
