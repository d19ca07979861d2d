"""Intervals and paired tests for shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with its 95 % interval: Wilson's (1927), which stays honest near 0 and 1.

    Attributes:
        hits, n: counts.
    """

    hits: int
    n: int

    @property
    def share(self) -> float:
        """hits / n, 0 for an empty set."""
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval: (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)."""
        if self.n == 0:
            return 0.0, 1.0
        z2 = Z95**2
        centre = self.share + z2 / (2 * self.n)
        half = Z95 * math.sqrt(self.share * (1 - self.share) / self.n + z2 / (4 * self.n**2))
        scale = 1 + z2 / self.n
        low, high = (centre - half) / scale, (centre + half) / scale
        return max(0.0, min(self.share, low)), min(1.0, max(self.share, high))  # rounding must not exclude the share


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the same items.

    Attributes:
        gained: items only the second has right; lost: items only the first has right.
        p_value: exact McNemar test, two-sided.
    """

    gained: int
    lost: int
    p_value: float

    @property
    def verdict(self) -> str:
        """better, worse, or not distinguishable (at 5 %)."""
        if self.p_value >= 0.05:
            return "not distinguishable"
        return "better" if self.gained > self.lost else "worse"


def paired(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """Exact McNemar test (McNemar 1947): under no difference, gained ~ Binomial(gained + lost, 1/2)."""
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    return Paired(gained, lost, min(1.0, 2 * tail / 2**n))
