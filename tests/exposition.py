"""The metrics as numbers, read by prometheus-client's parser."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


def series(name: str, /, **labels: str) -> Series:
    return name, frozenset((label.rstrip("_"), value) for label, value in labels.items())


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def read(text: str) -> dict[Series, float]:
    return {
        series(sample.name, **sample.labels): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def total(samples: Mapping[Series, float], name: str, **labels: str) -> float:
    """Return the sum of a metric over the labels that are not given."""
    _, wanted = series(name, **labels)
    return sum(value for (found, has), value in samples.items() if found == name and wanted <= has)
