"""Verdicts beside the official ones, and the time that long answers take."""

import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks import ifeval
from tutelage.evaluation.constraints import kinds
from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.registry import KINDS
from tutelage.evaluation.constraints.verdicts import check

VALUES = {kinds.COUNT: 3, kinds.ORDINAL: 2, kinds.TEXT: "词", kinds.TEXTS: ["a", "词"], kinds.CHARACTER: "!"}
WORDS = {"language": "en", "script": "simplified"}
PIECES = [
    "[",
    "<<",
    "*",
    "**",
    "-",
    "\n",
    " \n",
    ".",
    "。",
    '."',
    ".)",
    "中.",
    "A.",
    "「",
    '{"a":',
    "一",
    "(",
    "#_",
    "```",
]


@pytest.mark.shared
def test_verdicts_are_the_official_ones(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ifeval, "FOLDER", shared / "datasets" / "ifeval")
    monkeypatch.setattr(sys, "argv", ["ifeval", "--json"])
    ifeval.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["instructions"] == 6 * 832
    assert len(found["by_type"]) == 25
    assert found["share_defined"] >= 0.995
    told_by_language = {"change_case:english_capital", "change_case:english_lowercase", "language:response_language"}
    differing = {name for name, one in found["by_type"].items() if one["agree"] < one["instructions"]}
    assert differing <= told_by_language | {"keywords:letter_frequency"}


@pytest.mark.parametrize("piece", PIECES)
def test_long_answers_take_no_long_time(piece: str) -> None:
    constraints = [
        Constraint(name, {key: VALUES.get(one) or WORDS.get(key, "exactly") for key, one in kind.arguments.items()})
        for name, kind in KINDS.items()
    ]
    answer = piece * (100_000 // len(piece))
    check(constraints[0], answer)
    started = time.process_time()
    for constraint in constraints:
        check(constraint, answer)
    assert time.process_time() - started < 10  # seconds; what is quadratic takes minutes
