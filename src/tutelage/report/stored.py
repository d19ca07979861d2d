"""Reports as JSON, and back: `report.json` holds all that a page says but the curves, which stand in metrics.jsonl.

Beside the content stand texts that follow from it (the verdict, what stands out), for those who read the file; they
are not read back.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from tutelage.report import wording
from tutelage.report.content import Curves, Evaluation, Report
from tutelage.report.finding import Finding
from tutelage.report.findings import evaluation_findings, run_findings

_HALVES = dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)  # of surrogate pairs: a page shows them so, and JSON has none


def run_figures(report: Report) -> dict[str, Any]:
    """A run's report as JSON types, without the curves; its held-out losses are named."""
    tree = asdict(report)
    del tree["training"]["curves"]
    tree["training"]["held_out"] = [{"step": step, "loss": loss} for step, loss in report.training.curves.held_out]
    return {"verdict": wording.verdict(report.evidence), "findings": _told(run_findings(report)), **tree}


def evaluation_figures(report: Evaluation) -> dict[str, Any]:
    """The report of an evaluation as JSON types."""
    findings = _told(evaluation_findings(report.suites))
    return {"verdict": wording.verdict(report.suites), "findings": findings, **asdict(report)}


def _told(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [
        {"kind": one.kind, "text": one.text, "figures": dict(one.figures), "suggestion": one.suggestion}
        for one in findings
    ]


def run_from(tree: Mapping[str, Any], curves: Curves) -> Report:
    """The report of a run from its JSON types and its curves.

    Raises:
        ValidationError: parts are missing, or are something else (pydantic's; it names the first).
    """
    training = {**tree["training"], "curves": asdict(curves)}
    return TypeAdapter(Report).validate_json(_text({**tree, "training": training}), strict=True)


def evaluation_from(tree: Mapping[str, Any]) -> Evaluation:
    """The report of an evaluation from its JSON types.

    Raises:
        ValidationError: parts are missing, or are something else (pydantic's; it names the first).
    """
    return TypeAdapter(Evaluation).validate_json(_text(tree), strict=True)


def _text(tree: Mapping[str, Any]) -> str:
    return json.dumps(tree, ensure_ascii=False).translate(_HALVES)
