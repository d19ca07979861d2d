"""The smallest difference that a run can show, against the power of the tests themselves."""

import numpy as np
import pytest
from scipy import stats

from tutelage.evaluation.statistics import detectable_difference, detectable_gain


def power_of_mcnemar(n: int, discordant: float, difference: float) -> float:
    """Exactly: over how many pairs differ, and how many of those are gained."""
    gained, power = (discordant + difference) / (2 * discordant), 0.0
    for pairs in range(n + 1):
        weight = stats.binom.pmf(pairs, n, discordant)
        if weight > 1e-9:
            fewest = int(stats.binom.ppf(0.025, pairs, 0.5))
            fewest -= 2 * stats.binom.cdf(fewest, pairs, 0.5) >= 0.05
            power += weight * (
                stats.binom.cdf(fewest, pairs, gained) + stats.binom.sf(pairs - fewest - 1, pairs, gained)
            )
    return float(power)


@pytest.mark.parametrize(("n", "discordant"), [(60, 0.3), (100, 0.1), (400, 0.2), (400, 0.05), (1319, 0.1)])
def test_the_exact_test_finds_it_four_times_in_five(n: int, discordant: float) -> None:
    found = detectable_gain(n, discordant).difference
    assert found is not None
    assert 0.80 <= power_of_mcnemar(n, discordant, found) <= 0.92
    assert power_of_mcnemar(n, discordant, 0.85 * found) < 0.80


@pytest.mark.parametrize(("n", "discordant"), [(0, 0.5), (1, 1.0), (5, 0.2), (30, 0.1), (100, 0.05)])
def test_too_few_items_show_nothing(n: int, discordant: float) -> None:
    assert detectable_gain(n, discordant).difference is None
    assert power_of_mcnemar(n, discordant, discordant) < 0.80, "even if every change is a gain"
    assert "no difference can be seen" in detectable_gain(n, discordant).in_words()


def test_scores_follow_the_normal_law() -> None:
    found = detectable_difference(400, 0.3).difference
    assert found is not None
    error = 0.3 / np.sqrt(400)
    assert stats.norm.sf(1.959964 - found / error) == pytest.approx(0.8, abs=1e-3)
    assert detectable_difference(400, 0.0).difference == 0
    assert detectable_difference(0, 0.3).difference is None
    assert detectable_difference(3, 0.7).difference is None, "113 points are more than there are"


def test_the_sentence_tells_the_assumption() -> None:
    assert detectable_gain(1319, 0.1).in_words() == (
        "with n = 1,319 a difference of 2.5 points can be seen (80 % power, 5 % two-sided), "
        "if 10 % of the answers turn from right to wrong or back"
    )
    assert "standard deviation of 30 points" in detectable_difference(400, 0.3).in_words()
