"""Ids of a long text, window by window: encoding takes some 150 times a text's size in memory.

Windows overlap. They are joined where both begin a token at the same character and go on alike for a while: tokenizers
look only so far, so from there on they agree to the end. Where two windows never agree, the text is encoded whole.
"""

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

WINDOW = 1 << 20  # characters
OVERLAP = 1 << 13
AGREED = 32  # tokens that both windows must have in common, one after the other

Numbers = npt.NDArray[np.int64]


def ids_and_starts(
    text: str, tokenizer: Tokenizer, *, window: int = WINDOW, overlap: int = OVERLAP
) -> tuple[Numbers, Numbers]:
    """The ids of a text, and the character at which each begins; int64, (T,) each."""
    found = list[tuple[Numbers, Numbers]]()
    at = 0
    ids, starts = _encoded(text, tokenizer, at, end=window)
    while at + window < len(text):
        end, at = at + window, at + window - overlap
        following = _encoded(text, tokenizer, at, end=at + window)
        junction = _junction((ids, starts), following, bounds=(at + overlap // 4, end - overlap // 4))
        if junction is None:
            return _encoded(text, tokenizer, 0, end=len(text))
        found.append((ids[: junction[0]], starts[: junction[0]]))
        ids, starts = following[0][junction[1] :], following[1][junction[1] :]
    found.append((ids, starts))
    return np.concatenate([part for part, _ in found]), np.concatenate([part for _, part in found])


def _encoded(text: str, tokenizer: Tokenizer, start: int, *, end: int) -> tuple[Numbers, Numbers]:
    encoding = tokenizer.encode(text[start:end], add_special_tokens=False)
    begins = np.fromiter((first for first, _ in encoding.offsets), dtype=np.int64, count=len(encoding.ids))
    return np.asarray(encoding.ids, dtype=np.int64), begins + start


def _junction(
    one: tuple[Numbers, Numbers], other: tuple[Numbers, Numbers], *, bounds: tuple[int, int]
) -> tuple[int, int] | None:
    """A place in each of two windows from which on they have the same tokens; None where none is within bounds."""
    first, last = np.searchsorted(one[1], bounds)
    for place in range(int(first), int(last) - AGREED):
        there = int(np.searchsorted(other[1], one[1][place]))
        here = int(np.searchsorted(one[1], one[1][place]))
        both = (slice(here, here + AGREED), slice(there, there + AGREED))
        if all(np.array_equal(mine[both[0]], its[both[1]]) for mine, its in zip(one, other, strict=True)):
            return here, there
    return None
