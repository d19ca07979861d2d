"""Choosing a number of rows: balanced over cells (type x domain), the best first, and no two that are too similar.

For a million rows only small arrays are kept: a cell, a quality, a length, and a signature of the prompt. A signature
is a MinHash of the prompt's pairs of neighbouring words (Broder 1997) by 64 hash functions, with 8 bits kept of each
(Li and König 2010): the share of equal bytes estimates the share of pairs that two prompts have in common (Jaccard).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from xxhash import xxh64_intdigest

from tutelage.curate.alike import SIZE, Unlike
from tutelage.curate.coverage import entropy
from tutelage.curate.taxonomy import Labels
from tutelage.text import normalised, words

By = Literal["quality", "random", "longest"]
Reason = Literal["too few rows", "too similar"]
Cell = tuple[str, str]
Rows = npt.NDArray[np.int64]

_READ = 512  # words of a prompt that its signature reads
_COMPARED = 300  # rows of which all pairs are compared, for the mean similarity of a choice


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """The rows to choose from; a row is known by its number.

    Attributes:
        names: the cells that occur, as (type, domain).
        cells: position in `names`; int32, (rows,).
        quality: the higher, the better; float32, (rows,).
        words: length of prompt and answer; int32, (rows,).
        signatures: of the prompts; uint8, (rows, 64).
    """

    names: tuple[Cell, ...]
    cells: npt.NDArray[np.int32]
    quality: npt.NDArray[np.float32]
    words: npt.NDArray[np.int32]
    signatures: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.cells)


class Candidates:
    """Gathers the columns of rows to choose from, 76 bytes each."""

    def __init__(self) -> None:
        self._names: dict[Cell, int] = {}
        self._cells, self._quality, self._words, self._signatures = array("i"), array("f"), array("i"), bytearray()

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, labels: Labels, *, quality: float, words: int, prompt: str) -> None:
        """Add the next row. `words` is the length of its prompt and answer."""
        assert quality == quality, "the quality of a row is not a number"
        self._cells.append(self._names.setdefault((labels.type, labels.domain), len(self._names)))
        self._quality.append(quality)
        self._words.append(words)
        self._signatures += signature(prompt)

    def columns(self) -> Columns:
        """The rows that were added."""
        return Columns(
            tuple(self._names),
            np.array(self._cells, dtype=np.int32),
            np.array(self._quality, dtype=np.float32),
            np.array(self._words, dtype=np.int32),
            np.frombuffer(bytes(self._signatures), dtype=np.uint8).reshape(-1, SIZE),
        )


_FACTORS = np.random.default_rng(0).integers(0, 1 << 63, (2, SIZE), dtype=np.uint64) | np.uint64(1)


def signature(text: str) -> bytes:
    """64 bytes, of which two texts have about the share in common that they have of their pairs of words."""
    tokens = words(normalised(text))[:_READ] or [text]
    pairs = {" ".join(pair) for pair in zip(["", *tokens], [*tokens, ""], strict=True)}
    digests = [xxh64_intdigest(pair.encode(errors="replace")) for pair in pairs]
    mixed = np.array(digests, dtype=np.uint64)[:, None] * _FACTORS[0] + _FACTORS[1]
    return bytes((mixed.min(axis=0) >> np.uint64(32)).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Quota:
    """What one cell had and gave.

    Attributes:
        available: its rows.
        wanted: rows it should have given if every cell had rows enough: its even share of the target.
        quota: rows it was asked for in the end, with what other cells could not fill.
        chosen: rows it gave.
        too_similar: rows that were passed over because a better one is too similar.
        cut_short: chosen rows to which not all similar ones were found: more rows than can be compared share the words
            of each other.
    """

    cell: Cell
    available: int
    wanted: int
    quota: int
    chosen: int
    too_similar: int
    cut_short: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A cell that gave fewer rows than its even share, and why; others stand in for it as far as they can."""

    cell: Cell
    missing: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Choice:
    """What one way of choosing gives.

    Attributes:
        mean_quality, mean_words: of the chosen rows.
        entropy: of the cells, in bits.
        mean_similarity: of pairs of prompts, all pairs of a seeded sample of 300 rows.
        total_words: of prompts and answers.
    """

    by: By
    rows: int
    mean_quality: float
    entropy: float
    mean_similarity: float
    mean_words: float
    total_words: int


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """The rows that were chosen.

    Attributes:
        indices: numbers of the rows, ascending, each once; int64.
        target: rows that were asked for.
        quotas: by cell; none for the baselines `random` and `longest`, which know no cells.
        shortfalls: cells that stayed below their even share.
        comparison: what each way of choosing gives on the same rows.
    """

    indices: Rows
    target: int
    quotas: tuple[Quota, ...]
    shortfalls: tuple[Shortfall, ...]
    comparison: tuple[Choice, ...]

    @property
    def missing(self) -> int:
        """Rows that were asked for and not found."""
        return self.target - len(self.indices)

    def summary(self) -> dict[str, Any]:
        """The selection as JSON types, without the rows."""
        return {
            "target": self.target,
            "chosen": len(self.indices),
            "missing": self.missing,
            "quotas": [_with_cell_as_text(asdict(quota)) for quota in self.quotas],
            "shortfalls": [_with_cell_as_text(asdict(shortfall)) for shortfall in self.shortfalls],
            "comparison": [asdict(choice) for choice in self.comparison],
        }


