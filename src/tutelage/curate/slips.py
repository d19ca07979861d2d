"""Whether two texts that are nearly the same ask the same: are their differences slips of the pen, or other words?

"What is 12 + 7?" and "What is 12 + 9?" differ less than a text and its misspelling. So each place where texts differ is
looked at. It is harmless where only spaces and marks differ, where a filler is put in, or where a word is misspelt.
A word counts as misspelt where one slip away from it stands a word that nobody else uses, or one that nobody else uses
between these neighbours. Everything else is another question: numbers, signs, words put in, and one known word in the
place of another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import regex
from rapidfuzz.distance import OSA, Levenshtein

from tutelage.curate.fillers import Words, without_fillers, wording
from tutelage.curate.shingles import I32, Reading, pair_hashes, to_slots, word_hashes
from tutelage.text import normalised

KNOWN = 3  # rows: a word that occurs as often is no slip
_MISSPELT = 50  # times: a word so much rarer than one that it differs from by a slip is a common misspelling
_STICKING = 20  # times as often as chance would: two characters that make a word, two words of a phrase
_SHORT_WORD = 5  # letters: words up to here are one letter away from many others
_MISPLACED = 10  # times: a closed-class word so much rarer here than one a slip away from it
_ROMAN = frozenset(("ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii", "xiii", "xiv", "xv"))
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)
_QUESTION = regex.compile(r"(?<![^.!?。！？])[^.!?。！？]+[?？]\s*$")  # a text's last sentence, where it is a question
_SAME_REQUEST = 0.8  # edit ratio
_REQUEST = 2_000  # characters of a line that ask; a longer one quotes
_DIGIT = regex.compile(r"\p{N}")
_ASKED = 1 << 16  # words, and pairs of them, whose slots are kept at hand


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two texts differ: the words of either there, and the words that both have before and behind."""

    first: Words
    second: Words
    before: str
    behind: str


