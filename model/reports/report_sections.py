"""Sections: the parts of a report, each with its text and its picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from model.arrays import Array
from model.evaluation.calibration import calibration_error, reliability
from model.evaluation.curves import (
    net_benefit,
    net_benefit_of_treating_all,
    precision_recall_curve,
    roc_curve,
)
from model.evaluation.metrics import resamples_for
from model.reports import plots
from model.reports.evidence import LEARNING_REPEATS, Evidence
from model.reports.markdown import table
from model.schema.classes import predicted_classes

INTERVAL = "95 % interval"
THRESHOLDS = np.arange(1, 71) / 100
WEIGHTED = (
    " In these metrics, and in those of subgroups, a row counts by its weight; in all other "
    "sections each row counts once."
)
CURVES = len(plots.COLOURS)
"""Maximum number of classes with curves: those with the most rows."""

IMPORTANCES = 40
"""Maximum number of columns whose importance is shown."""


@dataclass(frozen=True)
class Picture:
    """A figure with its text alternative.

    Parameters
    ----------
    name : str
        Name of its file, without the extension.
    figure : Figure
        The figure.
    alt : str
        Its text alternative.
    """

    name: str
    figure: Figure
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Parameters
    ----------
    heading : str
        Its heading.
    text : str
        Markdown.
    picture : Picture, optional
        The picture below the text.
    """

    heading: str
    text: str
    picture: Picture | None = None


def sections(evidence: Evidence) -> Iterator[Section]:
    """Yield the sections of the report that apply to the data set."""
    yield _metrics(evidence)
    if evidence.dataset.published_costs:
        yield _published_costs(evidence)
    yield _confusion(evidence)
    yield _roc(evidence)
    yield _precision_recall(evidence)
    yield _calibration(evidence)
    if evidence.dataset.costs is not None:
        yield _decision(evidence)
    if evidence.learning:
        yield _learning(evidence)
    if evidence.fitted.history.loss:
        yield _loss(evidence)
    if evidence.fitted.progress:
        yield _progress(evidence)
    if evidence.subgroups:
        yield _subgroups(evidence)
    yield _importance(evidence)
    if evidence.boundaries:
        yield _boundaries(evidence)
    yield _leaks(evidence)


def _metrics(evidence: Evidence) -> Section:
    procedure = evidence.procedure
    rows = [
        (
            name,
            f"{figure['value']:.3f}",
            _range(figure),
            f"{figure['spread']:.3f}" if procedure.repeats > 1 else "\N{EN DASH}",
        )
        for name, figure in evidence.metrics.items()
    ]
    text = (
        f"Stratified {procedure.folds}-fold cross-validation of the whole procedure, "
        f"{_times(procedure.repeats)}. The probability of each row comes from a fit without that "
        f"row. The interval is the percentile interval of {resamples_for(len(evidence.dataset)):,} "
        "bootstrap samples of the rows; the spread is the standard deviation between the repeats. "
        "The summary explains each metric."
        f"{WEIGHTED if evidence.dataset.weights is not None else ''}\n\n"
    )
    return Section("Metrics", text + table(("metric", "value", INTERVAL, "spread"), rows))


def _published_costs(evidence: Evidence) -> Section:
    ours = evidence.metrics["cost"]
    costs = {**evidence.dataset.published_costs, f"**{evidence.recipe.name}**": ours["value"]}
    rows = [(name, f"{cost:.3f}") for name, cost in sorted(costs.items(), key=lambda c: c[1])]
    worse = [n for n, cost in evidence.dataset.published_costs.items() if cost > ours["high"]]
    claim = (
        f"The interval of our cost, {_range(ours)}, is below the costs of {len(worse)} methods: "
        f"{', '.join(worse)}. No superiority over the others is claimed."
        if worse
        else f"The interval of our cost is {_range(ours)}: no superiority is claimed."
    )
    text = (
        "Average cost per patient in nine-fold cross-validation with the data set's cost matrix: 5 "
        "for a missed patient, 1 for a false alarm. The costs of the other methods are quoted from "
        "memory of Michie, Spiegelhalter and Taylor, Machine Learning, Neural and Statistical "
        "Classification, 1994, and have no intervals. Our threshold is 1/6. "
        f"{claim}\n\n"
    )
    return Section("The Statlog comparison", text + table(("method", "cost"), rows))


