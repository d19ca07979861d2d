"""The verb report: the page of a finished folder again, from the files that lie in it."""

import json
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from pydantic import ValidationError

from tutelage.errors import DataError
from tutelage.report import content, evaluation_page, page, stored
from tutelage.report.language import Language, spoken
from tutelage.run.metrics import METRICS, read_metrics
from tutelage.run.reporting import curves
from tutelage.training.durable import writing

REPORT, FIGURES = "report.html", "report.json"


def rebuild(folder: Path, *, lang: Language = "en") -> Path:
    """Write `report.html` again from `report.json` and, of a run, `metrics.jsonl`: in English byte for byte as it was.

    Args:
        folder: of a run, or of an evaluation or comparison.
        lang: of the page's own texts; data, names and answers stay as they are.

    Returns:
        The page's path.

    Raises:
        DataError: the files are missing, or are something else.
        TrainingError: the page cannot be written.
    """
    with spoken(lang):
        text = _page_of(folder)
    with writing("the report", folder / REPORT, remedy="make room"):
        (folder / REPORT).write_text(text, encoding="utf-8", errors="xmlcharrefreplace")
    return folder / REPORT


def _page_of(folder: Path) -> str:
    tree = _figures(folder / FIGURES)
    try:
        if "suites" in tree:
            return evaluation_page.html(stored.evaluation_from(tree))
        return page.html(stored.run_from(tree, _curves(folder / METRICS)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _foreign(folder / FIGURES, f"{where}: {first['msg']}") from None
    except (LookupError, ArithmeticError, ValueError, TypeError, UndefinedError) as error:
        raise _foreign(folder / FIGURES, f"its parts do not fit each other ({error})") from error


def _figures(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _foreign(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _foreign(path, f"is no JSON ({error})") from None
    if not isinstance(tree, dict) or not ("suites" in tree or isinstance(tree.get("training"), dict)):
        raise _foreign(path, "holds neither a run nor an evaluation")
    return tree


def _curves(path: Path) -> content.Curves:
    try:
        return curves(read_metrics(path.parent))
    except OSError as error:
        raise _foreign(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(path, f"is no log of a run ({type(error).__name__}: {error})") from None


def _foreign(path: Path, problem: str) -> DataError:
    return DataError(
        f"the report cannot be made again: {problem}",
        code="report-files",
        place=str(path),
        expected=f"the folder of `tutelage train`, `evaluate` or `compare`, with its {FIGURES} (a run: {METRICS} too)",
        remedy="name such a folder; one of another version of tutelage is read by that version",
    )
