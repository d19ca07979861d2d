"""Variety, repetition and length of sets of answers, by hand."""

import pytest

from tutelage.evaluation.metrics.diversity import Diversity, distinct, diversity, mean_words, repetition


@pytest.mark.parametrize(
    ("answers", "n", "expected"),
    [
        (["a b c", "A b d"], 1, 4 / 6),
        (["a b c", "A b d"], 2, 3 / 4),
        (["a b", "b a"], 2, 1.0),
        (["红花 红叶"], 1, 3 / 4),
        (["红花", "红叶，Ｒｅｄ red"], 2, 4 / 4),
        (["a", "b"], 2, 0.0),
        (["", "...", "🐶"], 1, 0.0),
        ([], 1, 0.0),
    ],
)
def test_distinct_runs_of_all_runs(answers: list[str], n: int, expected: float) -> None:
    assert distinct(answers, n=n) == pytest.approx(expected)
    assert distinct(iter(answers), n=n) == distinct(reversed(answers), n=n)


@pytest.mark.parametrize(
    ("answer", "n", "expected"),
    [
        ("one two three four five", 4, 0.0),
        ("go on go on go on go on", 4, 3 / 5),
        ("Go on. Go ON!", 2, 1 / 3),
        ("好的好的好的", 2, 3 / 5),
        ("no\r\nno\r\nno", 1, 2 / 3),
        ("two words", 4, 0.0),
        ("", 1, 0.0),
    ],
)
def test_runs_that_have_occurred_before(answer: str, n: int, expected: float) -> None:
    assert repetition(answer, n=n) == pytest.approx(expected)


def test_an_answer_that_goes_round_in_circles_is_nearly_all_repetition() -> None:
    assert repetition("round and round it goes " * 20_000) > 0.999
    assert repetition(" ".join(map(str, range(20_000)))) == 0.0


def test_the_numbers_of_a_set() -> None:
    answers = ["red red red red red", "红花", ""]
    assert mean_words(answers) == pytest.approx(7 / 3)
    assert diversity(answers) == Diversity(
        answers=3,
        distinct_1=pytest.approx(3 / 7),
        distinct_2=pytest.approx(2 / 5),
        repetition=pytest.approx((1 / 2) / 3),
        words=pytest.approx(7 / 3),
    )
    assert diversity([]) == Diversity(0, 0.0, 0.0, 0.0, 0.0)
