"""Token F1: how many words an answer shares with a reference, in whatever order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from string import punctuation
from unicodedata import normalize

from tutelage.evaluation.exact_match import exact_match
from tutelage.text import words

_ARTICLES = {"a", "an", "the"}
_DROPPED = dict.fromkeys(map(ord, punctuation + "’"))


@dataclass(frozen=True, slots=True)
class Overlap:
    """What an answer and a reference share, as shares from 0 to 1.

    Attributes:
        precision: of the answer; recall: of the reference.
    """

    precision: float
    recall: float

    @classmethod
    def of(cls, shared: int, *, given: int, expected: int) -> "Overlap":
        """From counts: of what is shared, in the answer, and in the reference. Nothing in either shares nothing."""
        return cls(shared / given if given else 0.0, shared / expected if expected else 0.0)

    @property
    def f1(self) -> float:
        """2PR / (P + R), 0 where both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def best(overlaps: Sequence[Overlap]) -> Overlap:
    """The one with the highest F1, the first of equals. There must be one."""
    return max(overlaps, key=lambda overlap: overlap.f1)


def token_overlap(answer: str, references: Sequence[str]) -> Overlap:
    """Overlap of the words of an answer with those of the best reference, as SQuAD counts them (Rajpurkar et al. 2016).

    English is compared by words without case, punctuation and articles; Chinese, and what else is written without
    spaces, by characters. Where neither keeps a word (the answer "A" to the reference "A"), exact match decides. An
    empty answer scores 0. There must be a reference: callers check that.
    """
    given = bag(answer)
    return best([_overlap(given, bag(reference)) or _exact(answer, reference) for reference in references])


def token_f1(answer: str, references: Sequence[str]) -> float:
    """F1 of `token_overlap`, 0 to 1."""
    return token_overlap(answer, references).f1


def bag(text: str) -> Counter[str]:
    """The words of a text that count, and how often each is there. Punctuation of ASCII is taken out as SQuAD does it
    (`well-known` is one word), other marks separate; full-width forms are the same as narrow ones.
    """
    found = words(text.translate(_DROPPED))
    folded = (normalize("NFKC", word).casefold() for word in found)
    return Counter(word for word in folded if word not in _ARTICLES)


def _overlap(given: Counter[str], expected: Counter[str]) -> Overlap | None:
    """None where neither has a word."""
    if not given and not expected:
        return None
    return Overlap.of((given & expected).total(), given=given.total(), expected=expected.total())


def _exact(answer: str, reference: str) -> Overlap:
    match = float(exact_match(answer, [reference]))
    return Overlap(match, match)
