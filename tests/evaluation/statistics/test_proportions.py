"""Intervals and paired tests, against other roads to the same numbers."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.statistics import Z95, Proportion, difference_interval, paired


def wilson_by_search(hits: int, n: int) -> tuple[float, float]:
    """The shares p at which the observed share lies exactly z standard errors away, found by bisection."""

    def distance(p: float) -> float:
        return abs(hits / n - p) - Z95 * math.sqrt(p * (1 - p) / n)

    def crossing(inside: float, outside: float) -> float:
        for _ in range(200):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if distance(middle) <= 0 else (inside, middle)
        return inside

    return crossing(hits / n, 0.0), crossing(hits / n, 1.0)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = Proportion(hits, n).interval
    assert (low, high) == pytest.approx(wilson_by_search(hits, n), abs=1e-6)
    assert 0 <= low <= hits / n <= high <= 1
    assert low < high


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Summed over the binomial law, not sampled: about 95 % for shares away from 0 and 1."""
    n = 100
    for p in (0.1, 0.3, 0.5, 0.8):
        chance = 0.0
        for hits in range(n + 1):
            low, high = Proportion(hits, n).interval
            chance += math.comb(n, hits) * p**hits * (1 - p) ** (n - hits) * (low <= p <= high)
        assert 0.92 < chance < 0.98


def test_nothing_measured_says_nothing() -> None:
    empty = Proportion(0, 0)
    assert (empty.share, empty.interval) == (0, (0, 1))


def chance_by_enumeration(gained: int, lost: int) -> float:
    """Two-sided: how likely fair coins are at least as lopsided as these, by trying all of them."""
    n = gained + lost
    outcomes = [sum(flips) for flips in itertools.product((0, 1), repeat=n)]
    return sum(abs(2 * heads - n) >= abs(gained - lost) for heads in outcomes) / len(outcomes)


@pytest.mark.parametrize(("gained", "lost"), [(g, n - g) for n in range(0, 13) for g in range(n + 1)])
def test_the_paired_test_is_exact(gained: int, lost: int) -> None:
    before = [False] * gained + [True] * lost + [True, True, False]
    after = [True] * gained + [False] * lost + [True, True, False]
    found = paired(before, after)
    assert (found.gained, found.lost) == (gained, lost)
    assert found.p_value == pytest.approx(chance_by_enumeration(gained, lost), abs=1e-12)


def test_verdicts_need_evidence() -> None:
    assert paired([False] * 9, [True] * 9).verdict == "better"
    assert paired([True] * 9, [False] * 9).verdict == "worse"
    assert paired([False] * 5, [True] * 5).verdict == "not distinguishable", "p is 1/16"
    assert paired([True] * 50, [True] * 50).verdict == "not distinguishable"
    assert paired([], []).p_value == 1


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired([True], [True, False])


def test_many_pairs_are_still_exact() -> None:
    before, after = [False] * 600 + [True] * 500, [True] * 600 + [False] * 500
    normal = math.erfc((100 - 1) / math.sqrt(1100) / math.sqrt(2))  # with continuity correction
    assert paired(before, after).p_value == pytest.approx(normal, rel=0.02)


def likeliest(gained: int, lost: int, *, n: int, difference: float) -> float:
    """The share of lost pairs under which the counts are likeliest, given the difference, by narrowing a grid."""
    low, high = max(0.0, -difference), (1 - difference) / 2
    for _ in range(12):
        grid = [low + (high - low) * step / 20 for step in range(21)]

        def likelihood(share: float) -> float:
            cells = ((gained, share + difference), (lost, share), (n - gained - lost, 1 - 2 * share - difference))
            return sum(count * math.log(max(chance, 1e-300)) for count, chance in cells if count)

        best = max(grid, key=likelihood)
        width = (high - low) / 20
        low, high = max(low, best - width), min(high, best + width)
    return best


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(8, 3, 40), (1, 0, 44), (0, 5, 30), (20, 20, 60), (2, 1, 400), (0, 0, 25)]
)
def test_the_interval_of_a_difference_ends_where_the_score_test_rejects(gained: int, lost: int, n: int) -> None:
    for end in difference_interval(gained, lost, n=n):
        assert -1 < end < 1
        share = likeliest(gained, lost, n=n, difference=end)
        variance = 2 * share + end - end**2
        assert abs(gained - lost - n * end) / math.sqrt(n * variance) == pytest.approx(Z95, rel=1e-3)


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_difference_keeps_its_place(n: int, data: st.DataObject) -> None:
    gained = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - gained))
    low, high = difference_interval(gained, lost, n=n)
    narrow = difference_interval(gained, lost, n=n, level=0.9)
    assert -1 <= low < narrow[0] <= (gained - lost) / n <= narrow[1] < high <= 1 or n == max(gained, lost)
    assert difference_interval(lost, gained, n=n) == pytest.approx((-high, -low), abs=1e-9)


def test_nothing_lost_is_not_proof_that_nothing_is_ever_lost() -> None:
    """Of n pairs that all agree the ends are +-z^2 / (n + z^2), which solves the score equation by hand."""
    for n in (1, 30, 1000):
        end = Z95**2 / (n + Z95**2)
        assert difference_interval(0, 0, n=n) == pytest.approx((-end, end), abs=1e-9)
    assert difference_interval(0, 0, n=0) == (-1, 1)


def test_as_many_as_a_large_suite_are_tested_at_once() -> None:
    before, after = [False] * 5200 + [True] * 4800, [True] * 5200 + [False] * 4800
    normal = math.erfc((400 - 1) / math.sqrt(10_000) / math.sqrt(2))
    assert paired(before, after).p_value == pytest.approx(normal, rel=0.02)
