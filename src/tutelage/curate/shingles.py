"""What is remembered of a text so that its duplicates can be found without holding the text: hashes and sketches.

`signatures` is a pure function of a chunk of texts, so that chunks may be computed anywhere; `join` puts them together.

Shapes: R rows, S rows with a short sketch, L rows with a long sketch, P = 64 permutations, D deletions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt
import regex
import xxhash

from tutelage.curate.fillers import without_fillers
from tutelage.text import normalised, words

LONG = 50  # words: from here on texts are compared by their shingles, below by edits
SHORTEST = 5  # characters: shorter prompts are the same only where each byte is
EDITED = 10  # characters: an edit ratio of 0.9 leaves shorter texts no edit
PERMUTATIONS = 64
_BOTH = 15  # words on either side of `LONG` where texts get both sketches, so that no pair falls between
_DELETED = 30  # characters, up to which the texts with one character less are kept as hashes
_BITS = 24
SLOTS = 1 << _BITS  # of the table that counts words and pairs of neighbours
# Signs that tell one question from another: those of mathematics, currencies and code. A hyphen is one beside a digit.
_SIGNS = regex.compile(r"[[\p{Sm}\p{Sc}%#@&*/\\^]--[~|]]|-(?=\s*\d)|(?<=\d\s*)-", regex.VERSION1)
_SPACES = regex.compile(r"(?<!\d) | (?!\d)")
_DIGIT = regex.compile(r"\d")
_SEED = 20_240_611
_SHORT = 250  # characters: 65,536 texts of that size that are kept at hand take 100 MB, and so do 1,024 pages

U16 = npt.NDArray[np.uint16]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as duplicates are judged by it.

    Attributes:
        text: in normal form (`text.normalised`).
        words: of the normal form.
        signs: of mathematics and code, in order.
        letters: the words without spaces; a space stays between two digits.
        core: the letters without fillers.
    """

    text: str
    words: tuple[str, ...]
    signs: tuple[str, ...]
    letters: str
    core: str


def read(text: str) -> Reading:
    """The text's words and signs. Those of the texts that were read last are kept at hand."""
    return _of_short(text) if len(text) <= _SHORT else _of_long(text)


def _reading(text: str) -> Reading:
    text = normalised(text)
    found = tuple(map(intern, words(text)))  # a word that stands in many texts is held once
    core, letters = without_fillers(found), _letters(found)
    return Reading(text, found, tuple(_SIGNS.findall(text)), letters, letters if core == found else _letters(core))


_of_short, _of_long = lru_cache(maxsize=1 << 16)(_reading), lru_cache(maxsize=1 << 10)(_reading)


def numbers(text: str) -> str:
    """The digits of a text, in order."""
    return _digits_of_short(text) if len(text) <= _SHORT else _digits_of_long(text)


def _digits(text: str) -> str:
    return "".join(_DIGIT.findall(normalised(text)))


_digits_of_short, _digits_of_long = lru_cache(maxsize=1 << 16)(_digits), lru_cache(maxsize=1 << 10)(_digits)


def _letters(found: Sequence[str]) -> str:
    joined = "".join(found)
    return _SPACES.sub("", " ".join(found)) if _DIGIT.search(joined) else joined


@dataclass(frozen=True, slots=True)
class Sketches:
    """MinHash values of some rows (Broder 1997), cut to 16 bits: `values` is (n, P), `rows` (n,) says whose."""

    rows: I32
    values: U16


@dataclass(frozen=True, slots=True)
class Signatures:
    """What is remembered of R texts. Rows are counted from the first text of the chunk, after `join` over all.

    Attributes:
        exact: (R,) equal where the prompts are the same.
        letters, core: (R,) equal where only spaces and marks differ, and where fillers differ too; 0 for texts that are
            too short to be told by it.
        lengths: (R,) characters of the letters.
        short, long: sketches of 3-grams and of 5-grams of the letters.
        deletions, deleted_from: (D,) hashes of letters with one character left out, and the row that they are of.
        slots, counts: how often words and pairs of neighbours occur, by slot.
    """

    exact: U64
    letters: U64
    core: U64
    lengths: I32
    short: Sketches
    long: Sketches
    deletions: U64
    deleted_from: I32
    slots: I32
    counts: I32


