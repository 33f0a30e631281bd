"""What is made of one model, and swapped as a whole for that of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from model.inference.predictor import Predictor
from service.http.documents import Document


class Served(NamedTuple):
    """All that answers by one model."""

    predictor: Predictor
    card: Document
    openapi: Document
    contracts: Mapping[Any, Any]
    """What each contract has made of it, by the contract's type."""
