"""Models on the same questions: counts, languages, and the paired verdict."""

import pytest

from tutelage.evaluation.comparison import Comparison
from tutelage.records import Generation, Message, Question


def question(row: int, text: str, *references: str) -> Question:
    return Question(row, (Message("user", text),), references)


QUESTIONS = [question(n, f"What is {n}?", f"{n}") for n in range(8)] + [question(n, "这是几？", f"{n}") for n in (8, 9)]


def answers(right: set[int], stopped: set[int]) -> list[Generation]:
    return [Generation(f"{n}." if n in right else "no", n in stopped, 3) for n in range(10)]


@pytest.fixture
def comparison() -> Comparison:
    given = {"base": answers({0}, set()), "tuned": answers({1, 2, 3, 4, 5, 6, 7, 8}, set(range(9)))}
    return Comparison(QUESTIONS, ("base", "tuned"), given)


def test_figures_are_counts_over_all_and_per_language(comparison: Comparison) -> None:
    assert comparison.languages == ["en"] * 8 + ["zh"] * 2
    assert (comparison.exact("tuned").hits, comparison.exact("tuned").n) == (8, 10)
    assert (comparison.exact("tuned", only="zh").hits, comparison.exact("tuned", only="zh").n) == (1, 2)
    assert comparison.stopped("tuned").share == 0.9
    assert comparison.summary() == {
        "base": {"exact_match": 0.1, "en": 0.125, "zh": 0.0, "stopped": 0.0},
        "tuned": {"exact_match": 0.8, "en": 0.875, "zh": 0.5, "stopped": 0.9},
    }


def test_models_are_compared_in_pairs(comparison: Comparison) -> None:
    test = comparison.against_base("tuned")
    assert (test.gained, test.lost) == (8, 1)
    assert test.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert test.verdict == "better"
    assert comparison.against_base("base").verdict == "not distinguishable"


def test_an_answer_that_is_missing_is_an_error(comparison: Comparison) -> None:
    short = Comparison(QUESTIONS, ("base",), {"base": comparison.answers["base"][:-1]})
    with pytest.raises(ValueError, match="zip"):
        short.exact("base")