def signatures(texts: Sequence[str]) -> Signatures:
    """The signatures of a chunk of texts; it depends on nothing else."""
    readings = [_reading(text) for text in texts]
    sizes = np.array([len(one.words) for one in readings], dtype=np.int32)
    letters = [one.letters for one in readings]
    lengths = np.array([len(one) for one in letters], dtype=np.int32)
    slots, counts = count_words_and_pairs([one.words for one in readings])
    hashes, rows = _deletions(letters, lengths)
    return Signatures(
        exact=np.array([_exact(raw, one) for raw, one in zip(texts, readings, strict=True)], dtype=np.uint64),
        letters=np.array([_same_letters(one) for one in readings], dtype=np.uint64),
        core=np.array([_same_core(one) for one in readings], dtype=np.uint64),
        lengths=lengths,
        short=_sketch(letters, np.flatnonzero((sizes < LONG + _BOTH) & (lengths >= 2 * EDITED)), gram=3),
        long=_sketch(letters, np.flatnonzero(sizes >= LONG - _BOTH), gram=5),
        deletions=hashes,
        deleted_from=rows,
        slots=slots,
        counts=counts,
    )


def join(parts: Iterable[Signatures]) -> Signatures:
    """The signatures of chunks, in the order of the texts, as those of one. Parts may come from a generator: their
    counts are added up at once, and no field is held twice."""
    table = np.zeros(SLOTS, dtype=np.int32)
    fields: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _ROWWISE}
    start = 0
    for part in parts:
        table[part.slots] += part.counts
        for name, values in _rowwise(part, start).items():
            fields[name].append(values)
        start += len(part.exact)
    slots = np.flatnonzero(table).astype(np.int32)
    whole = {name: np.concatenate(fields.pop(name)) for name in _ROWWISE}
    return Signatures(
        exact=whole["exact"],
        letters=whole["letters"],
        core=whole["core"],
        lengths=whole["lengths"],
        short=Sketches(whole["short rows"], whole["short"]),
        long=Sketches(whole["long rows"], whole["long"]),
        deletions=whole["deletions"],
        deleted_from=whole["deleted_from"],
        slots=slots,
        counts=table[slots],
    )


_ROWWISE = (
    *("exact", "letters", "core", "lengths", "short rows", "short"),
    *("long rows", "long", "deletions", "deleted_from"),
)


def _rowwise(part: Signatures, start: int) -> dict[str, npt.NDArray[Any]]:
    """The fields that are put one after the other, in the order of `_ROWWISE`, with rows counted from `start`."""
    offset = np.int32(start)
    own = (part.exact, part.letters, part.core, part.lengths, part.short.rows + offset, part.short.values)
    more = (part.long.rows + offset, part.long.values, part.deletions, part.deleted_from + offset)
    return dict(zip(_ROWWISE, (*own, *more), strict=True))


def _exact(raw: str, reading: Reading) -> int:
    if len(raw.strip()) < SHORTEST:
        return xxhash.xxh3_64_intdigest(b"\x00" + raw.encode("utf-8", "surrogatepass"))
    return xxhash.xxh3_64_intdigest(reading.text.encode("utf-8", "surrogatepass"))


def _same_letters(reading: Reading) -> int:
    return _digest(reading.letters, reading.signs) if len(reading.letters) >= SHORTEST else 0


def _same_core(reading: Reading) -> int:
    return _digest(reading.core, reading.signs) if len(reading.core) >= SHORTEST else 0


def _digest(letters: str, signs: Sequence[str]) -> int:
    return xxhash.xxh3_64_intdigest("\x00".join([letters, *signs]).encode("utf-8", "surrogatepass"))


def _codes(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def count_words_and_pairs(texts: Sequence[Sequence[str]]) -> tuple[I32, I32]:
    """How often words, and pairs of words that follow each other, occur in texts: slots (ascending) and counts."""
    every = [word for text in texts for word in text]
    if not every:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    hashes = word_hashes(every)
    pairs = pair_hashes(hashes[:-1], hashes[1:])
    ends = np.cumsum([len(text) for text in texts])[:-1] - 1
    inside = np.ones(len(pairs), dtype=bool)
    inside[ends[(ends >= 0) & (ends < len(pairs))]] = False
    slots, counts = np.unique(to_slots(np.concatenate([hashes, pairs[inside]])), return_counts=True)
    return slots, counts.astype(np.int32)


def word_hashes(every: Sequence[str]) -> U64:
    """A hash of each word (none may be empty): a polynomial of its characters modulo 2**64."""
    codes = _codes(every).astype(np.uint64)
    lengths = np.fromiter(map(len, every), dtype=np.int64, count=len(every))
    starts = np.cumsum(lengths) - lengths
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    return np.add.reduceat(_mixed(codes) * _powers(int(lengths.max()))[place], starts)


def pair_hashes(first: U64, second: U64) -> U64:
    """A hash of each pair of words."""
    return _mixed(first) + second * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)


