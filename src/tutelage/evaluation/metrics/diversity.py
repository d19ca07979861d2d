"""Numbers that describe a set of answers without references: variety, repetition, length.

Words are those of `tutelage.text` (CJK characters one by one), without case.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tutelage.text import count_words, words

REPEATED = 4  # words of a run, as papers on degenerate text count repetition


@dataclass(frozen=True, slots=True)
class Diversity:
    """A set of answers.

    Attributes:
        answers: how many.
        distinct_1, distinct_2: share of words, and of pairs of words, that are different ones, 0 to 1.
        repetition: mean over the answers of the share of runs of 4 words that repeat an earlier one, 0 to 1.
        words: mean length of an answer.
    """

    answers: int
    distinct_1: float
    distinct_2: float
    repetition: float
    words: float


def diversity(answers: Sequence[str]) -> Diversity:
    """All numbers of a set of answers; of an empty set they are 0."""
    return Diversity(
        answers=len(answers),
        distinct_1=distinct(answers, n=1),
        distinct_2=distinct(answers, n=2),
        repetition=_mean(map(repetition, answers)),
        words=mean_words(answers),
    )


def distinct(answers: Iterable[str], *, n: int) -> float:
    """distinct-n (Li et al. 2016): different runs of n words / all runs of n words, none across two answers. 0 where
    no answer has n words.

    The more text there is, the lower it is: compare sets of about the same number of words.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for answer in answers:
        for run in _runs(answer, n):
            seen.add(run)
            total += 1
    return len(seen) / total if total else 0.0


def repetition(answer: str, *, n: int = REPEATED) -> float:
    """Share of the runs of n words in an answer that have occurred in it before (seq-rep-n, Welleck et al. 2020):
    1 - different runs / runs. 0 for an answer of fewer than n words.
    """
    found = list(_runs(answer, n))
    return 1 - len(set(found)) / len(found) if found else 0.0


def mean_words(answers: Iterable[str]) -> float:
    """Mean length of the answers in words; empty answers count as 0."""
    return _mean(map(count_words, answers))


def _runs(answer: str, n: int) -> Iterator[tuple[str, ...]]:
    found = words(answer.casefold())
    return zip(*(found[start:] for start in range(n)), strict=False)


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return sum(found) / len(found) if found else 0.0
