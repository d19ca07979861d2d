"""Demands that are met, in part or not, and flaws of the form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.following.format import format_findings


def met(prompt: str, answer: str) -> float:
    return format_findings(prompt, answer)[0]


@pytest.mark.parametrize(
    ("prompt", "good", "bad"),
    [
        ("Give the name in JSON.", '{"name": "Ann"}', "The name is Ann."),
        ("Compare them in a table.", "| a | b |\n|---|---|\n| 1 | 2 |", "The first is better."),
        ("Write a Python function that adds.", "def add(a, b):\n    return a + b", "Adding is easy."),
        ("Sum it up in bullet points.", "- one\n- two", "One and two."),
        ("Make a numbered list of rivers.", "1. Rhine\n2. Nile", "Rhine and Nile."),
        ("Give step-by-step instructions.", "1. Boil.\n2. Pour.", "Boil and pour."),
        ("Describe it in one word.", "Blue.", "It is very blue and deep."),
        ("Answer with only a number.", "-1,200.5", "There are many."),
        ("Is it wet? Answer yes or no.", "Yes.", "It is wet."),
        ("True or false: it is wet.", "True", "It depends."),
        ("Suggest a title for this text.", "The Long River", "This text is long.\n\nIt has parts.\n\nSo it needs one."),
        ("Answer in capital letters.", "IT IS WET.", "It is wet."),
        ("Explain it in two sentences.", "It is wet, e.g. in Mr. Li's yard. It is 3.5 m deep.", "It is wet."),
        ("Explain it in one sentence.", "It is wet.", "It is wet. It is deep. It is cold."),
        ("Write exactly two paragraphs.", "One.\n\nTwo.", "One."),
        ("Use at most 5 words.", "It is wet.", "It is wet and deep and cold and very old."),
        ("Use at least 5 words.", "It is wet and deep.", "It is wet."),
        ("用一句话概括。", "河很长。", "河很长。河很宽。河很深。"),
        ("用不超过五个字回答。", "河很长。", "这条河又长又宽又深。"),
        ("只输出数字。", "４２。", "有很多。"),
        ("Translate into Chinese: the river is long.", "这条河非常长。", "The river is rather long and deep."),
        ("Sum it up in 3 bullet points.", "- a\n- b\n- c", "- a"),
    ],
)
def test_a_demand_is_met_or_not(prompt: str, good: str, bad: str) -> None:
    assert met(prompt, good) == 1
    assert met(prompt, bad) < 1


def test_the_findings_name_the_demand_and_how_far_it_is_met() -> None:
    score, found = format_findings("Describe it in exactly 4 sentences.", "It is wet.")
    assert score == pytest.approx(0.25)
    assert [(one.reason, one.detail, one.effect) for one in found] == [
        ("asked for: in exactly 4 sentences", "met by 25%", pytest.approx(-0.75))
    ]
    assert format_findings("Describe it.", "It is wet.") == (1.0, ())


@given(words=st.integers(1, 300), limit=st.integers(1, 100))
def test_the_further_from_a_limit_the_lower(words: int, limit: int) -> None:
    prompt = f"Use at most {limit} words."
    score, longer = (met(prompt, "wet " * count) for count in (words, words + 1))
    assert score == pytest.approx(min(1, limit / words))
    assert longer <= score


def test_several_demands_weigh_the_same() -> None:
    prompt = "Answer in capital letters, in one word."
    assert [met(prompt, answer) for answer in ("BLUE", "blue", "IT IS DEEP BLUE")] == pytest.approx([1, 0.5, 0.625])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("It is wet.<|im_end|>", "leaked control tokens or turns"),
        ("It is wet.\n### Response: yes", "leaked control tokens or turns"),
        ("```python\nx = 1", "open code fence"),
        ("It is (very wet.", "unbalanced brackets"),
        ("1. a\n2. b\n4. c", "numbered with a gap"),
    ],
)
def test_flaws_are_found_without_any_demand(answer: str, reason: str) -> None:
    score, found = format_findings("Tell me of it.", answer)
    assert [one.reason for one in found] == [reason]
    assert 0 < score < 1
    assert score == pytest.approx(1 + found[0].effect)


@given(st.text(max_size=200), st.text(max_size=200))
def test_scores_stay_between_0_and_1(prompt: str, answer: str) -> None:
    assert 0 <= met(prompt + " Use 3 sentences, in JSON, at most 10 words.", answer) <= 1
