"""FastAPI with a `def` route and a scikit-learn pipeline: what the templates do."""

from fastapi import FastAPI

from benchmarks.peers.patient import Patient, Prediction
from benchmarks.peers.pipeline import make_pipeline

app = FastAPI()
pipeline = make_pipeline()


@app.post("/predict")
def predict(patient: Patient) -> Prediction:
    return Prediction(probability=pipeline.predict_proba([patient.row()])[0, 1])


@app.post("/predict/batch")
def predict_batch(patients: list[Patient]) -> list[Prediction]:
    found = pipeline.predict_proba([patient.row() for patient in patients])[:, 1]
    return [Prediction(probability=probability) for probability in found]
