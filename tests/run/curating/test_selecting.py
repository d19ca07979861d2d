"""data select: so many rows, each once, and what is missing is told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.data import read_entries
from tutelage.run.curating.selecting import Wanted, select_rows, show_selected
from tutelage.run.curating.workers import Workers

TYPES = {"code": 30, "creative": 6, "analysis": 12}
SUBJECTS = ["rivers", "engines", "novels", "taxes", "birds", "violins", "glaciers", "bridges", "markets", "vaccines"]
VERBS = ["Explain", "Compare", "Question", "Sketch", "Defend", "Summarise"]


def row(kind: str, number: int) -> dict[str, Any]:
    subject, verb = SUBJECTS[number % 10], VERBS[number // 10]
    return {
        "instruction": f"{verb} {kind} about {subject} and {SUBJECTS[(number * 7 + len(kind)) % 10]} number {number}",
        "output": f"A short text on {subject}, written for number {number}, which says what {kind} has to say of it.",
        "task_type": kind,
        "domain": "education",
    }


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    every = [row(kind, number) for kind, count in TYPES.items() for number in range(count)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in [*every, {"instruction": "x", "output": ""}]))
    return path


def selected(rows: Path, wanted: Wanted) -> tuple[Any, list[dict[str, Any]]]:
    recipe = recipes.build({"data": {"sources": [str(rows)]}})
    result = select_rows(recipe, wanted, output=rows.parent / "out", workers=Workers(1), terminal=Listening())
    lines = (rows.parent / "out" / "selected.jsonl").read_text(encoding="utf-8").splitlines()
    return result, [json.loads(line) for line in lines]


@pytest.mark.parametrize("by", ["quality", "random", "longest"])
def test_as_many_as_were_asked_for_each_once_and_all_accounted_for(rows: Path, by: Any) -> None:
    result, chosen = selected(rows, Wanted(15, by))
    numbers = [one["provenance"]["row"] for one in chosen]
    assert len(numbers) == len(set(numbers)) == 15
    assert numbers == sorted(numbers)
    entries = list(read_entries(rows.parent / "out" / "ledger.jsonl"))
    assert {entry.row for entry in entries if entry.state == "used"} == set(numbers)
    assert Counter(entry.reason for entry in entries) == {"": 15, "not selected": 33, "empty answer": 1}
    assert result.summary()["selection"]["chosen"] == 15


def test_every_type_gives_its_share_as_far_as_it_can(rows: Path) -> None:
    _, even = selected(rows, Wanted(24))
    assert Counter(one["task_type"] for one in even) == {"code": 9, "analysis": 9, "creative": 6}
    _, as_they_are = selected(rows, Wanted(24, proportion=1.0))
    assert Counter(one["task_type"] for one in as_they_are) == {"code": 15, "analysis": 6, "creative": 3}


def test_what_is_missing_is_told_and_nothing_is_repeated(rows: Path) -> None:
    result, chosen = selected(rows, Wanted(100, "random"))
    assert len(chosen) == 48
    terminal = Listening()
    show_selected(result, terminal)
    assert "52 rows fewer than asked for" in terminal.heard.getvalue()


def test_the_choice_is_compared_with_the_baselines(rows: Path) -> None:
    result, _ = selected(rows, Wanted(15))
    by = {one.by: one for one in result.selection.comparison}
    assert set(by) == {"quality", "random", "longest"}
    assert by["quality"].entropy > by["longest"].entropy or by["quality"].mean_quality >= by["random"].mean_quality
    terminal = Listening()
    show_selected(result, terminal)
    assert all(name in terminal.heard.getvalue() for name in by)
