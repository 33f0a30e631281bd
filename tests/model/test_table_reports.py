"""The report and the card of any table: costs, subgroups, weights, many classes and columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from model.artifact.card import card_markdown
from model.data import Costs, Dataset, Subgroup
from model.evaluation import importance, metrics
from model.evaluation.importance import Importance, permutation_importances
from model.evaluation.validation import Repeat
from model.recipes.own_tables import table_recipe
from model.recipes.procedures import OnFit
from model.recipes.tables.plans import Choices
from model.reports.evidence import Evidence, gather
from model.reports.plots import importance_plot, png
from model.reports.report import make_report
from model.reports.report_sections import Section, sections
from model.schema.features import FeatureSet
from tests.model.made_tables import made_table

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 20)


def evidence_of(dataset: Dataset) -> Evidence:
    totals: dict[str, float] = {}
    done: dict[str, float] = {}

    def phase(name: str, total: float) -> OnFit:
        totals[name], done[name] = total, 0.0

        def advance(amount: float) -> None:
            done[name] += amount

        return advance

    recipe = table_recipe("made", lambda _: dataset, Choices(folds=2, repeats=1))
    evidence = gather(recipe, None, None, phase)
    for name, total in totals.items():
        if name != "learning curve":  # parts with too few rows of a class are left out
            assert done[name] == pytest.approx(total), name
    return evidence


def by_heading(evidence: Evidence) -> dict[str, Section]:
    return {section.heading: section for section in sections(evidence)}


def test_two_classes_with_costs_subgroups_weights_and_missing_values() -> None:
    dataset = replace(
        made_table(90, missing=True),
        costs=Costs(false_negative=9.0, false_positive=3.0),
        threshold=0.3,
        weights=np.linspace(1.0, 3.0, 90),
        groups=np.arange(90) // 2,
        subgroups=(Subgroup("low", "x1", -99, 0), Subgroup("high", "x1", 0, 99)),
    )
    found = by_heading(evidence_of(dataset))
    assert set(found) == {
        "Metrics", "Confusion", "ROC", "Precision and recall", "Calibration", "Decision curve",
        "Learning curve", "Loss curve", "Subgroups", "Permutation importance", "Data leakage",
    }  # fmt: skip
    assert "2-fold" in found["Metrics"].text
    assert "20 bootstrap samples" in found["Metrics"].text
    assert "a row counts by its weight" in found["Metrics"].text
    assert "Threshold 0.3:" in found["Confusion"].text
    assert "Threshold 0.25:" in found["Confusion"].text
    picture = found["Decision curve"].picture
    assert picture is not None
    assert "At a threshold of 1/4 the net benefit" in picture.alt
    assert "| low |" in found["Subgroups"].text
    assert "patient" not in " ".join(section.text for section in found.values())


def test_many_classes_have_curves_of_the_most_frequent() -> None:
    shares = np.array([0.05, 0.2, 0.05, 0.15, 0.15, 0.15, 0.15, 0.1])
    evidence = evidence_of(made_table(160, classes=8, shares=shares))
    found = by_heading(evidence)
    picture = found["ROC"].picture
    assert picture is not None
    shown = [f"class {number}" for number in (1, 3, 4, 5, 6, 7)]
    assert [label for label in evidence.dataset.labels if f"{label}:" in picture.alt] == shown
    for heading in ("ROC", "Precision and recall", "Calibration"):
        assert "Only the 6 classes with the most rows, of 8, are shown." in found[heading].text
    assert "Decision curve" not in found
    assert make_report(evidence).markdown().count("![") == 6


def test_two_numbers_have_a_plane_and_numbers_with_codes_none() -> None:
    numbers = made_table(60, columns=2, classes=3)
    numbers = replace(numbers, features=type(numbers.features)(numbers.features[:2]))
    assert "Decision boundaries" in by_heading(evidence_of(numbers))
    assert "Decision boundaries" not in by_heading(evidence_of(made_table(60, columns=1)))


def test_a_class_of_few_rows_leaves_out_the_smallest_parts_of_the_learning_curve() -> None:
    shares = np.array([0.48, 0.44, 0.08])
    evidence = evidence_of(made_table(60, classes=3, shares=shares))
    rows = [point.rows for point in evidence.learning]
    assert rows == sorted(rows)
    assert rows[-1] == 30
    assert rows[0] > 6


def test_many_columns_are_shuffled_on_a_part_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = evidence_of(made_table(260, columns=50))
    text = by_heading(evidence)["Permutation importance"].text
    assert "the 40 highest of 51" in text
    seen: list[int] = []
    held_out = Repeat.held_out

    def watched(self: Repeat, X: np.ndarray) -> np.ndarray:
        seen.append(len(X))
        return held_out(self, X)

    monkeypatch.setattr(Repeat, "held_out", watched)
    monkeypatch.setattr(importance, "SHUFFLED", 210 * 51**2)
    permutation_importances(evidence.dataset, evidence.validation.repeats, 1)
    assert set(seen) == {210}


def test_the_card_says_what_a_wrong_decision_costs() -> None:
    dataset = replace(made_table(60), costs=Costs(false_negative=9.0, false_positive=3.0))
    recipe = table_recipe("made", lambda _: dataset, Choices(folds=2, repeats=1))
    artifact = recipe.train()
    page = card_markdown(artifact.card())
    assert (
        "mean cost per row at threshold 0.25: 9 for class 1 predicted as class 0, 3 for the "
        "reverse |" in page
    )
    assert "stratified 2-fold cross-validation, once" in page
    assert artifact.threshold == 0.5


def test_names_with_marks_of_other_languages_are_shown_as_they_are() -> None:
    table = made_table(90, classes=3)
    names = {
        "x0": "cost $\\none{$ per | `a` $",
        "x1": "_private",
        "x2": "*star* <b>&amp;",
        "colour": "$x_{$",
    }
    features = [replace(f, name=names[f.name], description=names[f.name]) for f in table.features]
    labels = ["$\\none{$", "_hidden", "a|b"]
    codes = zip(range(3), labels, strict=True)
    dataset = replace(
        table,
        frame=table.frame.rename(columns=names),
        features=FeatureSet(features),
        target=replace(table.target, codes=tuple(codes)),
    )
    report = make_report(evidence_of(dataset))
    roc = next(one.picture for one in report.sections if one.heading == "ROC")
    assert roc is not None
    (axes,) = roc.figure.axes
    legend = axes.get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown[1:] == [r"\$\none{\$", " _hidden", "a|b"]
    for section in report.sections:
        if section.picture is not None:
            png(section.picture.figure)
    assert r"a\|b" in report.markdown()


def test_columns_whose_names_differ_in_an_underscore_have_a_bar_each() -> None:
    figure = importance_plot([Importance("a_b", 1.0, 0.1), Importance("a b", 2.0, 0.1)])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a b", "a_b"]
    assert len({bar.get_y() for bar in axes.patches if isinstance(bar, Rectangle)}) == 2
