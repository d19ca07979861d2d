"""Constraints as they are written, what is said of wrong ones, and how they are told."""

import inspect
from typing import Any

import pytest

from tutelage.errors import DataError
from tutelage.evaluation.constraints.kinds import Kind
from tutelage.evaluation.constraints.parsing import ifeval_constraints, parsed
from tutelage.evaluation.constraints.registry import KINDS
from tutelage.evaluation.constraints.wording import described

FREQUENCY = {"id": "keywords:frequency", "keyword": "owl", "relation": "at least", "frequency": 2}


def test_there_are_25_kinds_of_ifeval_and_as_many_of_ours() -> None:
    chinese = [name for name in KINDS if name.startswith("zh:")]
    assert (len(KINDS) - len(chinese), len(chinese)) == (25, 25)


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kinds_name_the_arguments_of_their_checks(name: str, kind: Kind) -> None:
    assert name.count(":") == 1
    _, *arguments = inspect.signature(kind.check).parameters
    assert sorted(arguments) == sorted(kind.arguments)
    assert all(f"{{{argument}}}" in kind.told for argument in arguments)


def test_a_constraint_is_an_id_or_a_mapping() -> None:
    assert parsed("zh:title").arguments == {}
    found = parsed({**FREQUENCY, "unused": None})  # as tables write it that have a column for each argument
    assert (found.id, found.arguments) == (
        "keywords:frequency",
        {"keyword": "owl", "relation": "at least", "frequency": 2},
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (7, ["7", "an id"]),
        ({"keyword": "owl"}, ["an id"]),
        ("keyword:existance", ["did you mean `keywords:existence`?"]),
        ("zh:titles", ["did you mean `zh:title`?"]),
        ("?", ["known:", "zh:title"]),
        ("keywords:existence", ["lacks `keywords`", "a list of texts"]),
        ({**FREQUENCY, "frequency": "2"}, ["`frequency`", "'2'", "a whole number"]),
        ({**FREQUENCY, "frequency": True}, ["True", "a whole number"]),
        ({**FREQUENCY, "frequency": -1}, ["-1", "0 or more"]),
        ({**FREQUENCY, "relation": "about"}, ["'about'", "'at least'", "'less than'"]),
        ({**FREQUENCY, "keyword": " "}, ["`keyword`", "not blank"]),
        ({**FREQUENCY, "frequncy": 2}, ["unknown argument `frequncy`", "`frequency`"]),
        ({"id": "zh:title", "text": "x"}, ["unknown argument `text`", "no arguments"]),
        ({"id": "keywords:existence", "keywords": []}, ["[]", "a list of texts"]),
        ({"id": "keywords:existence", "keywords": "owl"}, ["'owl'", "a list of texts"]),
        ({"id": "keywords:existence", "keywords": ["x" * 1000, 3]}, ["…"]),
        ({"id": "language:response_language", "language": "jp"}, ["'jp'", "ISO 639-1"]),
        ({"id": "zh:script", "script": []}, ["[]", "'simplified', 'traditional'"]),
    ],
)
def test_wrong_constraints_are_refused_with_the_place(data: object, words: list[str]) -> None:
    with pytest.raises(DataError) as refused:
        parsed(data, place="suite.yaml:3")
    told = str(refused.value)
    assert told.startswith("suite.yaml:3: ")
    assert [word for word in words if word not in told] == []
    assert len(told) < 2000


def test_rows_of_ifeval() -> None:
    row: dict[str, Any] = {
        "instruction_id_list": ["punctuation:no_comma", "detectable_format:number_bullet_lists"],
        "kwargs": [None, {"num_bullets": 3, "keyword": None}],
    }
    assert [one.arguments for one in ifeval_constraints(row)] == [{}, {"num_bullets": 3}]
    for broken in ({}, {**row, "kwargs": []}, {**row, "kwargs": "x"}, {**row, "kwargs": [{}, 5]}):
        with pytest.raises(DataError):
            ifeval_constraints(broken)


def test_constraints_are_told_in_their_language() -> None:
    assert described(parsed(FREQUENCY)) == "the keyword “owl” occurs at least 2 times"
    assert described(parsed({"id": "zh:lines", "relation": "exactly", "count": 4})) == "行数恰好为 4"
    assert described(parsed({"id": "zh:keywords_absent", "keywords": ["{a}", "猫"]})) == "不出现“{a}”、“猫”"
    assert described(parsed({"id": "zh:script", "script": "traditional"})) == "用繁体字"
