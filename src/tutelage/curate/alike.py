"""Rows whose signatures have more than so many bytes in common, found without comparing all with each other.

A byte at its place is a token, of which a row has 64. With all tokens in one order, two rows that have n in common have
k of these among the first 64 - n + k of either (prefix filter: Chaudhuri, Ganti, Kaushik 2006; Xiao et al. 2008). The
order begins with the rarest: rows that are made from one pattern have the tokens of the pattern in common, which stand
last and are not looked at. So nothing is missed, and little is compared.
"""

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int32]

SIZE = 64  # bytes of a signature
_TOKENS = SIZE << 8
_SHARED = 4  # tokens that two rows must have in common among their first ones: more is slower to ask than to compare
_LOOKED = 1 << 14  # entries of the index that are read for a row; beyond, its commonest tokens are left out
_CHUNK = 8192  # rows whose tokens are ordered together


class Alike:
    """Finds the rows like a given one among those behind it.

    Args:
        signatures: uint8, (rows, 64).
        above: rows are alike that have more equal bytes than this; 0 to 63.
    """

    def __init__(self, signatures: npt.NDArray[np.uint8], above: int) -> None:
        assert 0 <= above < SIZE
        self._signatures, self._above = signatures, above
        self._unshared = SIZE - above - 1  # tokens of a row that a row like it may lack
        width = self._unshared + min(_SHARED, above + 1)
        self._first_RK = _rarest(signatures, width)
        flat = self._first_RK.ravel()
        entries = np.argsort(flat, kind="stable")
        self._ends = np.cumsum(np.bincount(flat, minlength=_TOKENS))
        self._rows: Places = (entries // width).astype(np.int32)
        self.cut_short = 0

    def behind(self, place: int, passed: npt.NDArray[np.bool_]) -> Places:
        """The rows behind a place that are like the row there, but for those that `passed` marks; ascending.

        Where too much would have to be read, rows may be missing: `cut_short` counts how often that was.
        """
        tokens = self._first_RK[place].astype(np.int64)
        starts, ends = self._ends[tokens - 1] * (tokens > 0), self._ends[tokens]
        read = max(1, int(np.searchsorted(np.cumsum(ends - starts), _LOOKED, "right")))
        self.cut_short += read <= self._unshared
        bounds = zip(starts[:read].tolist(), ends[:read].tolist(), strict=True)
        met = np.concatenate([self._rows[start:end] for start, end in bounds])
        met = np.sort(met[met > place])
        more = max(0, read - self._unshared - 1)  # a row that is alike stands there so many times more
        met = met[more:][met[more:] == met[: len(met) - more]]
        met = met[np.r_[True, met[1:] != met[:-1]][: len(met)]]
        met = met[~passed[met]]
        equal = np.count_nonzero(self._signatures[met] == self._signatures[place], axis=1)
        return met[equal > self._above]


def _rarest(signatures: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint16]:
    """The rarest tokens of each row, by their rank: 0 is the rarest of all. (rows, width), ascending."""
    base = np.arange(SIZE, dtype=np.uint16) << 8
    counts = np.concatenate([np.bincount(column, minlength=256) for column in signatures.T])
    rank = np.empty(_TOKENS, dtype=np.uint16)
    rank[np.argsort(counts, kind="stable")] = np.arange(_TOKENS)
    found = np.empty((len(signatures), width), dtype=np.uint16)
    for start in range(0, len(signatures), _CHUNK):
        found[start : start + _CHUNK] = np.sort(rank[signatures[start : start + _CHUNK] + base], axis=1)[:, :width]
    return found
