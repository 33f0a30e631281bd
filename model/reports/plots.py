"""Plots: the figures of a report, readable with colour blindness and in print."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.arrays import Array
from model.data import Dataset
from model.evaluation.calibration import Reliability
from model.evaluation.curves import Curve
from model.evaluation.importance import Importance
from model.evaluation.learning import LearningPoint
from model.inference.pipeline import Pipeline
from model.schema.classes import predicted_classes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Of Okabe and Ito, "Color Universal Design", 2008."""

STYLES = ("-", "--", "-.", ":", "-", "--")
MARKERS = ("o", "^", "s", "D", "v", "P")
GREY = "#767676"
SIZE = (6.0, 4.5)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file, the same bytes for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()


def roc_plot(curves: Mapping[str, Curve]) -> Figure:
    """Draw the true positive rate over the false positive rate of each class."""
    figure, axes = _axes("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    _draw(axes, curves)
    axes.legend(loc="lower right")
    return figure


def precision_recall_plot(curves: Mapping[str, Curve], shares: Mapping[str, float]) -> Figure:
    """Draw the precision over the recall of each class, with the share of the class."""
    figure, axes = _axes("Recall", "Precision")
    for share in sorted(set(shares.values())):
        axes.axhline(share, color=GREY, linestyle=":", label=f"chance, {share:.2f}")
    _draw(axes, curves)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower left")
    return figure


def calibration_plot(reliabilities: Mapping[str, Reliability]) -> Figure:
    """Draw the observed over the predicted frequency, with the band of correct probabilities."""
    figure, axes = _axes("Predicted probability", "Observed frequency")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="calibrated")
    for index, (label, found) in enumerate(reliabilities.items()):
        band = "95 % if calibrated" if len(reliabilities) == 1 else f"{label}, 95 % if calibrated"
        axes.fill_between(
            found.predicted,
            found.low,
            found.high,
            color=COLOURS[index],
            alpha=0.15,
            linewidth=0,
            label=_as_text(band),
        )
        _line(axes, index, label, found.predicted, found.observed)
    axes.legend(loc="upper left", fontsize="small", framealpha=0.6)
    return figure


def decision_plot(curves: Mapping[str, Curve], treat_all: Array) -> Figure:
    """Draw the net benefit over the threshold, beside treating all and treating none."""
    figure, axes = _axes("Threshold probability", "Net benefit per row")
    (curve,) = curves.values()
    axes.plot(curve.x, treat_all, color=COLOURS[1], linestyle="--", label="treat all")
    axes.axhline(0.0, color=GREY, linestyle=":", label="treat none")
    _draw(axes, curves)
    axes.set_ylim(-0.05, 1.1 * max(float(curve.high.max()), float(treat_all[0])))
    axes.legend(loc="upper right")
    return figure


def learning_plot(points: Sequence[LearningPoint]) -> Figure:
    """Draw the log loss over the number of training rows."""
    figure, axes = _axes("Training rows", "Log loss")
    rows = [point.rows for point in points]
    _line(axes, 0, "held-out rows", rows, [point.held_out for point in points])
    _line(axes, 1, "training rows", rows, [point.training for point in points])
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def loss_plot(losses: Array) -> Figure:
    """Draw the training loss over the iterations."""
    figure, axes = _axes("Iteration", "Loss")
    axes.plot(np.arange(1, len(losses) + 1), losses, color=COLOURS[0])
    if losses.max() > 20 * losses.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    return figure


def accuracy_plot(progress: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the accuracies that were noted during the fit over the iterations."""
    figure, axes = _axes("Iteration", "Accuracy")
    names = [name for name in progress[0] if name.endswith("_accuracy")]
    iterations = [noted["iteration"] for noted in progress]
    for index, name in enumerate(names):
        label = name.removesuffix("_accuracy")
        _line(axes, index, label, iterations, [noted[name] for noted in progress])
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right")
    return figure


def importance_plot(importances: Sequence[Importance]) -> Figure:
    """Draw how much the log loss grows when each column is shuffled."""
    figure, axes = _axes("Growth of the log loss when shuffled", "")
    figure.set_size_inches(SIZE[0], 1.2 + 0.27 * len(importances))
    shown = importances[::-1]  # the first bar is the lowest
    names = [one.feature.replace("_", " ") for one in shown]
    if len({*names}) < len(names):  # bars of one name are drawn over each other
        names = [one.feature for one in shown]
    axes.barh(
        [*map(_as_text, names)],
        [one.value for one in shown],
        xerr=[one.spread for one in shown],
        color=COLOURS[0],
        ecolor="black",
        capsize=2,
    )
    axes.axvline(0.0, color="black", linewidth=0.8)
    return figure


def boundary_plot(dataset: Dataset, pipelines: Mapping[str, Pipeline]) -> Figure:
    """Draw the points, and the predicted class of each pipeline over the plane."""
    columns = min(5, 1 + len(pipelines))
    rows = -(-(1 + len(pipelines)) // columns)
    figure = Figure(figsize=(3.0 * columns, 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    _points(panels[0], dataset)
    panels[0].set_title("the points")
    low, high = np.nanmin(dataset.X, axis=0) - 0.5, np.nanmax(dataset.X, axis=0) + 0.5
    grid = np.meshgrid(*(np.linspace(low[axis], high[axis], 200) for axis in (0, 1)))
    plane = np.column_stack([axis.ravel() for axis in grid])
    for panel, (name, pipeline) in zip(panels[1:], pipelines.items(), strict=False):
        threshold = dataset.threshold if len(dataset.labels) == 2 else None
        classes = predicted_classes(pipeline.class_probabilities(plane), threshold)
        levels = np.arange(len(dataset.labels) + 1) - 0.5
        shades = COLOURS[: len(dataset.labels)]
        panel.contourf(*grid, classes.reshape(grid[0].shape), levels, colors=shades, alpha=0.25)
        _points(panel, dataset)
        panel.set_title(name)
    for panel in panels[1 + len(pipelines) :]:
        panel.set_axis_off()
    panels[0].legend(loc="lower left", fontsize="small")
    return figure


def _points(axes: Axes, dataset: Dataset) -> None:
    for index, label in enumerate(dataset.labels):
        points = dataset.X[dataset.classes == index]
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=14,
            color=COLOURS[index],
            marker=MARKERS[index],
            edgecolors="black",
            linewidths=0.4,
            label=_as_text(label),
        )
    axes.set_xlabel(_as_text(dataset.features[0].name))
    axes.set_ylabel(_as_text(dataset.features[1].name))


def _axes(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    return figure, axes


def _line(
    axes: Axes, index: int, label: str, x: Sequence[float] | Array, y: Sequence[float] | Array
) -> None:
    axes.plot(
        x,
        y,
        color=COLOURS[index],
        linestyle=STYLES[index],
        marker=MARKERS[index],
        label=_as_text(label),
    )


def _draw(axes: Axes, curves: Mapping[str, Curve]) -> None:
    for index, (label, curve) in enumerate(curves.items()):
        colour = COLOURS[index]
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(curve.x, curve.y, color=colour, linestyle=STYLES[index], label=_as_text(label))


def _as_text(name: str) -> str:
    """Return a name of the table as Matplotlib shows it as it is.

    Between dollar signs it would read a formula, and a label that begins with an underscore would
    not be in the legend.
    """
    text = name.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
