"""A record as the peers that validate with pydantic take it."""

from pydantic import BaseModel


class Patient(BaseModel):
    """The fields, without bounds."""

    age: float
    sex: int
    chest_pain: int
    resting_blood_pressure: float
    serum_cholesterol: float
    fasting_blood_sugar: int
    resting_ecg_results: int
    max_heart_rate_achieved: float
    exercise_induced_angina: int
    oldpeak: float
    slope_of_the_peak: int
    num_of_major_vessels: int
    thal: int

    def row(self) -> list[float]:
        """Return the values in the order of the fields."""
        return list(self.__dict__.values())


class Prediction(BaseModel):
    """What is answered."""

    probability: float
