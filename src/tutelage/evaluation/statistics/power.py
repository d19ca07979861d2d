"""What a run could show: the smallest difference that a test of this size finds more often than not."""

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL, POWER = 0.05, 0.80
_Z_LEVEL = NormalDist().inv_cdf(1 - LEVEL / 2)
_Z_POWER = NormalDist().inv_cdf(POWER)


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest true difference that is found with 80 % power by a two-sided test at 5 %.

    Attributes:
        n: items, or clusters where several items share a prompt.
        difference: of the means, in [0, 1]; None where not even the largest possible one is found.
        assumed: what the figure rests on, in words; it is not known before the run.
    """

    n: int
    difference: float | None
    assumed: str

    def in_words(self) -> str:
        """One sentence, with the assumption."""
        if self.difference is None:
            return f"with n = {self.n:,} no difference can be seen {self.assumed}"
        return f"with n = {self.n:,} a difference of {100 * self.difference:.1f} points can be seen {self.assumed}"


def detectable_gain(n: int, discordant: float) -> Detectable:
    """For right-or-wrong answers: gained minus lost, as a share of all items, that the exact McNemar test finds.

    Connor, Biometrics 43 (1987) 207-211: d sqrt(n) = z_a sqrt(p) + z_b sqrt(p - d^2), with a correction of 1 / n to d
    for the discreteness of the exact test; the power of the exact test is then 80 to 92 % for n from 30 to 1,319.

    Args:
        discordant: assumed share p of items that only one of the two has right, in (0, 1]. The figure grows with its
            square root; it is an assumption, which the run replaces.
    """
    assert n >= 0, n
    assert 0 < discordant <= 1, discordant
    assumed = (
        f"(80 % power, 5 % two-sided), if {100 * discordant:.3g} % of the answers turn from right to wrong or back"
    )

    def found(difference: float) -> bool:
        left = difference * math.sqrt(n) - 1 / math.sqrt(n) - _Z_LEVEL * math.sqrt(discordant)
        return left >= _Z_POWER * math.sqrt(max(0.0, discordant - difference**2))

    if n == 0 or not found(discordant):
        return Detectable(n, None, assumed)
    low, high = 0.0, discordant
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return Detectable(n, high, assumed)


def detectable_difference(n: int, deviation: float) -> Detectable:
    """For scores in [0, 1]: the mean difference that a test of n pairs finds, (z_a + z_b) deviation / sqrt(n).

    Args:
        deviation: assumed standard deviation of the paired differences (not of the scores), at least 0.
    """
    assert n >= 0, n
    assert deviation >= 0, deviation
    assumed = (
        f"(80 % power, 5 % two-sided), if the differences have a standard deviation of {100 * deviation:.3g} points"
    )
    difference = (_Z_LEVEL + _Z_POWER) * deviation / math.sqrt(n) if n else math.inf
    return Detectable(n, difference if difference <= 1 else None, assumed)