def to_slots(hashes: U64) -> I32:
    """The slot where a hash is counted."""
    return (_mixed(hashes) >> np.uint64(64 - _BITS)).astype(np.int32)


def _mixed(values: U64) -> U64:
    """Each bit depends on all lower ones (the finaliser of SplitMix64, shortened)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return values ^ (values >> np.uint64(27))


@lru_cache(maxsize=8)
def _powers(count: int) -> U64:
    return np.cumprod(np.r_[np.uint64(1), np.full(count, 0x100000001B3, dtype=np.uint64)], dtype=np.uint64)


def _sketch(letters: Sequence[str], rows: I64, *, gram: int) -> Sketches:
    """MinHash of the character n-grams: permutations are `a * gram + b` modulo 2**32 (Dietzfelbinger 1997), of which
    the upper half is the value."""
    chosen = [letters[row] for row in rows.tolist()]
    values = np.empty((len(rows), PERMUTATIONS), dtype=np.uint16)
    if chosen:
        hashes, starts = _grams(chosen, gram)
        generator = np.random.default_rng(_SEED)
        factors = generator.integers(1, 1 << 32, size=PERMUTATIONS, dtype=np.uint32) | np.uint32(1)
        shifts = generator.integers(0, 1 << 32, size=PERMUTATIONS, dtype=np.uint32)
        for number in range(PERMUTATIONS):
            least = np.minimum.reduceat(hashes * factors[number] + shifts[number], starts)
            values[:, number] = least >> np.uint32(16)
    return Sketches(rows.astype(np.int32), values)


def _grams(texts: Sequence[str], gram: int) -> tuple[npt.NDArray[np.uint32], I64]:
    """Hashes of the n-grams of each text, one after the other, and where each text's begin. Each text has >= n
    characters."""
    codes = _codes(texts).astype(np.uint64)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    count = len(codes) - gram + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(gram):
        hashes = hashes * np.uint64(0x100000001B3) + codes[place : place + count]
    ends = np.cumsum(lengths)
    inside = np.ones(count, dtype=bool)
    for place in range(1, gram):
        inside[ends[:-1] - place] = False
    starts = np.cumsum(lengths - gram + 1) - (lengths - gram + 1)
    return (_mixed(hashes[inside]) >> np.uint64(32)).astype(np.uint32), starts


@lru_cache(maxsize=4)  # the one that many are compared with among them
def gram_set(text: str, gram: int = 5) -> frozenset[str]:
    """The character n-grams of a text."""
    return frozenset(text[place : place + gram] for place in range(max(1, len(text) - gram + 1)))


def _deletions(letters: Sequence[str], lengths: I32) -> tuple[U64, I32]:
    """For texts of 5 to 29 letters: hashes of the letters and of the letters with any one character left out. Texts
    that differ by one character that is dropped, doubled, replaced or swapped with its neighbour have one in common."""
    hashes, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
    for length in range(SHORTEST, _DELETED):
        chosen = np.flatnonzero(lengths == length)
        if len(chosen):
            codes = _codes([letters[row] for row in chosen.tolist()]).reshape(-1, length).astype(np.uint64)
            found = _one_left_out(_mixed(codes))
            hashes.append(found.ravel())
            rows.append(np.repeat(chosen, found.shape[1]).astype(np.int32))
    return np.concatenate(hashes), np.concatenate(rows)


def _one_left_out(codes: U64) -> U64:
    """(n, length) characters -> (n, length + 1) hashes: one for each character left out, and one with all."""
    length = codes.shape[1]
    powers = _powers(length)
    zero = np.zeros((len(codes), 1), dtype=np.uint64)
    before = np.hstack([zero, np.cumsum(codes * powers[:length], axis=1, dtype=np.uint64)])
    moved = np.hstack([zero, zero, np.cumsum(codes[:, 1:] * powers[: length - 1], axis=1, dtype=np.uint64)])
    left_out = before[:, :length] + moved[:, length : length + 1] - moved[:, 1:]
    return np.hstack([left_out, before[:, length:]])
