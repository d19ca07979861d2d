"""Means of scores and their intervals."""

import numpy as np
import pytest

from tutelage.evaluation.statistics import Mean, Proportion, mean_of


def test_right_or_wrong_scores_have_wilsons_interval() -> None:
    for hits in (0, 3, 40, 50):
        found = mean_of([1.0] * hits + [0.0] * (50 - hits))
        assert found.value == hits / 50
        assert found.interval == Proportion(hits, 50).interval


def test_other_scores_have_about_the_normal_interval_where_there_are_many() -> None:
    scores = np.random.default_rng(1).beta(2, 3, size=800)
    found = mean_of(list(scores))
    half = 1.96 * scores.std() / np.sqrt(800)
    assert found.value == pytest.approx(scores.mean())
    assert found.interval == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.06 * half)
    assert (found.n, found.clusters) == (800, 800)


def test_repeated_prompts_do_not_narrow_it() -> None:
    scores = list(np.random.default_rng(2).random(50))
    prompts = [f"prompt {number}" for number in range(50)]
    once, often = mean_of(scores), mean_of(scores * 6, clusters=prompts * 6)
    assert often.interval == pytest.approx(once.interval)
    assert (often.n, often.clusters) == (300, 50)


@pytest.mark.parametrize("score", [0.0, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_scores_without_spread_are_not_certain(score: float, n: int) -> None:
    found = mean_of([score] * n)
    assert 0 <= found.low <= score <= found.high <= 1
    assert found.high - found.low > 1.5 / (n + 4)


def test_one_large_prompt_counts_as_one() -> None:
    found = mean_of([1.0] * 1000, clusters=["same"] * 1000)
    assert found.interval == Proportion(1, 1).interval


def test_no_items_say_nothing() -> None:
    assert mean_of([]) == Mean(0.0, 0.0, 1.0, 0, 0)


@pytest.mark.parametrize("scores", [[float("nan")], [0.5, float("inf")], [1.5], [-0.1]])
def test_what_is_no_score_is_a_bug_of_the_caller(scores: list[float]) -> None:
    with pytest.raises(AssertionError):
        mean_of(scores)
