"""The mean score of one model, with its interval."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.evaluation.statistics.proportions import Interval, wilson_interval
from tutelage.evaluation.statistics.resampling import (
    FEWEST,
    RESAMPLES,
    effective_clusters,
    mean_interval,
    summed,
    variety,
)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean score with its 95 % interval.

    Attributes:
        value: mean over all items, 0 for none; low, high: its interval.
        n: items; clusters: groups of items of the same prompt.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        return self.low, self.high


def mean_of(
    scores: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Mean:
    """The mean of scores in [0, 1], one per item.

    The interval of single right-or-wrong scores is Wilson's; else it is a bootstrap over the clusters. Where fewer than
    10 clusters lie away from the usual score it is Wilson's of as many items as there are effective clusters: of scores
    in [0, 1] with a given mean, right-or-wrong ones vary most.
    """
    assert all(0 <= score <= 1 for score in scores), "scores lie in [0, 1]"
    sums = summed(scores, clusters)
    totals, sizes = sums.T
    n = len(scores)
    if n == 0:
        return Mean(0.0, 0.0, 1.0, 0, 0)
    value = float(totals.sum() / n)
    single = len(sums) == n
    if (single and np.isin(totals, (0.0, 1.0)).all()) or variety(sums) < FEWEST:
        low, high = wilson_interval(value, effective_clusters(sizes))
    else:
        [(low, high)] = mean_interval(sums, levels=[0.95], resamples=resamples, seed=seed)
    return Mean(value, low, high, n, len(sums))
