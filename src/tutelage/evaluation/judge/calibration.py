"""Whether a judge is to be believed: it is shown pairs of which the better answer is known.

Every known pair is one item; that the judge said a tie, or contradicted itself, is no agreement. A judge that guesses
agrees with a quarter of the pairs (its two guesses must meet), one that looks at something that has nothing to do with
quality with half of them at most.

Where the lower end of the 95 % interval of the agreement is not above a bound, verdicts of this judge are not evidence.
The bound is 0.6 by default: a judge that is right in a share a of all cases, whatever the case, shrinks a true
difference d between two systems to (2a - 1) d, and at 0.6 a fifth of it is left. Nor may it be beaten by length: where
always choosing the longer answer, or always the shorter, agrees more often than that, this is the bound.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.endpoint import Endpoint
from tutelage.evaluation.judge.graded import Answer, Scale, grades
from tutelage.evaluation.judge.known import KnownPair
from tutelage.evaluation.judge.pairwise import Preference, preferences
from tutelage.evaluation.statistics import Proportion

BOUND = 0.6
MOST_UNKNOWN = 0.2  # share of the known pairs; where more tell nothing, those that are left may be the easy ones


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a judge did on known pairs.

    Attributes:
        model: the judge.
        agreements: set -> share of the pairs in which the judge prefers the better answer, of those it told about.
        unknown: pairs of which it told nothing.
        inconsistent: share of the pairs whose two orders contradict each other; of none, for grades.
        first_place: share of the opinions that choose the answer that is shown first, of those that choose one. Both
            answers are shown there equally often, so an unbiased judge has 0.5. Of none, for grades.
        by_length: share of the pairs in which the better answer is the longer one, or the shorter, whichever is more.
        bound: what the lower end of the agreement's interval has to exceed, besides `by_length`.
    """

    model: str
    agreements: Mapping[str, Proportion]
    unknown: int
    inconsistent: Proportion
    first_place: Proportion
    by_length: float
    bound: float = BOUND

    @property
    def agreement(self) -> Proportion:
        """Over all sets."""
        sets = self.agreements.values()
        return Proportion(sum(one.hits for one in sets), sum(one.n for one in sets))

    @property
    def refusal(self) -> str:
        """Why the judge's verdicts are not evidence; empty where they are."""
        n, (low, high) = self.agreement.n, self.agreement.interval
        if not n or self.unknown > MOST_UNKNOWN * (n + self.unknown):
            return f"not evidence: {self.model} told nothing of {self.unknown} of {n + self.unknown} known pairs"
        bound = max(self.bound, self.by_length)
        if low > bound:
            return ""
        found = f"agreement {self.agreement.share:.2f} [{low:.2f}, {high:.2f}] of {self.model} with {n} known pairs"
        why = ", which length alone reaches" if bound > self.bound else ""
        return f"not evidence: {found}; the lower end must exceed {bound:.2f}{why}"

    def record(self) -> dict[str, Any]:
        """All of it for JSON."""
        sets = {name: _told(share) for name, share in self.agreements.items()}
        return {
            "model": self.model,
            "refusal": self.refusal,
            "bound": self.bound,
            "by_length": self.by_length,
            "agreement": _told(self.agreement),
            "agreement_by_set": sets,
            "unknown": self.unknown,
            "inconsistent": _told(self.inconsistent),
            "first_place": _told(self.first_place),
        }


def calibrated(known: Sequence[KnownPair], judge: Endpoint, *, cache: Path, bound: float = BOUND) -> Calibration:
    """A pairwise judge on known pairs.

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    told = preferences([one.pair for one in known], judge, cache=cache)
    readable = [one for one in told if one.consistent is not None]
    inconsistent = Proportion(sum(not one.consistent for one in readable), len(readable))
    agreements, unknown = _agreements(known, [one.outcome for one in told])
    return Calibration(judge.model, agreements, unknown, inconsistent, _first_place(told), _by_length(known), bound)


def calibrated_grades(
    known: Sequence[KnownPair], judge: Endpoint, *, cache: Path, scale: Scale = 10, bound: float = BOUND
) -> Calibration:
    """A grading judge on known pairs: it agrees where the better answer's mean grade is the higher one.

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    pairs = [one.pair for one in known]
    answers = [Answer(pair.question, text, pair.reference) for pair in pairs for text in (pair.first, pair.second)]
    means = [one.outcome for one in grades(answers, judge, cache=cache, scale=scale)]
    differences = [
        None if first is None or second is None else int(np.sign(second - first))
        for first, second in zip(means[::2], means[1::2], strict=True)
    ]
    agreements, unknown = _agreements(known, differences)
    nothing = Proportion(0, 0)
    return Calibration(judge.model, agreements, unknown, nothing, nothing, _by_length(known), bound)


def rank_agreement(given: Sequence[float | None], human: Sequence[float]) -> float | None:
    """Spearman's rank correlation of a judge's scores with people's: Pearson's of the ranks, equal scores sharing their
    mean rank (Spearman 1904). Unknown scores are left out; None where fewer than two are left, or all are equal."""
    known = [(score, person) for score, person in zip(given, human, strict=True) if score is not None]
    if len(known) < 2:
        return None
    one, other = (_ranks(np.asarray(column)) for column in zip(*known, strict=True))
    if not one.std() or not other.std():
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: npt.NDArray[np.float64] = ends - (counts - 1) / 2
    return means[place]


def _agreements(known: Sequence[KnownPair], outcomes: Sequence[int | None]) -> tuple[dict[str, Proportion], int]:
    """Agreement by set, and the number of unknown outcomes."""
    told, hits = Counter[str](), Counter[str]()
    for one, outcome in zip(known, outcomes, strict=True):
        told[one.set] += outcome is not None
        hits[one.set] += outcome == one.outcome
    return {name: Proportion(hits[name], n) for name, n in told.items()}, len(known) - told.total()


def _by_length(known: Sequence[KnownPair]) -> float:
    """What a judge of length alone reaches: the longer answer always, or the shorter always."""
    longer = [one.outcome * (len(one.pair.second) - len(one.pair.first)) for one in known]
    return max(sum(one > 0 for one in longer), sum(one < 0 for one in longer)) / max(1, len(known))


def _first_place(told: Sequence[Preference]) -> Proportion:
    opinions = [both for one in told for both in zip(one.opinions, _SHOWN, strict=True)]
    chosen = [opinion.choice == shown for opinion, shown in opinions if opinion.choice in _SHOWN]
    return Proportion(sum(chosen), len(chosen))


_SHOWN = ("first", "second")  # which answer is shown first, in each of the two orders


def _told(share: Proportion) -> dict[str, Any]:
    return {"share": share.share, "interval": list(share.interval), "hits": share.hits, "n": share.n}