def _with_cell_as_text(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"cell": " x ".join(fields["cell"])}


def select(
    rows: Columns,
    *,
    target: int,
    by: By = "quality",
    seed: int = 0,
    max_similarity: float = 0.7,
    proportion: float = 0.0,
) -> Selection:
    """Choose rows. No row is chosen twice: where there are too few, fewer are chosen, and `shortfalls` says why.

    Args:
        by: `quality` gives every cell a quota and takes its best rows, of equally good ones the first; within a cell no
            prompt is more similar to a better one than `max_similarity`. What a cell cannot fill goes to the others.
            The baselines know neither cells nor similarity: `random` draws by the seed, `longest` takes the most words.
        max_similarity: share of equal bins of two signatures; 1 turns the bound off.
        proportion: exponent on a cell's rows: quotas are in proportion to rows ** proportion. 0 gives every cell the
            same, 1 the share that it has in the set.
    """
    assert target >= 0
    assert by in get_args(By)
    greedy = [_Greedy(rows, members, max_similarity) for members in _members(rows)]
    weights = np.array([max(len(cell.members), 1) ** proportion for cell in greedy])
    quotas, wanted = _fill(greedy, weights, target)
    chosen = _choices(rows, greedy, quotas=quotas, target=target, seed=seed)
    told = _quotas(rows, greedy, quotas=quotas, wanted=wanted) if by == "quality" else ()
    comparison = tuple(_choice(rows, indices, by=name, seed=seed) for name, indices in chosen.items())
    return Selection(chosen[by], target, told, tuple(_shortfalls(told)), comparison)


def _members(rows: Columns) -> list[Rows]:
    """Of each cell its rows, the best first, of equally good ones the first."""
    order = np.lexsort((-rows.quality, rows.cells))
    bounds = np.searchsorted(rows.cells[order], np.arange(1, len(rows.names)))
    return list(np.split(order, bounds)) if len(rows.names) else []


class _Greedy:
    """Takes the rows of one cell, the best first, and passes over those that are too similar to one that it took."""

    def __init__(self, rows: Columns, members: Rows, max_similarity: float) -> None:
        self.members, self.taken, self._next = members, list[int](), 0
        self._unlike = Unlike(rows.signatures[members], int(max_similarity * SIZE)) if max_similarity < 1 else None

    @property
    def exhausted(self) -> bool:
        """Whether every row was looked at."""
        return self._next == len(self.members)

    @property
    def passed(self) -> int:
        """Rows that were passed over."""
        return 0 if self._unlike is None else int(np.count_nonzero(self._unlike.passed[: self._next]))

    @property
    def cut_short(self) -> int:
        """Rows that were taken although not all were found that are like them."""
        return 0 if self._unlike is None else self._unlike.cut_short

    def take(self, count: int) -> None:
        """Go on until so many rows are taken in all, or every row was looked at."""
        while len(self.taken) < count and not self.exhausted:
            if self._unlike is None or not self._unlike.passed[self._next]:
                self.taken.append(int(self.members[self._next]))
                if self._unlike is not None:
                    self._unlike.take(self._next)
            self._next += 1