def _confusion(evidence: Evidence) -> Section:
    dataset = evidence.dataset
    classes = range(len(dataset.labels))
    thresholds: list[float | None] = [None if len(dataset.labels) > 2 else dataset.threshold]
    if dataset.costs is not None:
        thresholds.append(dataset.costs.threshold)
    texts = ["Mean number of rows over the repeats."]
    for threshold in thresholds:
        predicted = predicted_classes(evidence.validation.probabilities, threshold)
        true = np.tile(dataset.classes, len(predicted))
        counts = confusion_matrix(true, predicted.ravel(), labels=classes) / len(predicted)
        head = ("", *(f"predicted {label}" for label in dataset.labels))
        rows = [
            (label, *(f"{count:.1f}" for count in line))
            for label, line in zip(dataset.labels, counts, strict=True)
        ]
        rule = "The most probable class" if threshold is None else f"Threshold {threshold:.3g}"
        texts.append(f"{rule}:\n\n{table(head, rows)}")
    return Section("Confusion", "\n\n".join(texts))


def _roc(evidence: Evidence) -> Section:
    curves = {
        label: roc_curve(y, p, evidence.random_state) for label, y, p in _one_vs_rest(evidence)
    }
    points = [
        f"{label}: true positive rate {_at(curve.x, curve.y, 0.1):.2f} at a false positive rate "
        f"of 0.1, {_at(curve.x, curve.y, 0.3):.2f} at 0.3"
        for label, curve in curves.items()
    ]
    area = evidence.metrics["roc_auc"]
    value = f"{area['value']:.3f} ({_range(area)})"
    text = f"The area is {value}. The band is the {INTERVAL}.{_few(evidence)}"
    alt = f"ROC curve. {'; '.join(points)}."
    return Section("ROC", text, Picture("roc", plots.roc_plot(curves), alt))


def _precision_recall(evidence: Evidence) -> Section:
    cases = list(_one_vs_rest(evidence))
    curves = {label: precision_recall_curve(y, p, evidence.random_state) for label, y, p in cases}
    shares = {label: float(y.mean()) for label, y, _ in cases}
    points = [
        f"{label}: precision {_at(curve.x, curve.y, 0.5):.2f} at a recall of 0.5, "
        f"{_at(curve.x, curve.y, 0.9):.2f} at 0.9; chance is {shares[label]:.2f}"
        for label, curve in curves.items()
    ]
    picture = plots.precision_recall_plot(curves, shares)
    alt = f"Precision over recall. {'; '.join(points)}."
    text = f"The band is the {INTERVAL}; the dotted line is the share of the class.{_few(evidence)}"
    return Section("Precision and recall", text, Picture("precision-recall", picture, alt))


def _calibration(evidence: Evidence) -> Section:
    seed, cases = evidence.random_state, list(_one_vs_rest(evidence))
    text = (
        "The expected calibration error in ten bins of equal size is compared with that of 1,000 "
        "simulated samples in which every probability is correct; their error is not zero either. "
        "Median and quantile are those of the samples; the last column is the share of samples "
        "with at least this error. The band contains the "
        f"observed frequency of 95 % of the samples.{_few(evidence)}\n\n"
        f"{_calibration_errors(cases, seed)}"
    )
    found = {label: reliability(y, p, seed) for label, y, p in cases}
    points = [
        f"{label}: {np.sum((f.low <= f.observed) & (f.observed <= f.high))} of {len(f.rows)} bins "
        "within the band"
        for label, f in found.items()
    ]
    alt = f"Observed frequency over predicted probability. {'; '.join(points)}."
    return Section("Calibration", text, Picture("calibration", plots.calibration_plot(found), alt))


