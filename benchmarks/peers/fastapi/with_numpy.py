"""FastAPI with an `async def` route, the network in NumPy."""

from fastapi import FastAPI

from benchmarks.peers.network import probabilities
from benchmarks.peers.patient import Patient, Prediction

app = FastAPI()


@app.post("/predict")
async def predict(patient: Patient) -> Prediction:
    return Prediction(probability=probabilities([patient.row()])[0])


@app.post("/predict/batch")
async def predict_batch(patients: list[Patient]) -> list[Prediction]:
    found = probabilities([patient.row() for patient in patients])
    return [Prediction(probability=probability) for probability in found]
