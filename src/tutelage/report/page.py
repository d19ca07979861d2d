"""The page of a run: content, pictures and template put together; everything from data is escaped."""

import json
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from tutelage.report import figures, stored, wording
from tutelage.report.content import Curves, Report
from tutelage.report.findings import run_findings
from tutelage.report.language import t
from tutelage.report.markup import environment
from tutelage.report.suite_parts import parts_of


def write(report: Report, folder: Path) -> Path:
    """Write `report.html` and `report.json` into a folder; the path of the first."""
    page = folder / "report.html"
    page.write_text(html(report), encoding="utf-8", errors="xmlcharrefreplace")
    text = json.dumps(stored.run_figures(report), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    return page


def html(report: Report) -> str:
    """The whole page as one text: no file and no address beside it is needed to read it."""
    curves = report.training.curves
    return (
        environment()
        .get_template("page.jinja")
        .render(
            report=report,
            verdict=wording.verdict(report.evidence),
            name=wording.model_name(report.model),
            suites=parts_of(report.evidence, first_shows_scores=False),
            curves=_pictures(curves) if curves.step else (),
            findings=run_findings(report),
            map=_map_picture(report),
            lengths=Markup(figures.length_figure(report.ledger.lengths)),
        )
    )


def _map_picture(report: Report) -> Markup | None:
    """Of the data map; None where no row was seen twice, so that none has a spread."""
    kinds = report.data_map.kinds if report.data_map else ()
    return Markup(figures.map_figure(kinds)) if any(kind.spread for kind in kinds) else None


def _pictures(curves: Curves) -> Iterator[tuple[str, Markup]]:
    """Names of the curves with their pictures."""
    yield t("Loss"), Markup(figures.loss_figure(curves))
    yield t("Learning rate"), Markup(figures.rate_figure(curves))
    yield t("Tokens per second"), Markup(figures.speed_figure(curves))
    yield t("Gradient norm"), Markup(figures.norm_figure(curves))
    if curves.scores:
        yield t("Scores while training"), Markup(figures.score_figure(curves.scores))
