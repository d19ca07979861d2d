"""A suite as a page shows it: some items at once, the others folded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import get_args

from tutelage.report.evidence import Change, Item, Suite

VISIBLE_ITEMS = 40
FOLDED_ITEMS = 1_000  # more are left to the file of all answers


@dataclass(frozen=True, slots=True)
class SuitePart:
    """Attributes:
    shown, folded: items of the suite; changes: how many changed how.
    shows_scores: with its means on top.
    """

    suite: Suite
    shown: tuple[Item, ...]
    folded: tuple[Item, ...]
    changes: Counter[Change]
    shows_scores: bool


def part_of(suite: Suite, *, shows_scores: bool) -> SuitePart:
    """The suite with its items sorted into shown and folded ones."""
    numbers = choose_visible(suite.items, VISIBLE_ITEMS)
    visible = set(numbers)
    folded = [item for number, item in enumerate(suite.items) if number not in visible][:FOLDED_ITEMS]
    changes = Counter(item.change for item in suite.items)
    return SuitePart(suite, tuple(suite.items[number] for number in numbers), tuple(folded), changes, shows_scores)


def choose_visible(items: Sequence[Item], count: int) -> list[int]:
    """Numbers of the items that are shown at once, in order: every kind of change has its turn, so that the few lost
    ones are seen among the many gained."""
    kinds = [[number for number, item in enumerate(items) if item.change == kind] for kind in get_args(Change)]
    in_turn = (number for number in chain.from_iterable(zip_longest(*kinds)) if number is not None)
    return sorted(number for number, _ in zip(in_turn, range(count), strict=False))
