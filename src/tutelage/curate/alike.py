"""Rows whose signatures have more than so many bytes in common, found without comparing all with each other.

A byte at its place is a token, of which a row has 64. With all tokens in one order, two rows that have n in common have
k of these among the first 64 - n + k of either (prefix filter: Chaudhuri, Ganti, Kaushik 2006; Xiao et al. 2008). The
order begins with the rarest: rows that are made from one pattern have the tokens of the pattern in common, which stand
last and are not looked at. So nothing is missed, and little is compared.
"""

import numpy as np
import numpy.typing as npt

Signatures = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]

SIZE = 64  # bytes of a signature
_TOKENS = SIZE << 8
_SHARED = 4  # tokens that two rows must have in common among their first ones: more is slower to ask than to compare
_READ = 1 << 14  # entries of the index per row, on average, that are read
_AHEAD = 1024  # rows whose share of that may be used at once: of copies, the first row meets all
_CHUNK = 8192  # rows whose tokens are ordered together


class Unlike:
    """Rows in their order, of which those are passed over that are like an earlier one that was taken.

    Args:
        signatures: (rows, 64).
        above: rows are alike that have more equal bytes than this; 0 to 63.

    Attributes:
        passed: (rows,), which rows are like one that was taken.
        cut_short: rows that were taken without all being found that are like them: there was too much to read.
    """

    def __init__(self, signatures: Signatures, above: int) -> None:
        assert 0 <= above < SIZE
        self.passed, self.cut_short = np.zeros(len(signatures), dtype=np.bool_), 0
        self._signatures, self._above, self._allowed = signatures, above, _READ * _AHEAD
        self._index = _Index(signatures, np.arange(len(signatures), dtype=np.int32), above)
        self._left = len(signatures)  # rows of the index that have neither been taken nor passed over

    def take(self, place: int) -> None:
        """Take a row that is not passed over, behind those that were taken before."""
        if self._left < len(self._index) / 2:
            ahead = np.flatnonzero(~self.passed[place:]).astype(np.int32) + np.int32(place)
            self._index, self._left = _Index(self._signatures[ahead], ahead, self._above), len(ahead)
        self._allowed += _READ
        met, read, whole = self._index.sharing(self._signatures[place], self._allowed)
        self._allowed -= read
        self.cut_short += not whole
        met = met[met > place]
        met = met[~self.passed[met]]
        equal = np.count_nonzero(self._signatures[met] == self._signatures[place], axis=1)
        alike = met[equal > self._above]
        self.passed[alike] = True
        self._left -= 1 + len(alike)


class _Index:
    """The rarest tokens of some rows, and where they stand. `places` are what the rows are known by, ascending."""

    def __init__(self, signatures: Signatures, places: Places, above: int) -> None:
        self._unshared = SIZE - above - 1  # tokens of a row that one like it may lack
        self._width = self._unshared + min(_SHARED, above + 1)
        self._rank = _ranks(signatures)
        tokens = self._rarest(signatures).ravel()
        self._ends = np.r_[0, np.cumsum(np.bincount(tokens, minlength=_TOKENS))]
        self._places = places[np.argsort(tokens, kind="stable") // self._width]
        self._size = len(places)

    def __len__(self) -> int:
        return self._size

    def sharing(self, signature: Signatures, allowed: int) -> tuple[Places, int, bool]:
        """The places of rows that may be like a row of the index, each once; how many entries were read, and whether
        these are all such rows: no more entries than `allowed` are read, but those of one token at least."""
        tokens = self._rarest(signature[None])[0].astype(np.int64)
        starts, ends = self._ends[tokens], self._ends[tokens + 1]
        read = max(1, int(np.searchsorted(np.cumsum(ends - starts), allowed, "right")))
        bounds = zip(starts[:read].tolist(), ends[:read].tolist(), strict=True)
        met = np.sort(np.concatenate([self._places[start:end] for start, end in bounds]))
        again = max(0, read - self._unshared - 1)  # a row that is alike stands there once, and so many times again
        often = met[again:][met[again:] == met[: len(met) - again]]
        return often[np.r_[True, often[1:] != often[:-1]][: len(often)]], len(met), read > self._unshared

    def _rarest(self, signatures: Signatures) -> npt.NDArray[np.uint16]:
        """The rarest tokens of rows by their rank, the rarest first; (rows, width)."""
        found = np.empty((len(signatures), self._width), dtype=np.uint16)
        for start in range(0, len(signatures), _CHUNK):
            ranks = self._rank[_tokens(signatures[start : start + _CHUNK])]
            found[start : start + _CHUNK] = np.sort(ranks, axis=1)[:, : self._width]
        return found


def _ranks(signatures: Signatures) -> npt.NDArray[np.uint16]:
    """For each token how many are rarer; of equally rare ones the first."""
    counts = np.concatenate([np.bincount(column, minlength=256) for column in signatures.T])
    rank = np.empty(_TOKENS, dtype=np.uint16)
    rank[np.argsort(counts, kind="stable")] = np.arange(_TOKENS)
    return rank


def _tokens(signatures: Signatures) -> npt.NDArray[np.uint16]:
    return signatures + (np.arange(SIZE, dtype=np.uint16) << 8)
