"""Pairs of rows that may be near-duplicates, found without comparing all: rows that share a key.

Keys are hashes of letters, of letters with one character left out, and bands of MinHash values (Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, 3.4). The pairs are candidates: whoever asks for them verifies them.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tutelage.curate.shingles import I64, U64, Signatures, Sketches

_WINDOW = 4  # rows next to each other within a key that are paired: keys shared by thousands stay cheap
_SHORT_BAND, _LONG_BAND = 3, 4  # values per band
_SHORT_AGREE, _LONG_AGREE = 28, 40  # of 64 values, below which a pair is not worth a look
_PASSES = 8  # over the hashes with one character left out, to halve the memory three times


def candidates(known: Signatures, rows: I64) -> I64:
    """Pairs of positions i < j in `rows` that share a key, as `i << 32 | j`; (n,), each once, ascending.

    Args:
        rows: the rows that are looked at, in an order that does not depend on that of the set.
    """
    order = np.full(len(known.exact), -1, dtype=np.int64)
    order[rows] = np.arange(len(rows))
    found = [_sharing(known.letters[rows]), _sharing(known.core[rows])]
    found.extend(_deleted(known, order))
    found.append(_banded(known.short, order, _SHORT_BAND, _SHORT_AGREE))
    found.append(_banded(known.long, order, _LONG_BAND, _LONG_AGREE))
    return _distinct(np.concatenate(found))


def _sharing(keys: U64, rows: I64 | None = None, *, then: U64 | None = None) -> I64:
    """Pairs of positions with the same key other than 0, as `lower << 32 | upper`."""
    order = np.argsort(keys, kind="stable") if then is None else np.lexsort((then, keys))
    ordered = keys[order]
    names = order if rows is None else rows[order]
    found = []
    for step in range(1, _WINDOW + 1):
        same = np.flatnonzero((ordered[step:] == ordered[:-step]) & (ordered[step:] != 0))
        if not len(same):
            break
        found.append(_packed(names[same], names[same + step]))
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _packed(first: I64, second: I64) -> I64:
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    pairs: I64 = ((lower << 32) | upper)[lower != upper]
    return pairs


def _distinct(pairs: I64) -> I64:
    """Each once, ascending. `np.unique` hashes, which takes ten times as long for pairs of one pattern."""
    pairs = np.sort(pairs)
    first: I64 = pairs[np.r_[True, pairs[1:] != pairs[:-1]][: len(pairs)]]
    return first


def _deleted(known: Signatures, order: I64) -> Iterator[I64]:
    for part in range(_PASSES):
        chosen = (known.deletions >> np.uint64(61)) == part
        rows = order[known.deleted_from[chosen]]
        inside = rows >= 0
        by_row = np.argsort(rows[inside], kind="stable")
        yield _distinct(_sharing(known.deletions[chosen][inside][by_row], rows[inside][by_row]))


def _banded(sketches: Sketches, order: I64, width: int, agree: int) -> I64:
    """Pairs that share a band. Of each band, a row's most alike neighbours only: data that is made from patterns has
    bands that thousands of different texts share."""
    rows = order[sketches.rows]
    by_row = np.argsort(rows, kind="stable")[np.count_nonzero(rows < 0) :]
    values, rows = sketches.values[by_row], rows[by_row]
    starts = range(0, values.shape[1] - width + 1, width)
    found = np.empty(0, dtype=np.int64)
    for start, following in zip(starts, [*starts[1:], 0], strict=True):
        pairs = _sharing(_band(values, start, width), then=_band(values, following, width))
        alike = _agreeing(values, pairs)
        pairs = _most_alike(pairs[alike >= agree], alike[alike >= agree])
        found = _distinct(np.r_[found, _packed(rows[pairs >> 32], rows[pairs & 0xFFFFFFFF])])
    return found


def _most_alike(pairs: I64, alike: I64) -> I64:
    """Of pairs, those that are the most alike of either of their rows."""
    kept = np.zeros(len(pairs), dtype=bool)
    for rows in (pairs >> 32, pairs & 0xFFFFFFFF):
        best = np.lexsort((pairs, -alike, rows))
        kept[best[np.r_[True, rows[best][1:] != rows[best][:-1]][: len(best)]]] = True
    return pairs[kept]


def _band(values: npt.NDArray[np.uint16], start: int, width: int) -> U64:
    keys = np.ones(len(values), dtype=np.uint64)  # never 0, which means no key
    for column in range(start, start + width):
        keys = (keys << np.uint64(16)) | values[:, column]
    return keys | (np.uint64(1) << np.uint64(63)) if width < 4 else keys


def _agreeing(values: npt.NDArray[np.uint16], pairs: I64) -> I64:
    """How many values of their sketches the rows of each pair share; in slices, so that memory stays small."""
    parts = [
        np.count_nonzero(values[part >> 32] == values[part & 0xFFFFFFFF], axis=1)
        for part in np.array_split(pairs, len(pairs) // 100_000 + 1)
    ]
    return np.concatenate(parts)
