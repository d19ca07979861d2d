"""Keywords and letters: what counts as an occurrence."""

import pytest

from tutelage.evaluation.constraints import keywords


def test_every_keyword_must_occur_and_within_longer_words_will_do() -> None:
    assert keywords.existence("The RIVERSIDE is wet", ["river", "wet"])
    assert not keywords.existence("The river", ["river", "wet"])
    assert keywords.existence("我喜欢苹果", ["苹果"])
    assert keywords.existence("C++ and a.b", ["c++", "a.b"])
    assert not keywords.existence("axb", ["a.b"])  # a keyword is no pattern


@pytest.mark.parametrize(
    ("relation", "holds"),
    [
        ("at least", [False, False, True, True]),
        ("less than", [True, True, False, False]),
        ("at most", [True, True, True, False]),
        ("more than", [False, False, False, True]),
        ("exactly", [False, False, True, False]),
    ],
)
def test_relations_to_two(relation: str, holds: list[bool]) -> None:
    answers = ["none", "one owl", "Owl, owl", "owl owl owls"]
    found = [keywords.frequency(one, keyword="OWL", relation=relation, frequency=2) for one in answers]
    assert found == holds


def test_occurrences_do_not_overlap() -> None:
    assert keywords.frequency("aaaa", keyword="aa", relation="exactly", frequency=2)


@pytest.mark.parametrize(
    ("answer", "word", "occurs"),
    [
        ("The rocket", "rock", False),
        ("Rock!", "rock", True),
        ("bedrock", "rock", False),
        ("on the rock", "ROCK", True),
        ("I like C++ a lot", "C++", True),
        ("the ice cream van", "ice cream", True),
        ("我爱中国菜", "中国", True),
        ("使用AI技术", "AI", True),  # Han characters are no part of a Latin word
        ("使用FAIR技术", "AI", False),
        ("snake_rock", "rock", False),
        ("a.b", "axb", False),
        ("axb", "a.b", False),
    ],
)
def test_forbidden_words_are_whole_words(answer: str, word: str, occurs: bool) -> None:
    assert keywords.forbidden_words(answer, ["absent", word]) is not occurs


def test_letters_and_marks_are_counted_whatever_their_capitals() -> None:
    assert keywords.letter_frequency("Aa #a!", letter="a", let_relation="exactly", let_frequency=3)
    assert keywords.letter_frequency("#one #two", letter="#", let_relation="at least", let_frequency=2)
    assert not keywords.letter_frequency("#one", letter="#", let_relation="at least", let_frequency=2)
    assert keywords.letter_frequency("", letter="x", let_relation="less than", let_frequency=1)