def _fill(cells: Sequence[_Greedy], weights: npt.NDArray[np.float64], target: int) -> tuple[Rows, Rows]:
    """Let every cell take its quota; what cells turn out not to have is given to the others, until all is filled.

    Returns:
        The quotas that were filled in the end, and the even shares that rows enough would have given; (cells,).
    """
    room = np.array([len(cell.members) for cell in cells], dtype=np.int64)
    wanted = apportion(target, weights, room=np.full(len(cells), target, dtype=np.int64))
    while True:
        quotas = apportion(target, weights, room=room)
        for cell, quota in zip(cells, quotas.tolist(), strict=True):
            cell.take(quota)
        left = np.array([len(c.taken) if c.exhausted else len(c.members) for c in cells], dtype=np.int64)
        if (left >= np.minimum(quotas, room)).all():
            return quotas, wanted
        room = left


def apportion(total: int, weights: npt.NDArray[np.float64], *, room: Rows) -> Rows:
    """Whole numbers in proportion to the weights that add up to `total`, or to all the room where that is less.

    Nobody gets more than its room: what it cannot take is shared by the others in the same proportion (water-filling),
    and fractions become whole by largest remainders, the first of equal ones.

    Args:
        weights: > 0.
        room: the most that each can take; int64, of the shape of weights.
    """
    given = np.zeros_like(room)
    open_ = room > 0
    while open_.any():
        left = total - int(given[~open_].sum())
        exact = left * weights / weights[open_].sum()
        full = open_ & (room <= exact)
        if not full.any():
            given[open_] = _whole(exact[open_], left)
            break
        given[full], open_ = room[full], open_ & ~full
    return given


def _whole(exact: npt.NDArray[np.float64], total: int) -> Rows:
    """Largest remainders (Hamilton)."""
    whole: Rows = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(whole - exact, kind="stable")
    whole[by_remainder[: total - int(whole.sum())]] += 1
    return whole


def _choices(rows: Columns, greedy: Sequence[_Greedy], *, quotas: Rows, target: int, seed: int) -> dict[By, Rows]:
    """What each way of choosing takes; numbers of rows, ascending."""
    taken = [row for cell, quota in zip(greedy, quotas.tolist(), strict=True) for row in cell.taken[:quota]]
    drawn = np.random.default_rng(seed).permutation(len(rows))[:target]
    longest = np.argsort(-rows.words, kind="stable")[:target]
    return {"quality": np.sort(np.array(taken, dtype=np.int64)), "random": np.sort(drawn), "longest": np.sort(longest)}


def _quotas(rows: Columns, greedy: Sequence[_Greedy], *, quotas: Rows, wanted: Rows) -> tuple[Quota, ...]:
    # Cells may have taken one more than the last round of rounding gave them: the worst of their rows stays behind.
    return tuple(
        Quota(name, len(cell.members), even, quota, min(quota, len(cell.taken)), cell.passed, cell.cut_short)
        for name, cell, quota, even in zip(rows.names, greedy, quotas.tolist(), wanted.tolist(), strict=True)
    )


def _shortfalls(quotas: Iterable[Quota]) -> Iterable[Shortfall]:
    for quota in quotas:
        if quota.chosen < quota.wanted:
            reason: Reason = "too few rows" if quota.available < quota.wanted else "too similar"
            yield Shortfall(quota.cell, quota.wanted - quota.chosen, reason)


def _choice(rows: Columns, indices: Rows, *, by: By, seed: int) -> Choice:
    length = rows.words[indices].astype(np.int64)
    return Choice(
        by,
        len(indices),
        mean_quality=float(rows.quality[indices].mean(dtype=np.float64)) if len(indices) else 0.0,
        entropy=entropy(Counter(rows.cells[indices].tolist()).values()),
        mean_similarity=_mean_similarity(rows.signatures[indices], seed=seed),
        mean_words=float(length.mean()) if len(indices) else 0.0,
        total_words=int(length.sum()),
    )


def _mean_similarity(signatures: npt.NDArray[np.uint8], *, seed: int) -> float:
    """Of all pairs of a sample of the rows; 0 where there is no pair."""
    drawn = np.random.default_rng(seed).permutation(len(signatures))[:_COMPARED]
    if len(drawn) < 2:
        return 0.0
    sample = signatures[drawn]
    equal = sum(int(np.count_nonzero(sample[one + 1 :] == sample[one])) for one in range(len(sample)))
    return equal / (SIZE * len(sample) * (len(sample) - 1) / 2)
