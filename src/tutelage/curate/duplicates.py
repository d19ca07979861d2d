"""Prompts that were asked before: exactly, nearly, or in other words. The best-scored row of each cluster stays.

What counts as the same:
- exact: equal in normal form (`text.normalised`); prompts under five characters only where each byte is equal.
- near, both of 50 words or more: Jaccard similarity of their character 5-grams of 0.8 or more, with the same figures.
- short, else: edit ratio of 0.9 or more (optimal string alignment, where two neighbours that are swapped are one edit),
  and every difference harmless (`slips`).

Nobody but the rows that stay is compared with a row that goes: a chain A~B~C does not take C along where A is unlike C.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA

from tutelage.curate.near import candidates
from tutelage.curate.shingles import (
    EDITED,
    I64,
    LONG,
    U64,
    Reading,
    Signatures,
    gram_set,
    join,
    numbers,
    read,
    signatures,
)
from tutelage.curate.slips import Usage, same_figures, same_question, same_request

Stage = Literal["exact", "near", "short", "meaning"]
JACCARD = 0.8
EDIT_RATIO = 0.9
CHUNK = 4096  # texts that are held together
EDITED_TO = 20_000  # characters: fewer than 50 words that are longer are no words, and edits take quadratic time


class Texts(Protocol):
    """Prompts that can be asked for by their number, from wherever they are kept."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that goes.

    Attributes:
        kept: the row that stays instead.
        similarity: 1 for exact; else the Jaccard similarity, the edit ratio, or the cosine (see `meaning`).
    """

    row: int
    kept: int
    stage: Stage
    similarity: float


@dataclass(frozen=True, slots=True)
class Clusters:
    """What became of `rows` rows: those that go, ascending. All others stay."""

    rows: int
    duplicates: tuple[Duplicate, ...]

    def members(self) -> dict[int, tuple[Duplicate, ...]]:
        """Each row that stays for others -> the rows that go for it."""
        found = defaultdict[int, list[Duplicate]](list)
        for one in self.duplicates:
            found[one.kept].append(one)
        return {kept: tuple(found[kept]) for kept in sorted(found)}

    def counts(self) -> dict[Stage, int]:
        """How many rows go at each stage."""
        stages = [one.stage for one in self.duplicates]
        return {stage: stages.count(stage) for stage in sorted(set(stages))}


def clusters(texts: Texts, scores: npt.NDArray[np.float32]) -> Clusters:
    """Which prompts are asked more than once. Of each cluster the row with the highest score stays; among equal scores
    the first. `scores` is (rows,)."""
    return clustered(join(signatures(chunk) for chunk in _chunks(texts)), texts, scores=scores)


def _chunks(texts: Texts) -> Iterator[Sequence[str]]:
    for start in range(0, max(1, len(texts)), CHUNK):
        yield [texts[row] for row in range(start, min(start + CHUNK, len(texts)))]


def clustered(
    known: Signatures, texts: Texts, *, scores: npt.NDArray[np.float32], settings: U64 | None = None
) -> Clusters:
    """The same, from signatures that were computed before (`shingles.signatures`, `shingles.join`).

    Args:
        settings: (rows,), in which prompts are asked: only those in equal ones are the same; None: all are equal.
    """
    assert len(known.exact) == len(texts) == len(scores)
    settings = np.zeros(len(scores), dtype=np.uint64) if settings is None else settings
    known = _set_apart(known, settings)
    best = _best_of_equal(known.exact, scores)
    rows = np.flatnonzero(best == np.arange(len(best)))
    rows = rows[np.argsort(known.exact[rows], kind="stable")]  # an order that the texts decide
    near = _near(rows, candidates(known, rows), Judge(texts, Usage(known.slots, known.counts), settings), scores)
    found = [*near.values()]
    for row in np.flatnonzero(best != np.arange(len(best))).tolist():
        kept = near.get(int(best[row]))
        found.append(Duplicate(row, int(best[row]), "exact", 1.0) if kept is None else _with_row(kept, row))
    return Clusters(len(texts), tuple(sorted(found, key=lambda one: one.row)))


def _set_apart(known: Signatures, settings: U64) -> Signatures:
    """Keys that are equal only in equal settings; a key of 0 means none."""
    keys = [np.where(one == 0, one, one ^ settings) for one in (known.letters, known.core)]
    return replace(known, exact=known.exact ^ settings, letters=keys[0], core=keys[1])


def _with_row(one: Duplicate, row: int) -> Duplicate:
    return Duplicate(row, one.kept, one.stage, one.similarity)


def _best_of_equal(keys: npt.NDArray[np.uint64], scores: npt.NDArray[np.float32]) -> I64:
    """For each row the best-scored one (then the first) with its key."""
    order = np.lexsort((np.arange(len(keys)), -scores, keys))
    ordered = keys[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]][: len(keys)]
    best = np.empty(len(keys), dtype=np.int64)
    best[order] = order[begins][np.cumsum(begins) - 1]
    return best


Verdict = tuple[Stage, float]
"""At which stage two texts are the same, and how similar they are."""


class Judge:
    """Compares texts with each other.

    Args:
        settings: as in `clustered`.
    """

    def __init__(self, texts: Texts, usage: Usage, settings: U64 | None = None) -> None:
        self._texts, self._usage, self._settings = texts, usage, settings

    def verdict(self, first: int, second: int) -> Verdict | None:
        """At which stage two rows are the same, and how similar they are; None where they are not."""
        if self._settings is not None and self._settings[first] != self._settings[second]:
            return None
        one, other = sorted((self._texts[first], self._texts[second]))  # differences are aligned from the same side
        found = alike(one, other)
        if found and found[0] == "short" and not same_question(read(one), read(other), usage=self._usage):
            return None
        return found


def alike(first: str, second: str) -> Verdict | None:
    """At which stage two texts are alike enough to be the same, and how similar they are. Of short ones it remains to
    be asked whether all their differences are slips."""
    if numbers(first) != numbers(second):  # what most rows differ in that are made from one pattern
        return None
    one, other = read(first), read(second)
    if min(len(one.words), len(other.words)) < LONG:
        ratio = _edit_ratio(one, other)
        return ("short", ratio) if ratio >= EDIT_RATIO else None
    if not same_figures(one, other) or not same_request(first, second):
        return None
    shared = _jaccard(one.text, other.text)
    return ("near", shared) if shared >= JACCARD else None


def _jaccard(first: str, second: str) -> float:
    one, other = gram_set(first), gram_set(second)
    return len(one & other) / len(one | other)


def _edit_ratio(first: Reading, second: Reading) -> float:
    """Of the normal forms, of the letters (spaces and marks are no edits there), or without fillers: the highest."""
    if first.letters == second.letters:
        return 1.0
    if not EDITED <= max(len(first.text), len(second.text)) <= EDITED_TO:
        return 0.0
    forms = {(first.text, second.text), (first.letters, second.letters), (first.core, second.core)}
    return max(OSA.normalized_similarity(one, other, score_cutoff=EDIT_RATIO) for one, other in forms)


def _near(rows: I64, pairs: I64, judge: Judge, scores: npt.NDArray[np.float32]) -> dict[int, Duplicate]:
    """The rows that go for a better one among `rows`; `pairs` are positions in them. A pair is judged when the answer
    is needed: thousands of copies are each compared with the row that stays, and not with each other."""
    likely = _Likely(rows, pairs)
    gone: dict[int, Duplicate] = {}
    stays = set[int]()
    for kept in likely.rows(scores):
        if kept not in gone:
            stays.add(kept)
            gone.update(_going(kept, (gone, stays), likely, judge))
    return gone


class _Likely:
    """The pairs that may be the same, by either of their rows."""

    def __init__(self, rows: I64, pairs: I64) -> None:
        first, second = rows[pairs >> 32], rows[pairs & 0xFFFFFFFF]
        order = np.argsort(np.concatenate([first, second]), kind="stable")
        self._others = np.concatenate([second, first])[order].astype(np.int32)
        self._owners, starts = np.unique(np.concatenate([first, second])[order], return_index=True)
        self._bounds = dict(zip(self._owners.tolist(), pairwise([*starts.tolist(), len(order)]), strict=True))

    def rows(self, scores: npt.NDArray[np.float32]) -> list[int]:
        """All rows of pairs, the best first, of equal ones the first."""
        return list(self._owners[np.lexsort((self._owners, -scores[self._owners]))].tolist())

    def of(self, row: int) -> list[int]:
        """The other rows of its pairs."""
        start, end = self._bounds[row]
        return list(self._others[start:end].tolist())


def _going(
    kept: int, settled: tuple[Mapping[int, Duplicate], Set[int]], likely: _Likely, judge: Judge
) -> dict[int, Duplicate]:
    """The rows that go for `kept`: its neighbours, and theirs as far as they are like `kept` themselves.

    Args:
        settled: rows that have gone, and those that stay. None of the latter goes for `kept`: they are better, and
            `kept` would have gone for them.
    """
    gone, stays = settled
    found: dict[int, Duplicate] = {}
    verdicts = dict[int, Verdict | None]()
    waiting = [kept]
    while waiting:
        via = waiting.pop()
        for row in likely.of(via):
            if row in found or row in gone or row in stays:
                continue
            if row not in verdicts:
                verdicts[row] = judge.verdict(kept, row)
            if (verdict := verdicts[row]) and (via == kept or judge.verdict(via, row)):
                found[row] = Duplicate(row, kept, *verdict)
                waiting.append(row)
    return found
