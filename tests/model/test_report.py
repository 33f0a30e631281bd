"""Evidence and report: the sections show what was found, for two classes, three, and a plane."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from model.artifact.card import meaning
from model.data import load_heart
from model.data.heart import STATLOG_COSTS
from model.errors import DataError
from model.evaluation.curves import roc_curve
from model.evaluation.importance import permutation_importances
from model.evaluation.metrics import metrics_for
from model.recipes.procedures import SingleFit
from model.recipes.recipes import HEART, MOONS, Recipe, find_recipe
from model.recipes.reruns import saved_version
from model.recipes.tables.plans import Plan
from model.recipes.tables.stacks import Family, Stacks
from model.recipes.tables.table_fit import PlannedTableFit
from model.reports.evidence import Evidence, gather
from model.reports.plots import png, roc_plot
from model.reports.report import Report, make_report
from model.reports.report_sections import Section, sections
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

METRICS = metrics_for(2, STATLOG_COSTS)

PNG = b"\x89PNG\r\n\x1a\n"
HEADINGS = [
    "Metrics",
    "The Statlog comparison",
    "Confusion",
    "ROC",
    "Precision and recall",
    "Calibration",
    "Decision curve",
    "Learning curve",
    "Loss curve",
    "Subgroups",
    "Permutation importance",
    "Data leakage",
]


def quick(recipe: Recipe) -> Recipe:
    """Return the recipe with a cross-validation that is over at once."""
    if recipe.name == "heart":
        stacks = Stacks(replace(HEART, iterations=30), (Family((15.0,)),))
        procedure = PlannedTableFit(Plan(3, 2, 3), stacks)
        return replace(recipe, procedure=procedure)
    assert isinstance(recipe.procedure, SingleFit)
    if recipe.name == "moons":
        design = replace(MOONS, iterations=300)
        procedure_ = replace(recipe.procedure, design=design, reported=range(1, 301, 100), folds=3)
        return replace(recipe, procedure=procedure_, beside=("moons-baseline",))
    return replace(recipe, procedure=replace(recipe.procedure, folds=3, repeats=2))


class Phases:
    """Notes what was announced, and how much of it was reported."""

    def __init__(self) -> None:
        self.announced: dict[str, float] = {}
        self.reported: dict[str, float] = {}

    def __call__(self, name: str, fits: float) -> object:
        self.announced[name] = fits
        self.reported[name] = 0.0

        def on_fit(done: float) -> None:
            self.reported[name] += done

        return on_fit


@pytest.fixture(scope="module")
def phases() -> Phases:
    return Phases()


@pytest.fixture(scope="module")
def heart(phases: Phases) -> Evidence:
    return gather(quick(find_recipe("heart")), None, None, phases)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def iris() -> Evidence:
    return gather(quick(find_recipe("iris")), None, None, lambda *_: lambda _: None)


@pytest.fixture(scope="module")
def moons() -> Evidence:
    return gather(quick(find_recipe("moons")), None, None, lambda *_: lambda _: None)


def shown(evidence: Evidence) -> dict[str, Section]:
    return {section.heading: section for section in sections(evidence)}


def pictures_of(shown: dict[str, Section]) -> list[bytes]:
    return [png(section.picture.figure) for section in shown.values() if section.picture]


@pytest.fixture(scope="module")
def heart_reported(heart: Evidence) -> dict[str, Section]:
    return shown(heart)


@pytest.fixture(scope="module")
def moons_reported(moons: Evidence) -> dict[str, Section]:
    return shown(moons)


@pytest.fixture(scope="module")
def drawn(heart_reported: dict[str, Section]) -> list[bytes]:
    return pictures_of(heart_reported)


def cells(section: Section) -> list[list[str]]:
    lines = [line for line in section.text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if "---" not in line]


def test_everything_that_is_announced_is_done(heart: Evidence, phases: Phases) -> None:
    assert list(phases.announced) == ["cross-validation", "fit", "learning curve", "figures"]
    assert phases.reported == pytest.approx(phases.announced)


def test_a_report_of_patients_has_every_section_in_order(heart: Evidence) -> None:
    assert [section.heading for section in sections(heart)] == HEADINGS


def test_the_metrics_are_those_of_the_evidence(
    heart: Evidence, heart_reported: dict[str, Section]
) -> None:
    head, *rows = cells(heart_reported["Metrics"])
    assert head == ["metric", "value", "95 % interval", "spread"]
    assert [row[0] for row in rows] == list(METRICS)
    assert rows[1][1] == f"{heart.metrics['cost']['value']:.3f}"
    assert rows[1][3] == f"{heart.metrics['cost']['spread']:.3f}"


def test_a_single_repeat_has_no_spread(moons_reported: dict[str, Section]) -> None:
    _, *rows = cells(moons_reported["Metrics"])
    assert {row[3] for row in rows} == {"\N{EN DASH}"}


def test_our_line_stands_in_its_place_among_the_published_ones(
    heart: Evidence, heart_reported: dict[str, Section]
) -> None:
    section = heart_reported["The Statlog comparison"]
    _, *rows = cells(section)
    costs = [float(cost) for _, cost in rows]
    assert costs == sorted(costs)
    assert [cost for name, cost in rows if name == "**heart**"] == [
        f"{heart.metrics['cost']['value']:.3f}"
    ]
    assert len(rows) == 25
    assert "quoted from memory" in section.text


def test_superiority_is_claimed_over_lines_above_the_interval_alone(
    heart: Evidence, heart_reported: dict[str, Section]
) -> None:
    section = heart_reported["The Statlog comparison"]
    above = [
        n for n, c in heart.dataset.published_costs.items() if c > heart.metrics["cost"]["high"]
    ]
    assert f"is below the costs of {len(above)} methods: {', '.join(above)}." in section.text
    hopeless = {**heart.metrics, "cost": {**heart.metrics["cost"], "high": 0.9}}
    text = shown(replace(heart, metrics=hopeless))["The Statlog comparison"].text
    assert "no superiority is claimed" in text
    assert "is below" not in text


def test_the_confusions_hold_every_row_at_both_thresholds(
    heart_reported: dict[str, Section],
) -> None:
    section = heart_reported["Confusion"]
    assert re.findall(r"Threshold ([\d.]+):", section.text) == ["0.5", "0.167"]
    numbers = [float(cell) for row in cells(section) for cell in row[1:] if cell[0].isdigit()]
    assert sum(numbers[:4]) == pytest.approx(270, abs=0.2)
    assert sum(numbers[4:]) == pytest.approx(270, abs=0.2)
    missed_at_half, missed_at_sixth = numbers[2], numbers[6]
    assert missed_at_sixth < missed_at_half


def test_every_picture_has_words_and_is_a_picture(
    heart_reported: dict[str, Section], moons_reported: dict[str, Section], drawn: list[bytes]
) -> None:
    for page in (heart_reported, moons_reported):
        pictures = [section.picture for section in page.values() if section.picture]
        assert len({picture.name for picture in pictures}) == len(pictures) >= 7
        assert all(len(picture.alt) > 30 for picture in pictures)
    assert all(picture.startswith(PNG) for picture in (*drawn, *pictures_of(moons_reported)))


def test_the_same_evidence_gives_the_same_bytes(heart: Evidence, drawn: list[bytes]) -> None:
    assert pictures_of(shown(heart)) == drawn


def test_the_subgroups_are_reported_with_their_sizes(heart_reported: dict[str, Section]) -> None:
    _, *rows = cells(heart_reported["Subgroups"])
    assert [row for row in rows if len(row) == 3] == [
        ["women", "87", "20"],
        ["men", "183", "100"],
        ["under 55 years", "132", "40"],
        ["55 years and older", "138", "80"],
    ]


def test_the_column_that_matters_most_comes_first(heart: Evidence) -> None:
    values = [one.value for one in heart.importances]
    assert values == sorted(values, reverse=True)
    assert {one.feature for one in heart.importances} == set(heart.dataset.features.names)
    assert heart.importances[0].feature in ("num_of_major_vessels", "thal", "chest_pain")


def test_a_column_that_the_network_cannot_see_is_worth_nothing(iris: Evidence) -> None:
    blind = [
        replace(
            repeat,
            pipelines=[replace(p, scale=np.array([1e12, 1, 1, 1])) for p in repeat.pipelines],
        )
        for repeat in iris.validation.repeats
    ]
    found = {one.feature: one.value for one in permutation_importances(iris.dataset, blind, 0)}
    assert abs(found["sepal_length"]) < 1e-9 < abs(found["petal_length"])


def test_the_same_seed_shuffles_the_columns_the_same_way(moons: Evidence) -> None:
    first, same, other = (
        permutation_importances(moons.dataset, moons.validation.repeats, seed) for seed in (1, 1, 2)
    )
    assert first == same != other


def test_a_single_repeat_is_shuffled_five_times(moons: Evidence) -> None:
    assert len(moons.validation.repeats) == 1
    assert all(one.spread > 0 for one in moons.importances)


def test_more_rows_are_learned_from_as_the_curve_goes_on(heart: Evidence) -> None:
    rows = [point.rows for point in heart.learning]
    assert rows == sorted(rows)
    assert rows[-1] == 180
    assert heart.learning[0].held_out > heart.learning[-1].held_out


def test_three_classes_are_reported_one_by_one(iris: Evidence) -> None:
    sections_ = shown(iris)
    assert "The Statlog comparison" not in sections_
    assert "Decision curve" not in sections_
    _, *rows = cells(sections_["Calibration"])
    assert [row[0] for row in rows] == ["setosa", "versicolor", "virginica"]
    _, *rows = cells(sections_["Confusion"])
    assert [sum(map(float, row[1:])) for row in rows] == pytest.approx([50, 50, 50], abs=0.2)
    _, *rows = cells(sections_["Progress of the fit"])
    assert [row[0] for row in rows] == ["20", "40", "60", "80", "100"]


def test_a_plane_is_drawn_with_the_recipes_beside(
    moons: Evidence, moons_reported: dict[str, Section]
) -> None:
    assert list(moons.boundaries) == ["moons", "moons-baseline"]
    _, *rows = cells(moons_reported["Decision boundaries"])
    assert [row[0] for row in rows] == ["moons", "moons-baseline"]
    assert rows[1][1] == "0.850"


def test_a_row_that_stands_there_twice_is_counted(heart: Evidence) -> None:
    dataset = load_heart()
    rows = [*range(270), 0, 1]
    again = replace(
        heart,
        dataset=replace(dataset, frame=dataset.frame.iloc[rows]),
        validation=replace(heart.validation, probabilities=heart.validation.probabilities[:, rows]),
    )
    assert "and in the held-out rows: 2." in shown(again)["Data leakage"].text


def test_what_is_not_ruled_out_is_said_of_the_recipes_own_data_alone(
    heart: Evidence, heart_reported: dict[str, Section], tmp_path: Path, heart_lines: list[str]
) -> None:
    assert "Not ruled out: Four choices" in heart_reported["Data leakage"].text
    (tmp_path / "own.dat").write_text("\n".join(heart_lines[:150]))
    recipe = quick(find_recipe("heart"))
    own = gather(recipe, tmp_path / "own.dat", None, lambda *_: lambda _: None)
    assert "Not ruled out" not in shown(own)["Data leakage"].text


def test_a_file_that_cannot_be_judged_is_refused_before_anything_runs(
    tmp_path: Path, heart_lines: list[str]
) -> None:
    path = tmp_path / "own.dat"
    path.write_text("\n".join(line for line in heart_lines if line.endswith(" 1")))
    announced: list[str] = []

    def phase(name: str, _: float) -> object:
        announced.append(name)
        return lambda _: None

    with pytest.raises(DataError, match="0 rows of presence"):
        gather(find_recipe("heart"), path, None, phase)  # type: ignore[arg-type]
    assert announced == []


def test_a_report_opens_with_a_summary_and_contents(heart: Evidence) -> None:
    page = make_report(heart).markdown()
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["Summary", "Contents", "Run", "Data", *HEADINGS]
    summary = page[: page.index("## Contents")]
    for name, figure in heart.metrics.items():
        assert f"**{name}** {figure['value']:.3f}" in summary
        assert meaning(name, heart.artifact.card()) in summary
    assert f"Not for: {heart.dataset.card['not_for']}" in summary


def test_the_contents_link_to_every_section_of_the_page(heart: Evidence, tmp_path: Path) -> None:
    make_report(heart).write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    links = re.findall(r'href="#([^"]+)"', page)
    assert links[:3] == ["run", "data", "metrics"]
    assert len(links) == len(HEADINGS) + 2
    assert set(links) <= set(re.findall(r'<h2 id="([^"]+)"', page))


def test_a_report_identifies_model_rows_program_seed_and_settings(heart: Evidence) -> None:
    page = make_report(heart).markdown()
    rows = dict(line.strip("| ").split(" | ", 1) for line in page.splitlines() if " | " in line)
    assert rows["model version"] == f"`{heart.artifact.version}`"
    assert rows["SHA-256 of the rows"] == f"`{heart.artifact.about['data']['sha256']}`"
    assert rows["Heartline version"] == version("heartline")
    assert (rows["recipe"], rows["seed"], rows["layers"]) == ("heart", "1", "22-8-1")
    assert rows["protocol"] == heart.artifact.about["training"]["protocol"]
    assert rows["l2 of members"] == "[15.0]"
    assert "No file has this model" in page


def test_a_report_names_the_version_of_the_saved_model(heart: Evidence, tmp_path: Path) -> None:
    saved = heart.artifact.save(tmp_path / "heart.npz")
    assert saved.sha256 == heart.artifact.sha256
    found = saved_version(tmp_path / "heart.npz", heart.recipe, None, None, heart.artifact)
    assert found == saved.version
    assert f"| model version | `{found}` |" in make_report(heart, found).markdown()
    assert saved_version(tmp_path / "none.npz", heart.recipe, None, None, heart.artifact) is None
    assert saved_version(tmp_path / "heart.npz", heart.recipe, None, 9, heart.artifact) is None


def test_the_rows_of_a_recipe_without_a_file_have_a_digest_too(iris: Evidence) -> None:
    page = make_report(iris).markdown()
    assert re.search(r"\| SHA-256 of the values \| `[0-9a-f]{64}` \|", page)
    assert re.search(r": share of correct classes$", page, re.MULTILINE)


def test_the_one_page_needs_no_other_file(heart: Evidence, tmp_path: Path) -> None:
    make_report(heart).write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == len(pictures) == 7
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    inside = {base64.b64decode(source.partition(",")[2]) for source in sources}
    assert inside == {(tmp_path / name).read_bytes() for name in pictures}
    assert "http" not in page
    markdown = (tmp_path / "report.md").read_text()
    assert sorted(re.findall(r"\]\((\S+\.png)\)", markdown)) == pictures


def test_what_stands_in_a_text_is_no_markup_on_the_page(tmp_path: Path) -> None:
    report = Report("<b>", [Section("<script>", "a <img src=x> & b")])
    report.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "<img" not in page
    assert "<b>" not in page


@pytest.mark.parametrize("name", ["heart", "moons", "iris"])
def test_the_committed_report_is_of_the_committed_recipe(name: str) -> None:
    folder = ROOT / "artifacts" / name
    page = (folder / "report.md").read_text()
    recipe = find_recipe(name)
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings[:5] == ["Summary", "Contents", "Run", "Data", "Metrics"]
    card = json.loads((ROOT / "artifacts" / f"{name}.json").read_text())
    assert f"| model version | `{card['version']}` |" in page
    assert f"{recipe.procedure.planned(recipe.load(None)).folds}-fold" in page
    linked = re.findall(r"\]\((\S+\.png)\)", page)
    assert sorted(linked) == sorted(path.name for path in folder.glob("*.png"))
    assert page.count("![") == (folder / "report.html").read_text().count("<img ")


def test_the_committed_report_has_the_figures_of_the_committed_card() -> None:
    metrics = json.loads((ROOT / "artifacts" / "heart.json").read_text())["metrics"]
    page = (ROOT / "artifacts" / "heart" / "report.md").read_text()
    for name, figure in metrics.items():
        row = "| {value:.3f} | {low:.3f} to {high:.3f} | {spread:.3f} |".format_map(figure)
        assert f"| {name} {row}" in page


def test_lines_are_distinguished_by_more_than_colours() -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    curve = roc_curve(y, np.array([[0.1, 0.9, 0.4, 0.3, 0.8]]), 0)
    axes = roc_plot({"a": curve, "b": curve, "c": curve}).axes[0]
    assert len({line.get_linestyle() for line in axes.lines}) == 4
