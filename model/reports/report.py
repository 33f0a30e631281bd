"""The report: sections as a Markdown page with separate pictures, and as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt

from model.files import replace_files
from model.reports.evidence import Evidence
from model.reports.opening import anchor, opening
from model.reports.plots import png
from model.reports.report_sections import Section, sections

TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Report:
    """A report, ready to be written.

    Parameters
    ----------
    title : str
        Its heading.
    sections : sequence of Section
        Its parts.
    """

    title: str
    sections: Sequence[Section]

    def write(self, folder: Path) -> None:
        """Write ``report.md``, ``report.html`` and a PNG file for each picture."""
        pictures = {
            f"{section.picture.name}.png": png(section.picture.figure)
            for section in self.sections
            if section.picture is not None
        }
        page = self.markdown()
        folder.mkdir(parents=True, exist_ok=True)
        html = _html(self.title, page, pictures)
        files = {"report.html": html.encode(), "report.md": page.encode(), **pictures}
        replace_files({folder / name: content for name, content in files.items()})

    def markdown(self) -> str:
        """Return the page; its pictures are links to files beside it."""
        parts = [f"# {self.title}"]
        for section in self.sections:
            parts += [f"## {section.heading}", section.text]
            if section.picture is not None:
                parts.append(f"![{section.picture.alt}]({section.picture.name}.png)")
        return "\n\n".join(parts) + "\n"


def make_report(evidence: Evidence, saved_version: str | None = None) -> Report:
    """Return the report of a recipe's results.

    Parameters
    ----------
    evidence : Evidence
        The results.
    saved_version : str, optional
        Version of the file that has this model; None if there is no such file.
    """
    results = list(sections(evidence))
    parts = [*opening(evidence, results, saved_version), *results]
    return Report(f"Report: {evidence.recipe.name}", parts)


def _html(title: str, page: str, pictures: dict[str, bytes]) -> str:
    """Return the page as one HTML file with its pictures embedded."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(page)
    for token, text in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(text.content))
    body = markdown.renderer.render(tokens, markdown.options, {})
    for name, content in pictures.items():
        data = base64.b64encode(content).decode()
        body = body.replace(f'src="{name}"', f'src="data:image/png;base64,{data}"')
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(title=escape(title), body=body)
