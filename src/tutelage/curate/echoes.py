"""Held-out prompts that are asked in training too, in the same or nearly the same words.

Far fewer prompts are held out than trained, so those that are trained are read once, and only those are compared that
share a third of the telling 4-grams of a held-out one: grams that stand in few of these. What is the same is decided
as among duplicates (`duplicates`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from tutelage.curate.duplicates import Duplicate, Judge, alike
from tutelage.curate.shingles import I64, SLOTS, count_words_and_pairs
from tutelage.curate.slips import Usage
from tutelage.text import normalised, words

_GRAM = 4  # characters
_TELLING = 8  # held-out prompts that a gram may stand in; what more of them have is their pattern
_SHARE = 0.35  # of the telling grams of a prompt: two slips in 20 characters leave two fifths of them
_TRIED = 4  # trained prompts that a held-out one is compared with, the most alike first
_CHUNK = 4096  # trained prompts that are read together
_BITS = 22  # of a hash, by which most grams are told to be in no held-out prompt

Grams = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, and the setting in which it is asked: only in equal ones are two prompts the same."""

    prompt: str
    setting: bytes = b""


def echoes(held: Sequence[Asked], trained: Callable[[], Iterable[Asked]]) -> list[Duplicate]:
    """The held-out prompts that are trained: `row` is the place among the held-out ones, `kept` the place of a trained
    one that asks the same. One for each such prompt, in their order.

    A slip in a word that tells a prompt from many held out of one pattern may be missed.

    Args:
        trained: gives the trained prompts, the same each time: what is used there decides what a slip is.
    """
    likely = _likely(held, trained())
    exact = {row: Duplicate(row, ones[0].place, "exact", 1.0) for row, ones in likely.items() if ones[0].equal}
    near = {row: ones for row, ones in likely.items() if row not in exact}
    found = exact | (_judged(near, held, trained()) if near else {})
    return [found[row] for row in sorted(found)]


@dataclass(frozen=True, slots=True, order=True)
class _Likely:
    """A trained prompt that may be the same as a held-out one; the likeliest is the greatest.

    Attributes:
        equal: in normal form.
        share: of the telling grams.
        behind: the negative place, so that of equally likely ones the first is the greatest.
    """

    equal: bool
    share: float
    behind: int
    prompt: str

    @property
    def place(self) -> int:
        """Among the trained prompts."""
        return -self.behind


def _likely(held: Sequence[Asked], trained: Iterable[Asked]) -> dict[int, list[_Likely]]:
    """Held-out prompt -> the trained ones that may be the same, the likeliest first."""
    forms = [normalised(one.prompt) for one in held]
    index, equal = _Index(forms), defaultdict[str, list[int]](list)
    for row, form in enumerate(forms):
        equal[form].append(row)
    best = defaultdict[int, list[_Likely]](list)
    for start, chunk in _chunks(trained):
        read = [normalised(one.prompt) for one in chunk]
        pairs = [(row, at, True, 1.0) for at, form in enumerate(read) if form for row in equal.get(form, ())]
        pairs += [(row, at, False, share) for row, at, share in index.pairs(read)]
        for row, at, same, share in pairs:
            if held[row].setting == chunk[at].setting:
                one = _Likely(same, share, -start - at, chunk[at].prompt)
                best[row] = sorted([*best[row], one], reverse=True)[:_TRIED]
    tried = {
        row: [one for one in ones if one.equal or alike(held[row].prompt, one.prompt)] for row, ones in best.items()
    }
    return {row: ones for row, ones in tried.items() if ones}


def _chunks(trained: Iterable[Asked]) -> Iterator[tuple[int, list[Asked]]]:
    rows, start = iter(trained), 0
    while chunk := list(islice(rows, _CHUNK)):
        yield start, chunk
        start += len(chunk)


class _Index:
    """The telling grams of some texts: which text has which."""

    def __init__(self, forms: Sequence[str]) -> None:
        grams, owners = _grams(forms)
        order = np.lexsort((owners, grams))
        grams, owners = grams[order], owners[order]
        first = np.append(True, (np.diff(grams) != 0) | (np.diff(owners) != 0))[: len(grams)]
        grams, owners = grams[first], owners[first]
        which = np.cumsum(np.append(True, np.diff(grams) != 0)[: len(grams)]) - 1
        telling = np.bincount(which)[which] <= _TELLING
        self._grams, self._owners = grams[telling], owners[telling]
        self._sizes = np.bincount(self._owners, minlength=len(forms))
        self._known = np.zeros(1 << _BITS, dtype=np.bool_)
        self._known[self._grams >> np.uint32(32 - _BITS)] = True

    def pairs(self, forms: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """Text of the index, place among `forms`, and the share of its telling grams that stand there, where that is
        enough."""
        grams, rows = _grams(forms)
        hit = np.flatnonzero(self._known[grams >> np.uint32(32 - _BITS)])
        grams, rows = grams[hit], rows[hit]
        start = np.searchsorted(self._grams, grams, side="left")
        count = np.searchsorted(self._grams, grams, side="right") - start
        which = np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())
        keys = np.sort(np.repeat(rows, count) * len(self._sizes) + self._owners[which])
        first = np.flatnonzero(np.append(True, np.diff(keys) != 0)[: len(keys)])
        shares = np.diff(np.append(first, len(keys))) / self._sizes[keys[first] % len(self._sizes)]
        for key, share in zip(keys[first][shares >= _SHARE].tolist(), shares[shares >= _SHARE].tolist(), strict=True):
            yield key % len(self._sizes), key // len(self._sizes), share


def _grams(forms: Sequence[str]) -> tuple[Grams, I64]:
    """Hashes of the grams of all texts, without spaces, and the text that each is of; (n,)."""
    letters = [form.replace(" ", "") for form in forms]
    codes = np.frombuffer("".join(letters).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    owners = np.repeat(np.arange(len(letters)), [len(one) for one in letters])
    count = max(0, len(codes) - _GRAM + 1)
    hashes = np.zeros(count, dtype=np.uint32)
    for place in range(_GRAM):
        hashes = hashes * np.uint32(0x01000193) + codes[place : place + count]
    hashes = (hashes ^ (hashes >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    inside = owners[:count] == owners[_GRAM - 1 :][:count]
    return hashes[inside], owners[:count][inside]


def _judged(near: dict[int, list[_Likely]], held: Sequence[Asked], trained: Iterable[Asked]) -> dict[int, Duplicate]:
    """Of the likeliest, the first that is the same, by held-out prompt."""
    table = np.zeros(SLOTS, dtype=np.int32)
    for _, chunk in _chunks(trained):
        slots, counts = count_words_and_pairs([words(normalised(one.prompt)) for one in chunk])
        table[slots] += counts
    slots = np.flatnonzero(table).astype(np.int32)
    usage, found = Usage(slots, table[slots]), dict[int, Duplicate]()
    for row, ones in near.items():
        for one in reversed(ones):
            if verdict := Judge([held[row].prompt, one.prompt], usage).verdict(0, 1):
                found[row] = Duplicate(row, one.place, *verdict)
    return found
