"""Metrics, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.evaluation.metrics import COST_THRESHOLD, accuracy, binary_metrics, cost

Y = np.array([0.0, 0.0, 1.0, 1.0])
P = np.array([0.1, 0.6, 0.5, 0.9])


def test_accuracy_calls_positive_what_exceeds_the_threshold() -> None:
    assert accuracy(Y, P) == 0.5
    assert accuracy(Y, P, threshold=0.4) == 0.75
    assert accuracy(Y, P, threshold=0.6) == 0.75


def test_a_missed_patient_costs_five_false_alarms() -> None:
    assert abs(COST_THRESHOLD - 1 / 6) < 1e-15
    assert cost(Y, np.array([0.1, 0.2, 0.1, 0.9])) == (1 + 5) / 4
    assert cost(Y, np.array([0.1, 0.1, 0.2, 0.9])) == 0.0


def test_the_threshold_is_where_both_calls_cost_the_same() -> None:
    sick = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    below, above = (np.full(6, COST_THRESHOLD + shift) for shift in (-1e-9, 1e-9))
    assert cost(sick, below) == cost(sick, above) == 5 / 6


def test_every_metric_has_its_value() -> None:
    found = binary_metrics(Y, P)
    assert list(found) == ["accuracy", "cost", "roc_auc", "brier", "log_loss"]
    assert all(type(figure) is float for figure in found.values())
    assert found["accuracy"] == 0.5
    assert found["cost"] == 1 / 4
    assert found["roc_auc"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.25 + 0.01) / 4)
    logs = math.log(0.9) + math.log(0.4) + math.log(0.5) + math.log(0.9)
    assert found["log_loss"] == pytest.approx(-logs / 4)


def test_probabilities_of_zero_and_one_give_finite_figures() -> None:
    figures = binary_metrics(Y, np.array([0.0, 1.0, 0.0, 1.0]))
    assert all(math.isfinite(figure) for figure in figures.values())