def _calibration_errors(cases: Iterable[tuple[str, Array, Array]], random_state: int) -> str:
    errors = {label: calibration_error(y, p, random_state) for label, y, p in cases}
    head = ("class", "error", "median", "95 % quantile", "share above")
    rows = [
        (label, *(f"{e:.3f}" for e in (error.value, error.expected, error.high)),
         f"{100 * error.share_above:.0f} %")
        for label, error in errors.items()
    ]  # fmt: skip
    return table(head, rows)


def _decision(evidence: Evidence) -> Section:
    ((label, y, p),) = _one_vs_rest(evidence)
    curve = net_benefit(y, p, THRESHOLDS, evidence.random_state)
    treat_all = net_benefit_of_treating_all(y, THRESHOLDS)
    better = int(np.sum(curve.y > np.maximum(treat_all, 0.0)))
    text = (
        "Net benefit is the share of rows treated correctly, minus the share treated "
        "unnecessarily, weighted by the odds of the threshold. The curve is above those of "
        f"treating all and treating none at {better} of the {len(THRESHOLDS)} thresholds from "
        f"{THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g}; the band is the {INTERVAL}."
    )
    threshold = evidence.dataset.costs.threshold if evidence.dataset.costs else 0.5
    alt = (
        f"Decision curve. At a threshold of {Fraction(threshold).limit_denominator(100)} the net "
        f"benefit is {_at(curve.x, curve.y, threshold):.2f}, that of treating all "
        f"{_at(curve.x, treat_all, threshold):.2f}."
    )
    picture = plots.decision_plot({label: curve}, treat_all)
    return Section("Decision curve", text, Picture("decision", picture, alt))


def _learning(evidence: Evidence) -> Section:
    points = evidence.learning
    head = ("training rows", "log loss of held-out rows", "of training rows")
    rows = [(str(p.rows), f"{p.held_out:.3f}", f"{p.training:.3f}") for p in points]
    repeats = min(LEARNING_REPEATS, evidence.procedure.repeats)
    text = (
        "The same procedure with stratified subsets of the training rows of each fold, "
        f"{_times(repeats)}.\n\n{table(head, rows)}"
    )
    alt = (
        f"Learning curve: the log loss of held-out rows goes from {points[0].held_out:.3f} with "
        f"{points[0].rows} training rows to {points[-1].held_out:.3f} with {points[-1].rows}."
    )
    return Section("Learning curve", text, Picture("learning", plots.learning_plot(points), alt))


def _loss(evidence: Evidence) -> Section:
    losses = np.array(evidence.fitted.history.loss)
    text = (
        "The training loss with its penalty, averaged if there are several networks: "
        f"{losses[0]:.6g} before the first of {len(losses)} iterations, {losses[-1]:.6g} before "
        "the last."
    )
    alt = f"Loss curve, from {losses[0]:.3f} to {losses[-1]:.4f}."
    return Section("Loss curve", text, Picture("loss", plots.loss_plot(losses), alt))


def _progress(evidence: Evidence) -> Section:
    progress = evidence.fitted.progress
    rows = [[f"{figure:g}" for figure in noted.values()] for noted in progress]
    last = ", ".join(f"{name} {figure:g}" for name, figure in progress[-1].items())
    alt = f"Accuracy over the iterations; at the end {last}."
    picture = Picture("accuracy", plots.accuracy_plot(progress), alt)
    return Section("Progress of the fit", table(list(progress[0]), rows), picture)


def _subgroups(evidence: Evidence) -> Section:
    subgroups = evidence.subgroups
    sizes = [(group, str(of["rows"]), str(of["positives"])) for group, of in subgroups.items()]
    names = dict.fromkeys(name for of in subgroups.values() for name in of["metrics"])
    # A table with a column for each metric is wider than the screen of a phone.
    rows = [
        (name, group, *_with_range(of["metrics"].get(name)))
        for name in names
        for group, of in subgroups.items()
    ]
    text = (
        "The groups differ in prevalence, which by itself changes every metric except the area "
        f"under the ROC curve.\n\n{table(('group', 'rows', 'positive'), sizes)}\n\n"
    )
    return Section("Subgroups", text + table(("metric", "group", "value", INTERVAL), rows))


