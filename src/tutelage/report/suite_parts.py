"""A suite as a page shows it: some items at once, the others folded."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import get_args

from markupsafe import escape

from tutelage.report.evidence import Change, Item, Suite

# A page stays below some 2 MB whatever was asked: so many items of a suite are seen at once, and so many of all suites
# stand on the page; the others are left to the file of all answers.
VISIBLE_ITEMS, ITEMS = 40, 500
# Bytes of all their texts as the page has them; each is cut to the first of these numbers of characters with which they
# fit.
BYTES = 800_000
LIMITS = (8_000, 4_000, 2_000, 1_000, 500, 250, 120)


@dataclass(frozen=True, slots=True)
class SuitePart:
    """Attributes:
    shown, folded: items of the suite; left_out: how many are neither; changes: how many changed how.
    limit: characters of one text.
    shows_scores: with its means on top.
    """

    suite: Suite
    shown: tuple[Item, ...]
    folded: tuple[Item, ...]
    left_out: int
    changes: Counter[Change]
    limit: int
    shows_scores: bool


def parts_of(suites: Sequence[Suite], *, first_shows_scores: bool) -> tuple[SuitePart, ...]:
    """The suites of a page with their items sorted into shown and folded ones.

    Args:
        first_shows_scores: the first one has its scores here; without, they stand on top of the page already.
    """
    room = ITEMS // max(len(suites), 1)
    parts = [_part(suite, room, shows_scores=first_shows_scores or number > 0) for number, suite in enumerate(suites)]
    texts = [text for part in parts for item in (*part.shown, *part.folded) for text in _texts(item)]
    limit = next((of for of in LIMITS if sum(_size(text[:of]) for text in texts) <= BYTES), LIMITS[-1])
    return tuple(replace(part, limit=limit) for part in parts)


def _part(suite: Suite, room: int, *, shows_scores: bool) -> SuitePart:
    numbers = choose_visible(suite.items, min(VISIBLE_ITEMS, room))
    visible = set(numbers)
    folded = [item for number, item in enumerate(suite.items) if number not in visible][: room - len(numbers)]
    changes = Counter(item.change for item in suite.items)
    left_out = len(suite.items) - len(numbers) - len(folded)
    shown = tuple(suite.items[number] for number in numbers)
    return SuitePart(suite, shown, tuple(folded), left_out, changes, LIMITS[0], shows_scores)


def _texts(item: Item) -> Iterator[str]:
    yield from (item.question, item.expected)
    yield from (text for _, text in item.earlier)
    yield from (answer.text for answer in item.answers)


def _size(text: str) -> int:
    return len(escape(text).encode(errors="replace"))


def choose_visible(items: Sequence[Item], count: int) -> list[int]:
    """Numbers of the items that are shown at once, in order: every kind of change has its turn, so that the few lost
    ones are seen among the many gained."""
    kinds = [[number for number, item in enumerate(items) if item.change == kind] for kind in get_args(Change)]
    in_turn = (number for number in chain.from_iterable(zip_longest(*kinds)) if number is not None)
    return sorted(number for number, _ in zip(in_turn, range(count), strict=False))
