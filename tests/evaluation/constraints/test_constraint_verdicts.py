"""Strict and loose verdicts."""

import pytest

from tutelage.evaluation.constraints import verdicts
from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.parsing import parsed

QUOTED = parsed("startend:quotation")
FOUR_LINES = parsed({"id": "zh:lines", "relation": "exactly", "count": 2})
ENDS = parsed({"id": "zh:ends_with", "phrase": "完"})


def verdict(answer: str, constraint: Constraint) -> tuple[bool, bool]:
    return verdicts.strict(answer, [constraint])[0], verdicts.loose(answer, [constraint])[0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('"text"', (True, True)),
        ('Here it is:\n"text"', (False, True)),
        ('"text"\nHope this helps!', (False, True)),
        ('Here:\n\n"text"\n\nBye!', (False, True)),
        ('**"text"**', (False, True)),
        ('Here: "text"', (False, False)),
        ('One.\nTwo.\n"text"', (False, False)),
    ],
)
def test_loose_forgives_a_first_line_a_last_line_and_stars(answer: str, expected: tuple[bool, bool]) -> None:
    assert verdict(answer, QUOTED) == expected


def test_loose_forgives_in_chinese_too() -> None:
    assert verdict("好的，如下：\n甲\n乙", FOUR_LINES) == (False, True)
    assert verdict("甲。完\n希望对您有帮助！", ENDS) == (False, True)


@pytest.mark.parametrize("answer", ["", " \n\t\u3000", "\r\n"])
def test_a_blank_answer_keeps_to_nothing(answer: str) -> None:
    comma = parsed("punctuation:no_comma")
    assert verdict(answer, comma) == (False, False)


def test_each_form_must_be_more_than_blank() -> None:
    assert verdict("a, b", parsed("punctuation:no_comma")) == (False, False)


def test_windows_line_ends_are_line_ends() -> None:
    asked = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "two"}
    constraint = parsed({"id": "length_constraints:nth_paragraph_first_word", **asked})
    assert verdict("one\r\n\r\ntwo", constraint) == (True, True)


def test_verdicts_come_in_order() -> None:
    constraints = [QUOTED, FOUR_LINES, ENDS]
    assert verdicts.strict("甲\n完", constraints) == [False, True, True]
    assert verdicts.strict("甲\n完", []) == verdicts.loose("甲\n完", []) == []
