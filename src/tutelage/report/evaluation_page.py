"""The page of an evaluation: models on suites; everything from data is escaped."""

import json
from pathlib import Path

from tutelage.report import stored, wording
from tutelage.report.content import Evaluation
from tutelage.report.findings import evaluation_findings
from tutelage.report.markup import environment
from tutelage.report.suite_parts import parts_of


def write(report: Evaluation, folder: Path) -> Path:
    """Write `report.html` and `report.json` into a folder; the path of the first."""
    page = folder / "report.html"
    page.write_text(html(report), encoding="utf-8", errors="xmlcharrefreplace")
    text = json.dumps(stored.evaluation_figures(report), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    return page


def html(report: Evaluation) -> str:
    """The whole page as one text: no file and no address beside it is needed to read it."""
    return (
        environment()
        .get_template("evaluation.jinja")
        .render(
            report=report,
            verdict=wording.verdict(report.suites),
            findings=evaluation_findings(report.suites),
            name=report.models[-1][0],
            suites=parts_of(report.suites, first_shows_scores=True),
        )
    )
