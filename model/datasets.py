"""Data sets: a table of patients, what its columns are, and what must be said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from model.arrays import Array
from model.features import Feature, FeatureSet
from model.tables import read_table

HEART_FILE = Path(__file__).parent / "data" / "heart.dat"

HEART_FEATURES = FeatureSet(
    [
        Feature("age", "Age", "continuous", 54, "years", 18, 110),
        Feature("sex", "Sex", "binary", 1, codes=((0, "female"), (1, "male"))),
        Feature(
            "chest_pain",
            "Chest pain type",
            "nominal",
            3,
            codes=(
                (1, "typical angina"),
                (2, "atypical angina"),
                (3, "non-anginal pain"),
                (4, "asymptomatic"),
            ),
            aliases=("cp",),
        ),
        Feature(
            "resting_blood_pressure",
            "Resting blood pressure on admission",
            "continuous",
            135,
            "mm Hg",
            50,
            260,
            aliases=("trestbps",),
        ),
        Feature(
            "serum_cholesterol",
            "Serum cholesterol",
            "continuous",
            240,
            "mg/dl",
            70,
            700,
            aliases=("serum_cholestoral", "chol"),
        ),
        Feature(
            "fasting_blood_sugar",
            "Fasting blood sugar above 120 mg/dl",
            "binary",
            0,
            codes=((0, "no"), (1, "yes")),
            aliases=("fbs",),
        ),
        Feature(
            "resting_ecg_results",
            "Resting electrocardiogram",
            "nominal",
            0,
            codes=(
                (0, "normal"),
                (1, "ST-T wave abnormality"),
                (2, "left ventricular hypertrophy"),
            ),
            aliases=("restecg",),
        ),
        Feature(
            "max_heart_rate_achieved",
            "Maximum heart rate achieved in the exercise test",
            "continuous",
            150,
            "beats/min",
            40,
            230,
            aliases=("thalach",),
        ),
        Feature(
            "exercise_induced_angina",
            "Angina induced by exercise",
            "binary",
            0,
            codes=((0, "no"), (1, "yes")),
            aliases=("exang",),
        ),
        Feature(
            "oldpeak",
            "ST depression induced by exercise relative to rest",
            "continuous",
            1.2,
            "mm",
            0,
            10,
        ),
        Feature(
            "slope_of_the_peak",
            "Slope of the peak exercise ST segment",
            "nominal",
            2,
            codes=((1, "upsloping"), (2, "flat"), (3, "downsloping")),
            aliases=("slope of the peak", "slope"),
        ),
        Feature(
            "num_of_major_vessels",
            "Major vessels coloured by fluoroscopy",
            "count",
            0,
            minimum=0,
            maximum=3,
            aliases=("ca",),
        ),
        Feature(
            "thal",
            "Thallium scintigraphy",
            "nominal",
            3,
            codes=((3, "normal"), (6, "fixed defect"), (7, "reversible defect")),
        ),
    ]
)

HEART_TARGET = Feature(
    "heart_disease",
    "More than half narrowing of a major vessel, by angiography",
    "binary",
    1,
    codes=((1, "absence"), (2, "presence")),
    aliases=("heart disease", "class", "target"),
)

HEART_CARD = {
    "intended_use": (
        "Teaching and software testing: a small network on a public data set, and the service "
        "around it."
    ),
    "not_for": (
        "Diagnosis, triage or any decision about a person: this is research data of one clinic, "
        "not a medical device."
    ),
    "limits": [
        "The Statlog set was donated in 1988: 270 patients, 32 % of them women, 44 % with disease.",
        "All were referred to one clinic for coronary angiography, so that a probability from "
        "this model is not a risk for the general population.",
        "Presence means more than half narrowing of a major vessel.",
    ],
    "citation": "Statlog (Heart) [Dataset]. UCI Machine Learning Repository. doi:10.24432/C57303. "
    "Licence CC BY 4.0.",
}

OWN_FILE_CARD = {
    "intended_use": "What the owner of the data trained it for.",
    "not_for": "Diagnosis, triage or any decision about a person, unless validated for it.",
    "limits": ["Trained on a file of the user's own: this card knows nothing of its patients."],
}


@dataclass(frozen=True)
class Dataset:
    """A table with its description.

    Parameters
    ----------
    frame : DataFrame of n rows
        A column of numbers for each feature and one for the target, by their names.
    features : FeatureSet
        The input columns.
    target : Feature
        The column that is predicted; the last of its codes is the positive class.
    card : mapping
        What the model card must say of the data and of a model trained on it.
    source : str
        Where the rows come from.
    path : Path
        The file.
    """

    frame: pd.DataFrame
    features: FeatureSet
    target: Feature
    card: Mapping[str, object]
    source: str
    path: Path

    @property
    def X(self) -> Array:  # noqa: N802
        """The input matrix, of shape (n, n_features)."""
        return self.frame[self.features.names].to_numpy(dtype="float64")

    @property
    def y(self) -> Array:
        """The labels, of shape (n, 1): 1 for the positive class, else 0."""
        positive = self.frame[[self.target.name]] == self.target.codes[-1][0]
        return positive.to_numpy(dtype="float64")

    @property
    def sha256(self) -> str:
        """Hex digest of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, the positive one last."""
        return tuple(name for _, name in self.target.codes)


def load_heart(path: Path | None = None) -> Dataset:
    """Read the Statlog heart data, or a file of the user's own with the same columns.

    Parameters
    ----------
    path : Path, optional
        Space-separated without a header, as ``heart.dat`` is, or CSV with a header in any of the
        accepted names.

    Raises
    ------
    DataError
        When the file cannot be used; its text names file, line and column.
    """
    file = path or HEART_FILE
    frame = read_table(file, [*HEART_FEATURES, HEART_TARGET])
    return Dataset(
        frame=frame,
        features=HEART_FEATURES,
        target=HEART_TARGET,
        card=HEART_CARD if path is None else OWN_FILE_CARD,
        source="Statlog (Heart)" if path is None else "a file of the user's own",
        path=file,
    )
