"""Examples for the documents, made from the features: no patient is among them."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json

from model.schema.features import FeatureSet
from service.protocols.native.scoring import Scorer


def named_examples(features: FeatureSet) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the same record with codes and with their names, where both are accepted."""
    record = features.example()
    by_names = features.with_names_only().example()
    if by_names == record:
        return {"record": ("A record", record)}
    return {
        "codes": ("Coded columns by their codes", record),
        "names": ("Coded columns by the names of their codes", by_names),
    }


def answer_examples(scorer: Scorer) -> dict[str, Any]:
    """Return what each operation that predicts, by its id, answers to the example.

    Parameters
    ----------
    scorer : Scorer
        One that counts nothing: no client has asked.
    """
    record = scorer.predictor.artifact.features.example()
    return {
        "predict": from_json(scorer.predict(to_json(record))),
        "predict_batch": from_json(scorer.predict_batch(to_json({"instances": [record]}))),
    }
