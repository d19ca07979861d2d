"""Prompts that were asked before: exactly, nearly, or in other words. The best-scored row of each cluster stays.

What counts as the same:
- exact: equal in normal form (`text.normalised`); prompts under five characters only where each byte is equal.
- near, both of 50 words or more: Jaccard similarity of their character 5-grams of 0.8 or more, with the same figures.
- short, else: edit ratio of 0.9 or more (optimal string alignment, where two neighbours that are swapped are one edit),
  and every difference harmless (`slips`).

Nobody but the rows that stay is compared with a row that goes: a chain A~B~C does not take C along where A is unlike C.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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

Stage = Literal["exact", "near", "short"]
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
        similarity: 1 for exact; else the Jaccard similarity or the edit ratio.
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
    near = _near(rows, candidates(known, rows), _Judge(texts, settings, Usage(known.slots, known.counts)), scores)
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


class _Judge:
    """Compares texts with each other."""

    def __init__(self, texts: Texts, settings: U64, usage: Usage) -> None:
        self._texts, self._settings, self._usage = texts, settings, usage

    def verdict(self, first: int, second: int) -> Verdict | None:
        """At which stage two rows are the same, and how similar they are; None where they are not."""
        if self._settings[first] != self._settings[second]:
            return None
        texts = self._texts[first], self._texts[second]
        if numbers(texts[0]) != numbers(texts[1]):  # what most rows differ in that are made from one pattern
            return None
        one, other = map(read, texts)
        if min(len(one.words), len(other.words)) < LONG:
            ratio = _edit_ratio(one, other)
            return ("short", ratio) if ratio >= EDIT_RATIO and same_question(one, other, usage=self._usage) else None
        if not same_figures(one, other) or not same_request(*texts):
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
    forms = ((first.text, second.text), (first.letters, second.letters), (first.core, second.core))
    return max(OSA.normalized_similarity(one, other, score_cutoff=EDIT_RATIO) for one, other in forms)


def _near(rows: I64, pairs: I64, judge: _Judge, scores: npt.NDArray[np.float32]) -> dict[int, Duplicate]:
    """The rows that go for a better one among `rows`; `pairs` are positions in them."""
    neighbours = defaultdict[int, dict[int, Verdict]](dict)
    for pair in pairs.tolist():
        first, second = int(rows[pair >> 32]), int(rows[pair & 0xFFFFFFFF])
        if verdict := judge.verdict(first, second):
            neighbours[first][second] = neighbours[second][first] = verdict
    gone: dict[int, Duplicate] = {}
    for kept in sorted(neighbours, key=lambda row: (-scores[row], row)):
        if kept not in gone:
            gone.update(_going(kept, gone, neighbours, judge))
    return gone


def _going(
    kept: int, gone: Mapping[int, Duplicate], neighbours: Mapping[int, Mapping[int, Verdict]], judge: _Judge
) -> dict[int, Duplicate]:
    """The rows that go for `kept`: its neighbours, and theirs as far as they are like `kept` themselves. Rows that are
    better than `kept` have gone or were kept before it, with all that is like them."""
    found: dict[int, Duplicate] = {}
    seen, waiting = {kept}, [kept]
    while waiting:
        for row in neighbours[waiting.pop()]:
            if row in seen or row in gone:
                continue
            seen.add(row)
            if verdict := neighbours[kept].get(row) or judge.verdict(kept, row):
                found[row] = Duplicate(row, kept, *verdict)
                waiting.append(row)
    return found
