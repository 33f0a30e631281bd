"""Heart disease: 270 patients of the Statlog project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model.data.dataset import Costs, Dataset, Subgroup, own_file
from model.data.tables import read_table
from model.schema.features import Feature, FeatureSet

HEART_FILE = Path(__file__).with_name("heart.dat")

KAGGLE_NOTE = "Kaggle's heart.csv has other codes in this column than UCI's data."

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
            foreign=(0,),
            foreign_note=KAGGLE_NOTE,
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
            foreign=(0,),
            foreign_note=KAGGLE_NOTE,
        ),
        Feature(
            "num_of_major_vessels",
            "Major vessels coloured by fluoroscopy",
            "count",
            0,
            minimum=0,
            maximum=3,
            aliases=("ca",),
            foreign=(4,),
            foreign_note=KAGGLE_NOTE,
        ),
        Feature(
            "thal",
            "Thallium scintigraphy",
            "nominal",
            3,
            codes=((3, "normal"), (6, "fixed defect"), (7, "reversible defect")),
            foreign=(0, 1, 2),
            foreign_note=KAGGLE_NOTE,
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
    "citation": (
        "Statlog (Heart) [Dataset]. UCI Machine Learning Repository. doi:10.24432/C57303. Licence "
        "CC BY 4.0. Original collection: R. Detrano, V.A. Medical Center, Long Beach and Cleveland "
        "Clinic Foundation; Detrano et al., American Journal of Cardiology 64 (1989) 304-310."
    ),
}

HEART_THRESHOLD = (
    "The more probable class. Under the data set's cost matrix, where a missed patient counts as "
    "five false alarms, presence would be called above 1/6."
)

PUBLISHED_COSTS = {
    "Naive Bayes": 0.374,
    "linear discriminant": 0.393,
    "logistic discriminant": 0.396,
    "Alloc80": 0.407,
    "quadratic discriminant": 0.422,
    "Castle": 0.441,
    "Cal5": 0.444,
    "CART": 0.452,
    "Cascade": 0.467,
    "k nearest neighbours": 0.478,
    "SMART": 0.478,
    "Dipol92": 0.507,
    "ITrule": 0.515,
    "Bayes tree": 0.526,
    "default rule": 0.560,
    "back-propagation": 0.574,
    "LVQ": 0.600,
    "IndCART": 0.630,
    "Kohonen": 0.693,
    "AC2": 0.744,
    "CN2": 0.767,
    "RBF": 0.781,
    "C4.5": 0.781,
    "NewID": 0.844,
}
"""Cost per patient in nine-fold cross-validation, quoted from memory of Michie, Spiegelhalter and
Taylor, "Machine Learning, Neural and Statistical Classification", 1994."""

STATLOG_COSTS = Costs(false_negative=5.0, false_positive=1.0)
"""The cost matrix of the Statlog project: a missed patient counts as five false alarms."""

HEART_SUBGROUPS = (
    Subgroup("women", "sex", 0, 1),
    Subgroup("men", "sex", 1, 2),
    Subgroup("under 55 years", "age", 0, 55),
    Subgroup("55 years and older", "age", 55, 200),
)


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
    dataset = (
        Dataset(
            frame=read_table(HEART_FILE, [*HEART_FEATURES, HEART_TARGET]),
            features=HEART_FEATURES,
            target=HEART_TARGET,
            card=HEART_CARD,
            source="Statlog (Heart)",
            path=HEART_FILE,
            threshold_reason=HEART_THRESHOLD,
            published_costs=PUBLISHED_COSTS,
        )
        if path is None
        else own_file(path, HEART_FEATURES, HEART_TARGET)
    )
    return replace(dataset, costs=STATLOG_COSTS, subgroups=HEART_SUBGROUPS)
