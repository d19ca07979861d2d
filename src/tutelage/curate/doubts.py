"""What speaks against a row: each doubt with what was found, and the score that is left after them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

GRAVE = 0.5  # of the score: one such doubt takes an answer below the usual threshold of 0.6
MILD = 0.2  # it takes three of them


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that speaks against an answer.

    Attributes:
        reason: a short fixed phrase that is counted, as "cut off".
        detail: what was found.
        cost: the share of the score that it takes, over 0 and up to 1.
    """

    reason: str
    detail: str
    cost: float


def score(doubts: Iterable[Doubt]) -> float:
    """What the doubts leave of 1: the product of what each of them leaves."""
    return math.prod(1 - doubt.cost for doubt in doubts)


def excerpt(text: str, *, characters: int = 60) -> str:
    """A text as one short line, for details; its end is told by `…`."""
    line = " ".join(text[: 4 * characters].split())
    return line if len(line) <= characters and len(text) <= 4 * characters else line[:characters] + "…"
