"""Character n-grams of prompts and answers, hashed and counted for many rows at once.

Shapes: R rows, G (row, gram) pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

BUCKETS = 1 << 18  # grams are told apart by 18 bits of their hash
_BITS = np.uint64(BUCKETS.bit_length() - 1)
_SIZES = (2, 3, 4)  # characters per gram
_CHARACTERS = 8_000  # of a text that are looked at
_BASIC = 0x10000  # characters up to here are folded by a table; those above are rare letters and emoji
_STEP, _MIX, _LAST = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)  # as in xxHash and Murmur3

Codes = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Grams:
    """The distinct grams of some rows, sorted by row and bucket.

    Attributes:
        rows: int64, (G,).
        buckets: int64, (G,), below `BUCKETS`.
        counts: int64, (G,); how often the row has the gram.
        prompt: bool, (G,); whether the pair tells of the prompt. Otherwise it tells of the answer.
        shared: int64; where grams of a prompt stand that the row's answer has too: at `shared + 1`.
    """

    rows: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    prompt: npt.NDArray[np.bool_]
    shared: npt.NDArray[np.int64]


def grams(prompts: Sequence[str], answers: Sequence[str]) -> Grams:
    """The grams of 2 to 4 characters within words, of prompts and answers; a word's edges count as a character.

    Capitals and the width of characters do not matter; everything but letters and digits separates words. Writing
    without spaces (Chinese) gives the grams of whole clauses.
    """
    asked, answered = _keys(prompts), _keys(answers)
    keys = np.concatenate([asked, answered | np.uint64(1)])
    keys.sort()
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    counts = np.diff(np.append(first, len(keys)))
    keys = keys[first]
    pairs = keys >> np.uint64(1)
    return Grams(
        rows=(pairs >> _BITS).astype(np.int64),
        buckets=(pairs & np.uint64(BUCKETS - 1)).astype(np.int64),
        counts=counts,
        prompt=(keys & np.uint64(1)) == 0,
        shared=np.flatnonzero(pairs[1:] == pairs[:-1]),
    )


def _keys(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """row | bucket | one bit that is left free, for each gram of each text."""
    codes, rows = _words(texts)
    space = codes == 0
    keys = []
    rolled, inside = codes, np.ones(len(codes), np.bool_)
    for size in range(2, max(_SIZES) + 1):
        count = max(len(codes) - size + 1, 0)
        rolled = rolled[:count] * _STEP + codes[size - 1 :]
        inside = inside[:count] & (rows[:count] == rows[size - 1 :])
        if size > 2:
            inside &= ~space[size - 2 : size - 2 + count]
        buckets = _mixed(rolled[inside] + np.uint32(size)) >> np.uint32(32 - int(_BITS))
        keys.append(((rows[:count][inside] << _BITS) | buckets) << np.uint64(1))
    return np.concatenate(keys)


def _words(texts: Sequence[str]) -> tuple[Codes, npt.NDArray[np.uint64]]:
    """Folded code points of all texts, 0 for what stands between words, once; and the row of each."""
    spaced = [f" {text[:_CHARACTERS]} ".lower() for text in texts]
    raw = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), np.uint32)
    folded = np.where(raw < _BASIC, _fold()[np.minimum(raw, _BASIC - 1)], raw)
    rows = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in spaced])
    keep = np.ones(len(folded), np.bool_)
    keep[1:] = (folded[1:] != 0) | (folded[:-1] != 0) | (rows[1:] != rows[:-1])
    return folded[keep], rows[keep]


def _mixed(hashes: Codes) -> Codes:
    """Every bit of the input in every bit of the output (the finaliser of Murmur3)."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * _MIX
    hashes = (hashes ^ (hashes >> np.uint32(13))) * _LAST
    return hashes ^ (hashes >> np.uint32(16))


@cache
def _fold() -> Codes:
    """Character -> the first character of its compatible lower-case form where that is a letter or a digit, or 0."""
    table = np.zeros(_BASIC, np.uint32)
    for code in range(_BASIC):
        form = normalize("NFKC", chr(code)).lower()
        if form and form[0].isalnum():
            table[code] = ord(form[0])
    return table
