"""Two models on the same items: the difference with its interval, a test, and a verdict."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from tutelage.evaluation.statistics.proportions import Interval, difference_interval, paired
from tutelage.evaluation.statistics.resampling import (
    FEWEST,
    RESAMPLES,
    Array,
    effective_clusters,
    mean_interval,
    sign_flip_test,
    summed,
    variety,
)

LEVEL = 0.05
MARGIN = 0.02

Verdict = Literal["better", "worse", "equivalent", "not distinguishable"]
Test = Literal["exact McNemar", "sign flips"]


@dataclass(frozen=True, slots=True)
class PairedResult:
    """The second of two models against the first, on the same items.

    Means and differences are absolute, in [0, 1] and [-1, 1]; 0.02 are 2 points.

    Attributes:
        n: items; clusters: groups of items of the same prompt.
        mean_before, mean_after: mean scores, 0 where there are no items; difference: second minus first.
        interval: of the difference, at 95 %; narrow: the same at 90 %, which decides equivalence.
        p_value: two-sided, of the test that is named; adjusted: the same after Holm's correction where the result is
            one of several, else equal. The verdict goes by it.
        gained, lost: items on which the second scores higher, lower.
        margin: difference that would not matter.
    """

    n: int
    clusters: int
    mean_before: float
    mean_after: float
    difference: float
    interval: Interval
    narrow: Interval
    p_value: float
    adjusted: float
    test: Test
    gained: int
    lost: int
    margin: float

    @property
    def improved_share(self) -> float:
        """Share of items on which the second scores higher."""
        return self.gained / self.n if self.n else 0.0

    @property
    def equivalent(self) -> bool:
        """Whether the difference surely lies within the margin: two one-sided tests at 5 %, which is the 90 % interval
        within +-margin (Schuirmann 1987).

        Also true beside the verdict "better" or "worse", of a difference that is real and too small to matter. To claim
        that nothing was lost on any of several tasks, each must be equivalent; that needs no correction (Berger 1982).
        """
        low, high = self.narrow
        return -self.margin < low and high < self.margin

    @property
    def verdict(self) -> Verdict:
        """better or worse where the test finds a difference at 5 % and the interval leaves 0 out; else equivalent, or
        not distinguishable.

        The two nearly always agree. They do not where few clusters tell much of the mean (a large one among small
        ones): the test knows of a difference in some, the interval that the mean may be another.
        """
        low, high = self.interval
        if self.adjusted < LEVEL and not low <= 0 <= high:
            return "better" if self.difference > 0 else "worse"
        return "equivalent" if self.equivalent else "not distinguishable"

    def in_words(self) -> str:
        """The figures behind the verdict in one clause."""
        low, high = (f"{100 * end:+.1f}" for end in self.interval)
        within = f", within {100 * self.margin:.3g} points" if self.equivalent else ""
        corrected = f" ({self.adjusted:.2g} corrected)" if self.adjusted != self.p_value else ""
        several = f" (clusters: {self.clusters:,})" if self.clusters != self.n else ""
        return (
            f"{100 * self.difference:+.1f} points, 95 % interval {low} to {high}{within}; {self.gained:,} gained, "
            f"{self.lost:,} lost of {self.n:,}{several}; {self.test} p = {self.p_value:.2g}{corrected}"
        )

    def figures(self) -> dict[str, Any]:
        """As JSON types."""
        low, high = self.interval
        return {
            "difference": round(self.difference, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "gained": self.gained,
            "lost": self.lost,
            "improved_share": round(self.improved_share, 4),
            "test": self.test,
            "p": self.p_value,
            "p_adjusted": self.adjusted,
            "verdict": self.verdict,
            "within_margin": self.equivalent,
        }

    def mirrored(self) -> "PairedResult":
        """The first model against the second."""
        return replace(
            self,
            mean_before=self.mean_after,
            mean_after=self.mean_before,
            difference=-self.difference,
            interval=(-self.interval[1], -self.interval[0]),
            narrow=(-self.narrow[1], -self.narrow[0]),
            gained=self.lost,
            lost=self.gained,
        )


def compare_paired(
    before: Sequence[float],
    after: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    margin: float = MARGIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedResult:
    """Compare the scores in [0, 1] of two models on the same items.

    Where all scores are 0 or 1 and each item is its own cluster: exact McNemar test, and Tango's interval. Else: sign
    flips by cluster, and a bootstrap over the clusters; where fewer than 10 clusters differ from the usual difference,
    Tango's interval as a bound (`_bounded`).

    Args:
        clusters: of each item; items of one cluster are drawn together. None: each item is its own.
        margin: difference that would not matter.
        resamples: of the bootstrap, and random signs; seed: of both. The same seed gives the same result.
    """
    old, new = (np.asarray(scores, dtype=np.float64) for scores in (before, after))
    assert old.shape == new.shape, (old.shape, new.shape)
    assert all(((scores >= 0) & (scores <= 1)).all() for scores in (old, new)), "scores lie in [0, 1]"
    n, change = len(old), new - old
    sums = summed(change, clusters)
    right_or_wrong = len(sums) == n and all(np.isin(scores, (0.0, 1.0)).all() for scores in (old, new))
    if right_or_wrong:
        p_value = paired((old == 1).tolist(), (new == 1).tolist()).p_value
    else:
        p_value = sign_flip_test(sums[:, 0], resamples=resamples, seed=seed)
    bounded = right_or_wrong or variety(sums) < FEWEST
    if bounded:
        interval, narrow = _bounded(sums)
    else:
        interval, narrow = mean_interval(sums, levels=[0.95, 0.90], resamples=resamples, seed=seed)
    return PairedResult(
        n=n,
        clusters=len(sums),
        mean_before=float(old.mean()) if n else 0.0,
        mean_after=float(new.mean()) if n else 0.0,
        difference=float(change.mean()) if n else 0.0,
        interval=interval,
        narrow=narrow,
        p_value=p_value,
        adjusted=p_value,
        test="exact McNemar" if right_or_wrong else "sign flips",
        gained=int((change > 0).sum()),
        lost=int((change < 0).sum()),
        margin=margin,
    )


def _bounded(sums_C2: Array) -> tuple[Interval, Interval]:
    """Tango's intervals at 95 and 90 % of as many pairs as there are effective clusters, gained and lost in part.

    For right-or-wrong answers without clusters it is Tango's interval itself. For other scores it is wide enough: of
    differences in [-1, 1] with given means above and below 0, those that are -1, 0 or 1 vary most.
    """
    sums, sizes = sums_C2.T
    effective = effective_clusters(sizes)
    each = effective / max(1.0, float(sizes.sum()))
    gained, lost = (float(np.maximum(part, 0).sum() * each) for part in (sums, -sums))
    wide, narrow = (difference_interval(gained, lost, n=effective, level=level) for level in (0.95, 0.90))
    return wide, narrow


def compare_all(
    scores: Mapping[str, Sequence[float]],
    *,
    clusters: Sequence[Hashable] | None = None,
    margin: float = MARGIN,
    seed: int = 0,
) -> dict[tuple[str, str], PairedResult]:
    """Every model against every other: (first, second) -> the second against the first, in both orders.

    The p-values are corrected by Holm for the number of pairs.
    """
    pairs = list(combinations(scores, 2))
    results = [compare_paired(scores[a], scores[b], clusters=clusters, margin=margin, seed=seed) for a, b in pairs]
    found = {}
    for (a, b), result, p in zip(pairs, results, holm([result.p_value for result in results]), strict=True):
        found[a, b] = replace(result, adjusted=p)
        found[b, a] = found[a, b].mirrored()
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number: each is at least its own times the number of those not smaller (Holm, 1979).

    The chance of any false finding among them stays at the level of one.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, which in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[which]))
        adjusted[which] = largest
    return adjusted
