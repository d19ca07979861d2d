"""How good each row is, from 0 to 1, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tutelage.curate.completeness import completeness
from tutelage.curate.consistency import consistency_doubts
from tutelage.curate.doubts import Doubt, score
from tutelage.curate.length import length_doubts
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import Sample

# What each score weighs in the overall one.
WEIGHTS = {"completeness": 0.4, "relevance": 0.3, "length": 0.15, "consistency": 0.15}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a row, 0 (worst) to 1.

    Attributes:
        overall: mean of the others by `WEIGHTS`; a score that there is none of weighs nothing.
        length: the answer is as long as its task asks for.
        completeness: the answer is whole.
        relevance: the share of answers from elsewhere that fit this prompt less; None where there is no evidence, and
            for plain text.
        consistency: the answer has the form that was asked for.
        reasons: what speaks against the row: first what lowers its completeness, then the rest, each the dearest first.
    """

    overall: float
    length: float
    completeness: float
    relevance: float | None
    consistency: float
    reasons: tuple[Doubt, ...]


def assess(samples: Sequence[Sample], relevance: Relevance) -> list[Scores]:
    """Scores of some rows, in their order. A row's scores do not depend on the rows beside it.

    Of several exchanges, the worst decides each score of completeness, length and consistency: all of them would be
    trained. Relevance looks at all that was asked and answered at once.
    """
    return [_scores(one, fit) for one, fit in zip(samples, relevance.scores(samples), strict=True)]


def _scores(one: Sample, fit: float | None) -> Scores:
    prompts = one.prompts or ("",) * len(one.answers)
    exchanges = list(zip(prompts, one.answers, strict=True))
    whole = [completeness(prompt, answer, language=one.language) for prompt, answer in exchanges]
    long = [length_doubts(prompt, answer) for prompt, answer in exchanges]
    alike = [consistency_doubts(prompt, answer, language=one.language) for prompt, answer in exchanges]
    incomplete, others = _ordered(whole), _ordered([*long, *alike])
    found = {"completeness": _worst(whole), "length": _worst(long), "consistency": _worst(alike), "relevance": fit}
    return Scores(
        overall=_overall(found),
        length=_worst(long),
        completeness=_worst(whole),
        relevance=fit,
        consistency=_worst(alike),
        reasons=tuple(dict.fromkeys((*incomplete, *others))),
    )


def _ordered(exchanges: Sequence[tuple[Doubt, ...]]) -> list[Doubt]:
    """The dearest first."""
    return sorted(chain.from_iterable(exchanges), key=lambda doubt: -doubt.cost)


def _worst(exchanges: Sequence[tuple[Doubt, ...]]) -> float:
    """Of no exchange nothing speaks for anything: 0."""
    return min((score(doubts) for doubts in exchanges), default=0.0)


def _overall(found: dict[str, float | None]) -> float:
    told = {name: one for name, one in found.items() if one is not None}
    return sum(WEIGHTS[name] * one for name, one in told.items()) / sum(WEIGHTS[name] for name in told)
