"""Two models on the same items: verdicts, their consistency, and families of them."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.statistics import compare_all, compare_paired, difference_interval, holm, paired

SCORES = st.lists(
    st.tuples(*[st.integers(0, 4).map(lambda quarters: quarters / 4)] * 2, st.integers(0, 6)), max_size=30
)


def test_right_or_wrong_answers_are_tested_by_mcnemar() -> None:
    before, after = [0.0] * 30 + [1.0] * 70, [1.0] * 20 + [0.0] * 15 + [1.0] * 65
    found = compare_paired(before, after)
    assert found.test == "exact McNemar"
    assert (found.gained, found.lost, found.n, found.clusters) == (20, 5, 100, 100)
    assert found.p_value == paired([score == 1 for score in before], [score == 1 for score in after]).p_value
    assert found.interval == pytest.approx(difference_interval(20, 5, n=100))
    assert (found.mean_before, found.mean_after, found.improved_share) == pytest.approx((0.7, 0.85, 0.2))
    assert found.verdict == "better"
    assert compare_paired(after, before).verdict == "worse"
    assert compare_paired([bool(score) for score in before], [bool(score) for score in after]) == found


def test_other_scores_are_tested_by_sign_flips() -> None:
    before = np.random.default_rng(1).beta(2, 3, size=300)
    found = compare_paired(list(before), list(np.minimum(before + 0.03, 1)))
    assert (found.test, found.gained, found.verdict) == ("sign flips", 300, "better")
    noise = np.random.default_rng(2).normal(0, 0.2, size=300)
    uncertain = compare_paired(list(before), list(np.clip(before + noise, 0, 1)))
    low, high = uncertain.interval
    assert low < uncertain.narrow[0] < uncertain.difference < uncertain.narrow[1] < high
    assert high - low == pytest.approx(4 * 0.2 / np.sqrt(300), rel=0.25)


def test_answers_to_the_same_prompt_are_one_observation() -> None:
    """Ten answers each to eight prompts, all gained on five of them: 50 of 80 items, and 5 of 8 prompts."""
    prompts = [prompt for prompt in range(8) for _ in range(10)]
    after = [float(prompt < 5) for prompt in prompts]
    alone, together = compare_paired([0.0] * 80, after), compare_paired([0.0] * 80, after, clusters=prompts)
    assert (alone.verdict, together.verdict) == ("better", "not distinguishable")
    assert together.p_value == 2 / 2**5
    assert together.interval == pytest.approx(difference_interval(5, 0, n=8))
    assert "clusters: 8" in together.in_words()


def test_equivalence_needs_enough_items_however_equal_they_are() -> None:
    verdicts = {n: compare_paired([1.0] * n, [1.0] * n).verdict for n in (1, 50, 132, 134, 1000)}
    assert list(verdicts.values()) == ["not distinguishable"] * 3 + ["equivalent"] * 2, "1.645^2 / (n + 1.645^2) < 0.02"
    assert compare_paired([0.3] * 1000, [0.3] * 1000).verdict == "equivalent"
    assert compare_paired([0.3] * 50, [0.3] * 50).verdict == "not distinguishable"


def test_equivalence_depends_on_the_margin() -> None:
    before = list(np.random.default_rng(3).random(400))
    after = list(np.clip(np.array(before) + np.random.default_rng(4).normal(0, 0.1, size=400), 0, 1))
    found = [compare_paired(before, after, margin=margin).verdict for margin in (0.001, 0.03)]
    assert found == ["not distinguishable", "equivalent"]


def test_a_real_difference_within_the_margin_is_told_as_both() -> None:
    before = list(np.random.default_rng(5).uniform(0.2, 0.8, size=500))
    found = compare_paired(before, [score + 0.005 * (place % 3) for place, score in enumerate(before)])
    assert (found.verdict, found.equivalent) == ("better", True)
    assert "within 2 points" in found.in_words()
    large = compare_paired(before, [score + 0.1 for score in before])
    assert (large.verdict, large.equivalent) == ("better", False)


def test_one_large_cluster_among_small_ones_leaves_the_mean_open() -> None:
    clusters = [0] * 1000 + list(range(1, 61))
    found = compare_paired([0.0] * 1060, [0.0] * 1000 + [1.0] * 60, clusters=clusters)
    assert found.p_value < 0.001
    assert found.interval[0] < 0 < found.interval[1]
    assert found.verdict == "not distinguishable"


@given(SCORES, st.booleans())
def test_every_result_is_consistent(rows: list[tuple[float, float, int]], clustered: bool) -> None:
    before, after = [row[0] for row in rows], [row[1] for row in rows]
    clusters = [row[2] for row in rows] if clustered else None
    found = compare_paired(before, after, clusters=clusters)
    low, high = found.interval
    assert -1 <= low <= found.narrow[0] <= found.narrow[1] <= high <= 1
    assert low - 1e-9 <= found.difference <= high + 1e-9
    assert 0 < found.p_value <= 1
    assert found.difference == pytest.approx(found.mean_after - found.mean_before)
    assert found.gained + found.lost <= found.n == len(rows)
    if found.verdict in ("better", "worse"):
        assert low > 0 if found.verdict == "better" else high < 0
    other = compare_paired(after, before, clusters=clusters)
    assert other.p_value == found.p_value
    assert (other.gained, other.lost) == (found.lost, found.gained)


def test_no_items_say_nothing() -> None:
    found = compare_paired([], [])
    assert (found.n, found.p_value, found.interval, found.verdict) == (0, 1, (-1, 1), "not distinguishable")
    assert found.improved_share == 0


@pytest.mark.parametrize(
    ("before", "after"), [([0.5], [float("nan")]), ([2.0], [1.0]), ([0.5], [0.5, 0.5]), ([0], [-1])]
)
def test_what_is_no_pair_of_scores_is_a_bug_of_the_caller(before: list[float], after: list[float]) -> None:
    with pytest.raises(AssertionError):
        compare_paired(before, after)


def test_holm_steps_down() -> None:
    """By hand: 4 x 0.01, 3 x 0.013 raised to the one before, 2 x 0.04, 1 x 0.9."""
    assert holm([0.04, 0.01, 0.9, 0.013]) == pytest.approx([0.08, 0.04, 0.9, 0.04])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    """Each adjusted value is the largest Bonferroni value among all subsets that hold it."""
    subsets = [[place for place in range(len(p_values)) if bits >> place & 1] for bits in range(1, 2 ** len(p_values))]
    for place, adjusted in enumerate(holm(p_values)):
        values = [min(1, len(s) * min(p_values[one] for one in s)) for s in subsets if place in s]
        assert adjusted == pytest.approx(max(values))


def test_all_models_are_compared_with_all() -> None:
    chance = np.random.default_rng(6)
    base = chance.random(200) < 0.5
    near = np.where(chance.random(200) < 0.13, ~base, base)  # differs from the base by chance alone
    scores = {"base": base.tolist(), "near": near.tolist(), "good": (base | (chance.random(200) < 0.4)).tolist()}
    found = compare_all(scores)
    assert set(found) == set(permutations(scores, 2))
    assert (found["base", "good"].verdict, found["good", "base"].verdict) == ("better", "worse")
    alone = [compare_paired(scores[a], scores[b]) for a, b in (("base", "near"), ("base", "good"), ("near", "good"))]
    assert [found[pair].adjusted for pair in (("base", "near"), ("base", "good"), ("near", "good"))] == holm(
        [one.p_value for one in alone]
    )
    assert found["base", "good"].interval == tuple(-end for end in reversed(found["good", "base"].interval))
    assert found["base", "good"].mirrored() == found["good", "base"]
    assert "corrected" in found["base", "good"].in_words()


def test_a_difference_may_not_outlive_the_correction() -> None:
    before, after = [0.0] * 7 + [1.0] * 93, [1.0] * 7 + [0.0] + [1.0] * 92
    assert compare_paired(before, after).verdict != "better", "7 gained, 1 lost: p = 0.07"
    after[7] = 1.0
    single = compare_paired(before, after)
    family = compare_all({"a": before, "b": after, "c": before, "d": before})
    assert single.verdict == "better"
    assert family["a", "b"].adjusted == pytest.approx(6 * single.p_value)
    assert family["a", "b"].verdict == "not distinguishable"
