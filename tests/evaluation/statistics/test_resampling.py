"""Bootstrap and sign flips, against enumeration, the textbook's formulas, and scipy's quantiles."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tutelage.evaluation.statistics import bootstrap_of, percentile_interval, sign_flip_test
from tutelage.evaluation.statistics.resampling import Array, effective_clusters, summed, variety


def mean(added: Array) -> Array:
    return np.asarray(added[:, 0] / added[:, 1])


def test_every_sample_of_a_tiny_set_comes_as_often_as_it_should() -> None:
    values = [0.0, 0.1, 1.0]
    expected = [sum(drawn) / 3 for drawn in itertools.product(values, repeat=3)]
    figures = bootstrap_of(summed(values), mean, resamples=40_000)
    for figure in {round(one, 9) for one in expected}:
        share = np.isclose(figures, figure).mean()
        assert share == pytest.approx(np.isclose(expected, figure).mean(), abs=0.012)
    assert len(figures) == 40_000


def test_the_spread_is_that_of_a_mean() -> None:
    values = np.random.default_rng(3).beta(2, 5, size=500)
    figures = bootstrap_of(summed(values), mean)
    assert figures.std() == pytest.approx(values.std() / np.sqrt(500), rel=0.03)
    assert figures.mean() == pytest.approx(values.mean(), abs=1e-3)


def test_items_of_a_cluster_are_drawn_together() -> None:
    """A hundred copies of each value say no more than the value once."""
    values = np.random.default_rng(4).random(60)
    once = bootstrap_of(summed(values), mean, seed=1)
    copied = bootstrap_of(summed(np.repeat(values, 100), list(np.repeat(np.arange(60), 100))), mean, seed=1)
    assert np.allclose(once, copied)
    alone = bootstrap_of(summed(np.repeat(values, 100)), mean, resamples=500)
    assert alone.std() < once.std() / 8


def test_any_figure_of_added_sums_can_be_drawn() -> None:
    """A ratio of sums with a third, unused column; two systems side by side give their difference."""
    sums = np.random.default_rng(5).integers(1, 20, size=(40, 3)).astype(float)
    ratio = bootstrap_of(sums, lambda added: added[:, 0] / added[:, 2], seed=9)
    both = bootstrap_of(np.hstack([sums, sums]), lambda added: added[:, 0] / added[:, 2] - added[:, 3] / added[:, 5])
    assert len(set(ratio)) > 1000
    assert (both == 0).all()


def test_seeds_decide_and_nothing_else() -> None:
    sums = summed(np.random.default_rng(6).random(50))
    assert (bootstrap_of(sums, mean, seed=1) == bootstrap_of(sums, mean, seed=1)).all()
    assert (bootstrap_of(sums, mean, seed=1) != bootstrap_of(sums, mean, seed=2)).any()
    differences = np.random.default_rng(6).normal(0.1, 1, size=40)
    assert sign_flip_test(differences, seed=1) == sign_flip_test(differences, seed=1)


def test_memory_does_not_grow_with_the_resamples() -> None:
    sums = summed(np.random.default_rng(7).random(20_000))
    peaks = []
    for resamples in (50, 500):
        tracemalloc.start()
        bootstrap_of(sums, mean, resamples=resamples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] < 64e6


@pytest.mark.parametrize("clusters", [10, 30, 100, 1319])
@pytest.mark.parametrize("level", [0.90, 0.95])
def test_intervals_of_even_spacing_tell_which_percentiles_were_taken(clusters: int, level: float) -> None:
    t = stats.t.ppf((1 - level) / 2, clusters - 1)
    outside = stats.norm.cdf(np.sqrt(clusters / (clusters - 1)) * t)
    low, high = percentile_interval(np.linspace(0, 1, 10_001), clusters=clusters, level=level)
    assert (low, high) == pytest.approx((outside, 1 - outside), abs=1e-4)
    assert low < (1 - level) / 2, "wider than plain percentiles"


def test_clusters_count_by_what_they_can_tell() -> None:
    assert effective_clusters(np.full(30, 4.0)) == pytest.approx(30)
    assert effective_clusters(np.array([1000.0, 1, 1, 1])) < 1.01
    assert effective_clusters(np.zeros(0)) == 0
    assert variety(summed([0.0] * 90 + [1.0] * 10)) == pytest.approx(10)
    assert variety(summed([1.0] * 97 + [0.0] * 3)) == pytest.approx(3)
    assert variety(summed([0.5] * 50)) == 0
    assert variety(summed([])) == 0


def flips_by_hand(sums: list[float]) -> float:
    """Share of all signs under which the sum is as far from 0."""
    signs = itertools.product((-1, 1), repeat=len(sums))
    found = [abs(sum(sign * one for sign, one in zip(flipped, sums, strict=True))) for flipped in signs]
    return sum(one >= abs(sum(sums)) - 1e-9 for one in found) / len(found)


@given(st.lists(st.integers(-5, 5).map(lambda tenths: tenths / 10), max_size=9))
def test_few_clusters_are_tested_exactly(sums: list[float]) -> None:
    assert sign_flip_test(np.array(sums)) == pytest.approx(flips_by_hand(sums))


def test_many_clusters_are_sampled_close_to_the_exact_value() -> None:
    differences = np.round(np.random.default_rng(8).normal(0.35, 1, size=16), 2)
    exact = flips_by_hand(list(differences))
    assert 0.01 < exact < 0.9
    assert sign_flip_test(differences) == pytest.approx(exact, abs=0.02)
    assert sign_flip_test(differences) == sign_flip_test(-differences)


def test_a_sampled_p_value_is_never_zero() -> None:
    assert sign_flip_test(np.ones(500)) == pytest.approx(1 / 10_001)
    assert sign_flip_test(np.zeros(500)) == 1
    assert sign_flip_test(np.zeros(0)) == 1
