"""The page of a run: content, pictures and template put together; everything from data is escaped."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, get_args

from markupsafe import Markup

from tutelage.report import figures, wording
from tutelage.report.content import Change, Curves, Item, Report
from tutelage.report.markup import environment

VISIBLE_ITEMS = 40


def write(report: Report, folder: Path) -> Path:
    """Write `report.html` and `report.json` into a folder; the path of the first."""
    page = folder / "report.html"
    page.write_text(html(report), encoding="utf-8", errors="xmlcharrefreplace")
    text = json.dumps(figures_of(report), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    return page


def html(report: Report) -> str:
    """The whole page as one text: no file and no address beside it is needed to read it."""
    items = report.evidence.items if report.evidence else ()
    shown = choose_visible(items, VISIBLE_ITEMS)
    curves = report.training.curves
    return (
        environment()
        .get_template("page.jinja")
        .render(
            report=report,
            verdict=wording.verdict(report.evidence),
            name=model_name(report.model),
            shown=[items[number] for number in shown],
            folded=[item for number, item in enumerate(items) if number not in set(shown)],
            changes=Counter(item.change for item in items),
            curves=_pictures(curves) if curves.step else (),
            lengths=Markup(figures.length_figure(report.ledger.lengths)),
        )
    )


def figures_of(report: Report) -> dict[str, Any]:
    """The report's figures as JSON types; the curves are in metrics.jsonl already."""
    tree = asdict(report)
    del tree["training"]["curves"]
    tree["training"]["held_out"] = [{"step": step, "loss": loss} for step, loss in report.training.curves.held_out]
    return {"verdict": wording.verdict(report.evidence), **tree}


def model_name(name_or_path: str) -> str:
    """The last part of a path or Hub id, which people call the model by."""
    return name_or_path.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or name_or_path


def choose_visible(items: Sequence[Item], count: int) -> list[int]:
    """Numbers of the items that are shown at once, in order: every kind of change has its turn, so that the few lost
    ones are seen among the many gained."""
    kinds = [[number for number, item in enumerate(items) if item.change == kind] for kind in get_args(Change)]
    in_turn = (number for number in chain.from_iterable(zip_longest(*kinds)) if number is not None)
    return sorted(number for number, _ in zip(in_turn, range(count), strict=False))


def _pictures(curves: Curves) -> Iterator[tuple[str, Markup]]:
    """Names of the curves with their pictures."""
    yield "loss", Markup(figures.loss_figure(curves))
    yield "learning rate", Markup(figures.rate_figure(curves))
    yield "tokens per second", Markup(figures.speed_figure(curves))
    yield "gradient norm", Markup(figures.norm_figure(curves))