def _importance(evidence: Evidence) -> Section:
    importances = evidence.importances[:IMPORTANCES]
    text = (
        "How much the log loss of held-out rows grows when a column is shuffled among the rows: "
        "mean and standard deviation of five shuffles. A column whose information is in another "
        "column as well has a low importance."
    )
    if len(importances) < len(evidence.importances):
        text += f" Only the {IMPORTANCES} highest of {len(evidence.importances)} are shown."
    values = ", ".join(f"{one.feature} {one.value:.3f}" for one in importances)
    alt = f"Bars by column, the longest first: {values}."
    picture = Picture("importance", plots.importance_plot(importances), alt)
    return Section("Permutation importance", text, picture)


def _boundaries(evidence: Evidence) -> Section:
    dataset = evidence.dataset
    threshold = dataset.threshold if len(dataset.labels) == 2 else None
    accuracies = {
        name: float(np.mean(predicted_classes(p.class_probabilities(dataset.X), threshold)
                            == dataset.classes))
        for name, p in evidence.boundaries.items()
    }  # fmt: skip
    rows = [(name, f"{accuracy:.3f}") for name, accuracy in accuracies.items()]
    text = (
        "The predicted class over the plane. The accuracy is that of the points that each recipe "
        f"was fitted to.\n\n{table(('recipe', 'training accuracy'), rows)}"
    )
    best, worst = (
        max(accuracies, key=accuracies.__getitem__),
        min(accuracies, key=accuracies.__getitem__),
    )
    alt = (
        f"{len(accuracies)} panels with the points and the decision boundary of each recipe, from "
        f"{worst} (accuracy {accuracies[worst]:.3f}) to {best} ({accuracies[best]:.3f})."
    )
    picture = Picture("boundaries", plots.boundary_plot(dataset, evidence.boundaries), alt)
    return Section("Decision boundaries", text, picture)


def _leaks(evidence: Evidence) -> Section:
    rows = np.column_stack([evidence.dataset.X, evidence.dataset.classes])
    repeated = len(rows) - len(np.unique(rows, axis=0))
    sentences = [
        f"Duplicate rows, which could be in the training rows and in the held-out rows: "
        f"{repeated}.",
        *evidence.procedure.safeguards,
        *(f"Not ruled out: {caveat}" for caveat in evidence.caveats),
    ]
    return Section("Data leakage", "\n".join(f"- {sentence}" for sentence in sentences))


def _one_vs_rest(evidence: Evidence) -> Iterator[tuple[str, Array, Array]]:
    """Yield a label, which rows have it, and its probabilities; of two classes only the last.

    Of many classes, only those with the most rows.
    """
    dataset, probabilities = evidence.dataset, evidence.validation.probabilities
    if len(dataset.labels) == 2:
        yield dataset.labels[1], dataset.classes.astype(np.float64), probabilities
        return
    rows = np.bincount(dataset.classes, minlength=len(dataset.labels))
    for index in np.sort(np.argsort(-rows, kind="stable")[:CURVES]).tolist():
        of_class = (dataset.classes == index).astype(np.float64)
        yield dataset.labels[index], of_class, probabilities[..., index]


def _few(evidence: Evidence) -> str:
    """Return a sentence if not every class has a curve."""
    classes = len(evidence.dataset.labels)
    return f" Only the {CURVES} classes with the most rows, of {classes}, are shown." * (
        classes > CURVES
    )


def _at(x: Array, y: Array, where: float) -> float:
    return float(np.interp(where, x, y))


def _range(figure: Mapping[str, float]) -> str:
    return "{low:.3f} to {high:.3f}".format_map(figure)


def _with_range(figure: Mapping[str, float] | None) -> tuple[str, str]:
    return (f"{figure['value']:.3f}", _range(figure)) if figure else ("a class is missing", "")


def _times(repeats: int) -> str:
    return "once" if repeats == 1 else f"{repeats} times"
