"""Sets made from one pattern: the rows that go are those that comparing all with all finds, and in good time."""

import random
import time
from collections.abc import Callable

import numpy as np
import pytest

from tutelage.curate import duplicates as module
from tutelage.curate.duplicates import Duplicate, Judge, clusters
from tutelage.curate.shingles import I64, Signatures, join, signatures
from tutelage.curate.slips import Usage

LONG = (
    "You will read how {} came to be a town by the sea. Say first what its people lived from when it had no harbour, "
    "then who built the harbour and who paid for it, and in the end what became of both when the herring went away and "
    "the trains began to come. Keep to what is written, use your own words, and name {} at least once in every part."
)


def _name(draw: random.Random) -> str:
    return "".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(draw.randint(2, 3)))


def _misspelt(draw: random.Random, text: str) -> str:
    place = draw.randrange(1, len(text))
    return draw.choice((text[:place] + text[place + 1 :], text[:place] + text[place - 1] + text[place:], text))


def poems(draw: random.Random) -> str:
    return f"Write a poem about {_name(draw)} and the sea"


def copies(draw: random.Random) -> str:
    return _misspelt(draw, _misspelt(draw, "Describe how glaciers shaped the valleys of the mountains"))


def towns(draw: random.Random) -> str:
    return LONG.format(_name(draw), _name(draw))


def chinese(draw: random.Random) -> str:
    return _misspelt(
        draw, f"请写一篇关于{draw.choice('山水风花雪月')}{draw.choice('春夏秋冬')}的短文，要求语言优美，感情真挚"
    )


PATTERNS = (poems, copies, towns, chinese)
Pattern = Callable[[random.Random], str]


def made(pattern: Pattern, count: int) -> tuple[list[str], np.ndarray]:
    draw = random.Random(count)
    texts = [pattern(draw) for _ in range(count)]
    return texts, np.array([draw.randrange(20) for _ in texts], dtype=np.float32)


def by_hand(texts: list[str], scores: np.ndarray) -> set[tuple[int, int]]:
    """The best first: whatever is like it and is still there goes for it."""
    known = join([signatures(texts)])
    judge = Judge(texts, Usage(known.slots, known.counts))
    best = [int(row) for row in module._best_of_equal(known.exact, scores)]
    gone = dict[int, int]()
    order = sorted({*best}, key=lambda row: (-scores[row], row))
    for place, kept in enumerate(order):
        if kept not in gone:
            gone |= {row: kept for row in order[place + 1 :] if row not in gone and judge.verdict(kept, row)}
    every = {row: gone.get(one, one) for row, one in enumerate(best)}
    return {(row, kept) for row, kept in every.items() if row != kept}


def _all_pairs(known: Signatures, rows: I64) -> I64:
    first, second = np.triu_indices(len(rows), 1)
    return np.asarray((first << 32) | second, dtype=np.int64)


def _pairs(found: tuple[Duplicate, ...]) -> set[tuple[int, int]]:
    return {(one.row, one.kept) for one in found}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_those_go_that_are_like_a_better_one_that_stays(pattern: Pattern, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, scores = made(pattern, 120)
    expected = by_hand(texts, scores)
    assert 0 < len(expected) < len(texts)
    found = _pairs(clusters(texts, scores).duplicates)
    # In a crowd, rows are compared with the most alike only, and some stay.
    assert len({row for row, _ in found} & {row for row, _ in expected}) >= 0.9 * len(expected)
    monkeypatch.setattr(module, "candidates", _all_pairs)
    assert _pairs(clusters(texts, scores).duplicates) == expected


@pytest.mark.parametrize("pattern", PATTERNS)
def test_thousands_of_rows_of_one_pattern_take_little_time(pattern: Pattern) -> None:
    """Each pair of the most alike was judged: 45 s for as many towns."""
    texts, scores = made(pattern, 10_000)
    start = time.process_time()
    found = clusters(texts, scores)
    assert time.process_time() - start < 12
    assert found.duplicates


def test_a_verdict_is_the_same_from_either_side() -> None:
    texts, _ = made(chinese, 60)
    known = join([signatures(texts)])
    judge = Judge(texts, Usage(known.slots, known.counts))
    pairs = [(one, other) for one in range(len(texts)) for other in range(one)]
    verdicts = [judge.verdict(one, other) for one, other in pairs]
    assert verdicts == [judge.verdict(other, one) for one, other in pairs]
    assert any(verdicts)
    assert not all(verdicts)