class Usage:
    """How often the texts of a set use words, and words beside each other."""

    def __init__(self, slots: I32, counts: I32) -> None:
        self._slots, self._counts = slots, counts
        self._total = max(1, int(counts.sum()) // 2)  # half of what is counted are pairs

    def word(self, word: str) -> int:
        """How often a word occurs."""
        return self._count(_slot(word))

    def pair(self, first: str, second: str) -> int:
        """How often the second word follows the first; 0 where one is empty."""
        return self._count(_slot_of_pair(first, second)) if first and second else 0

    def beside(self, word: str, place: Difference) -> int:
        """How often the word stands beside one of its neighbours here, whichever has it oftener."""
        return max(self.pair(place.before, word), self.pair(word, place.behind))

    def fits(self, word: str, place: Difference) -> bool:
        """Whether others write the word beside one of its neighbours here, and oftener than chance would."""
        return self._stick(place.before, word) or self._stick(word, place.behind)

    def _stick(self, first: str, second: str) -> bool:
        together = self.pair(first, second)
        if together < KNOWN:
            return False
        by_chance = self.word(first) * self.word(second) / self._total
        return together >= _STICKING * by_chance

    def _count(self, slot: int) -> int:
        place = int(np.searchsorted(self._slots, np.int32(slot)))
        return int(self._counts[place]) if place < len(self._slots) and self._slots[place] == slot else 0


@lru_cache(maxsize=_ASKED)
def _slot(word: str) -> int:
    return int(to_slots(word_hashes([word]))[0])


@lru_cache(maxsize=_ASKED)
def _slot_of_pair(first: str, second: str) -> int:
    hashes = word_hashes([first, second])
    return int(to_slots(pair_hashes(hashes[:1], hashes[1:]))[0])


def same_question(first: Reading, second: Reading, *, usage: Usage) -> bool:
    """Whether all differences of two texts are harmless."""
    if first.signs != second.signs:
        return False
    return first.core == second.core or all(_harmless(place, usage) for place in differences(first.words, second.words))


def same_figures(first: Reading, second: Reading) -> bool:
    """Whether two long texts have the same numbers and signs, in the same order, and deny as often."""
    return first.signs == second.signs and _figures(first) == _figures(second)


def _figures(reading: Reading) -> list[str]:
    denials = _denials()
    return [word for word in reading.words if word in denials or (not word.isalpha() and _DIGIT.search(word))]


def same_request(first: str, second: str) -> bool:
    """Whether two long texts may ask the same of what they quote: their first lines, where instructions stand, are
    alike, and so are the questions that they end in."""
    return all(
        Levenshtein.normalized_similarity(*map(normalised, pair)) >= _SAME_REQUEST
        for pair in zip(request(first), request(second), strict=True)
    )


@lru_cache(maxsize=64)
def request(text: str) -> tuple[str, str]:
    """What a text with a quotation asks of it: its first line, and the question that it ends in; empty for none."""
    lines = text.strip().splitlines()
    question = _QUESTION.search(lines[-1]) if lines else None
    return lines[0][:_REQUEST] if len(lines) > 1 else "", question[0][-_REQUEST:] if question else ""


@cache
def _denials() -> frozenset[str]:
    return frozenset(word for part in wording()["denials"].values() for word in part.split())


def differences(first: Sequence[str], second: Sequence[str]) -> Iterator[Difference]:
    """The places where two sequences of words differ, each as long as no word is shared."""
    places = list[list[int]]()
    for code in Levenshtein.opcodes(first, second):
        if code.tag != "equal":
            place = [code.src_start, code.src_end, code.dest_start, code.dest_end]
            if places and _belong_together(places[-1], place, first, second):
                places[-1][1], places[-1][3] = place[1], place[3]
            else:
                places.append(place)
    for start, end, other_start, other_end in places:
        before = first[start - 1] if start else ""
        behind = first[end] if end < len(first) else ""
        yield Difference(tuple(first[start:end]), tuple(second[other_start:other_end]), before, behind)


def _belong_together(place: list[int], following: list[int], first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether nothing stands between two places, or two neighbours have changed places."""
    between = following[0] - place[1]
    if between > 1:
        return False
    whole, other = first[place[0] : following[1]], second[place[2] : following[3]]
    return between == 0 or (len(whole) == len(other) == 2 and tuple(whole) == tuple(other)[::-1])


def _harmless(place: Difference, usage: Usage) -> bool:
    if _DIGIT.search("".join((*place.first, *place.second))):
        return False
    if _same_or_misspelt(place, usage):
        return True
    return _same_or_misspelt(
        Difference(without_fillers(place.first), without_fillers(place.second), place.before, place.behind), usage
    )


def _same_or_misspelt(place: Difference, usage: Usage) -> bool:
    first, second = "".join(place.first), "".join(place.second)
    if first == second:
        return True
    if not (first and second):
        return _repeated(place) or _one_character(first + second)
    return _misspelt(place, usage)


def _repeated(place: Difference) -> bool:
    """A word is written twice."""
    return {place.first or place.second} <= {(place.before,), (place.behind,)}


def _one_character(text: str) -> bool:
    """A character is dropped or put in, in a script without spaces, and it tells nothing by itself."""
    return len(text) == 1 and bool(_UNSPACED.match(text)) and text not in _telling()


def _misspelt(place: Difference, usage: Usage) -> bool:
    first, second = "".join(place.first), "".join(place.second)
    if OSA.distance(first, second, score_cutoff=1) > 1 or not _ROMAN.isdisjoint((first, second)):
        return False
    if len(place.first) != 1 or len(place.second) != 1:
        return len(first) != 2 or not _contrast(*first)
    if _UNSPACED.match(first) or _UNSPACED.match(second):
        return not _contrast(first, second) and not (usage.fits(first, place) and usage.fits(second, place))
    return _slip(first, second, place, usage)


def _slip(first: str, second: str, place: Difference, usage: Usage) -> bool:
    """Of two written words one letter apart, whether one is a slip of the other: unlike two words that are both in use
    here, or two short ones that nobody knows."""
    if _inflected(first, second):
        return True
    rarer, commoner = sorted((first, second), key=lambda word: (word in _known(), usage.word(word)))
    count, other = usage.word(rarer), usage.word(commoner)
    if rarer not in _known() and count < KNOWN:
        told = commoner in _known() or other >= KNOWN
        return told or len(first) != len(second) or len(first) > _SHORT_WORD
    if rarer not in _known() and count * _MISSPELT <= other:
        return True
    functions = (first in _function()) + (second in _function())
    if functions == 2:
        beside = sorted((usage.beside(first, place), usage.beside(second, place)))
        return beside[0] < KNOWN or beside[0] * _MISPLACED <= beside[1]
    return functions == 1 or _out_of_place(first, second, place, usage) or _out_of_place(second, first, place, usage)


def _out_of_place(first: str, second: str, place: Difference, usage: Usage) -> bool:
    return usage.fits(second, place) and usage.beside(first, place) < KNOWN


def _inflected(first: str, second: str) -> bool:
    """They differ by an s at the end: `effect`, `effects`."""
    shorter, longer = sorted((first, second), key=len)
    return len(longer) > 4 and shorter + "s" == longer


def _contrast(first: str, second: str) -> bool:
    return any(first in group and second in group for group in wording()["contrasts"])


@cache
def _telling() -> frozenset[str]:
    return frozenset("".join(wording()["telling"].values()))


@cache
def _known() -> frozenset[str]:
    return _function() | {word.casefold() for part in wording()["confusable"].values() for word in part.split()}


@cache
def _function() -> frozenset[str]:
    return frozenset(word for part in wording()["function"].values() for word in part.split())
