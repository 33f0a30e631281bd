"""FastAPI with `async def` routes."""

from fastapi import FastAPI

from benchmarks.peers.patient import Patient, Prediction
from benchmarks.peers.served import probabilities

app = FastAPI()


@app.post("/predict")
async def predict(patient: Patient) -> Prediction:
    return Prediction(probability=probabilities([patient.row()])[0])


@app.post("/predict/batch")
async def predict_batch(patients: list[Patient]) -> list[Prediction]:
    found = probabilities([patient.row() for patient in patients])
    return [Prediction(probability=probability) for probability in found]
