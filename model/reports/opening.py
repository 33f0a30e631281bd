"""The opening of a report: a summary, the contents, and what identifies the run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from model.artifact.card import meaning
from model.data import Dataset
from model.reports.evidence import Evidence
from model.reports.markdown import table
from model.reports.report_sections import Section

MOST_IMPORTANT = 3


def opening(
    evidence: Evidence, sections: Sequence[Section], saved_version: str | None
) -> list[Section]:
    """Return the sections before those of the results.

    Parameters
    ----------
    evidence : Evidence
        The results.
    sections : sequence of Section
        Their sections.
    saved_version : str, optional
        Version of the file that has this model; None if there is no such file.
    """
    own = [_run(evidence, saved_version), _data(evidence)]
    return [_summary(evidence), _contents([*own, *sections]), *own]


def anchor(heading: str) -> str:
    """Return the name by which links reach a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _summary(evidence: Evidence) -> Section:
    card = evidence.dataset.card
    figures = [
        f"**{name}** {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}): "
        f"{meaning(name, evidence.artifact.card())}"
        for name, figure in evidence.metrics.items()
    ]
    columns = ", ".join(one.feature for one in evidence.importances[:MOST_IMPORTANT])
    text = (
        f"A model of {evidence.dataset.target.name} ({', '.join(evidence.dataset.labels)}). "
        f"Metrics of held-out rows, each with its 95 % interval:\n\n{_listed(figures)}\n\n"
        f"The most important columns are {columns}.\n\n"
        f"Intended for: {card['intended_use']}\n\nNot for: {card['not_for']}"
    )
    return Section("Summary", text)


def _contents(sections: Iterable[Section]) -> Section:
    links = [f"[{section.heading}](#{anchor(section.heading)})" for section in sections]
    return Section("Contents", _listed(links))


def _run(evidence: Evidence, saved_version: str | None) -> Section:
    """Return everything that is needed to run the same again."""
    dataset, about = evidence.dataset, evidence.artifact.about["training"]
    network = evidence.artifact.card()["network"]
    settings = {
        "layers": "-".join(map(str, network["layer_sizes"])),
        "activations": f"{network['hidden_activation']}, {network['output_activation']}",
        "iterations": len(evidence.fitted.history.loss) or None,
        **{name: value for name, value in about.items() if name not in ("recipe", "progress")},
    }
    what, digest = _digest(dataset)
    rows = {
        "recipe": evidence.recipe.name,
        "model version": f"`{saved_version or evidence.artifact.version}`",
        "Heartline version": version("heartline"),
        "rows": f"{len(dataset)}, {dataset.source}",
        what: f"`{digest}`",
        **{name: _shown(value) for name, value in settings.items() if value is not None},
    }
    kept = "" if saved_version else "No file has this model; `heartline train` writes it.\n\n"
    return Section("Run", kept + table(("what", "value"), _cells(rows)))


def _cells(rows: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), value) for name, value in rows.items()]


def _digest(dataset: Dataset) -> tuple[str, str]:
    """Return the SHA-256 of the file of rows; without a file, that of the values."""
    about = dataset.about()
    if "sha256" in about:
        return "SHA-256 of the rows", str(about["sha256"])
    values = dataset.frame.to_numpy(dtype="float64")
    return "SHA-256 of the values", hashlib.sha256(values.tobytes()).hexdigest()


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _data(evidence: Evidence) -> Section:
    dataset = evidence.dataset
    limits = [*evidence.artifact.about["limits"]]
    return Section("Data", f"{len(dataset)} rows of {dataset.source}.\n\n{_listed(limits)}")


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
