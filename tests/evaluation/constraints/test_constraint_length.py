"""Words, sentences and paragraphs."""

from typing import Any

import pytest

from tutelage.evaluation.constraints import length


@pytest.mark.parametrize(
    ("answer", "words"),
    [("", 0), ("one two", 2), ("it's", 2), ("a_b c-d", 3), ("３ apples", 2), ("我们 走", 2), ("—…!", 0), ("a😀b", 2)],
)
def test_words_are_runs_of_letters_and_digits(answer: str, words: int) -> None:
    assert length.number_words(answer, relation="exactly", num_words=words)
    assert not length.number_words(answer, relation="less than", num_words=words)


def test_sentences_are_compared() -> None:
    assert length.number_sentences("One. Two.", relation="less than", num_sentences=3)
    assert not length.number_sentences("One. Two.", relation="at least", num_sentences=3)


@pytest.mark.parametrize(
    ("answer", "paragraphs"),
    [
        ("one", 1),
        ("one\n***\ntwo", 2),
        ("one *** two***three", 3),
        ("***\none\n***\ntwo\n***", 2),
        ("one\n\ntwo", 1),
    ],
)
def test_rules_of_stars_part_paragraphs(answer: str, paragraphs: int) -> None:
    assert [n for n in range(1, 6) if length.number_paragraphs(answer, n)] == [paragraphs]


def test_a_blank_paragraph_within_is_a_fault() -> None:
    assert not any(length.number_paragraphs("one\n***\n \n***\ntwo", n) for n in range(5))


@pytest.mark.parametrize(
    ("paragraph", "begins"),
    [("Rivers run", True), ("'rivers' run", True), ('"Rivers, run', True), ("The rivers", False), ("Riverside", False)],
)
def test_the_first_word_of_a_paragraph(paragraph: str, begins: bool) -> None:
    answer = f"first\n\n\n\n{paragraph}\n\nlast"
    asked: dict[str, Any] = {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "RIVERS"}
    assert length.nth_paragraph_first_word(answer, **asked) is begins
    assert not length.nth_paragraph_first_word(answer + "\n\nmore", **asked)


def test_a_paragraph_beyond_the_last_begins_with_nothing() -> None:
    assert not length.nth_paragraph_first_word("one", num_paragraphs=1, nth_paragraph=2, first_word="one")
