"""Whether an answer speaks of what was asked.

A raw cosine means nothing by itself: long texts share more, code shares less. So what prompt and answer share is read
by a calibration (`calibration`), and the score is a probability: at 0.5 a pair is as often real as shuffled, and of the
pairs with 0.7, seven in ten are real. Where nothing can be told (few words, another language as asked), it is 0.5.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import regex

from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.languages import demanded_language
from tutelage.evaluation.following.calibration import Calibration, bundled, calibrated
from tutelage.evaluation.following.component import EMPTY, Component, Finding
from tutelage.evaluation.following.overlap import Idf, Overlap, learned_idf, overlap
from tutelage.text import count_words, language, normalised, words

BORDER = 0.5  # as often real as shuffled: the highest score of what says nothing of its own
FEWEST = 200  # pairs of a language from which a calibration of their own is fitted
_ECHO = 0.9  # shares of the answer's grams in the prompt and of the prompt's in the answer, from which it is said again
_PREFIX = 20  # characters of a prompt that an answer begins by repeating
_SHORT_REFERENCE = 6  # words up to which a reference may stand within an answer
_LOOKED_AT = 2_000  # characters of an answer in which a short reference may stand
_HAN = regex.compile(r"\p{Han}")


@dataclass(frozen=True, slots=True)
class Relevance:
    """A measure of relevance. The same exchange always gets the same score, whatever stands beside it.

    Attributes:
        calibrations: language -> how its pairs are read: `zh` for prompts in Chinese, `en` for all others.
        idf: language -> weights of grams, where they were learned.
    """

    calibrations: Mapping[str, Calibration]
    idf: Mapping[str, Idf]

    @classmethod
    def bundled(cls) -> Self:
        """The calibration that comes with the package, for suites of any size; all grams weigh the same."""
        return cls(bundled(), {})

    @classmethod
    def fitted(cls, pairs: Iterable[tuple[str, str]], *, seed: int = 0) -> Self:
        """A calibration on a suite's own prompts and references, with their idf, for each language of which there are
        200 pairs; the bundled one for the others."""
        calibrations, idf = dict(bundled()), dict[str, Idf]()
        by_language: dict[str, list[tuple[str, str]]] = {}
        for pair in dict.fromkeys(pairs):
            by_language.setdefault(_written(pair[0]), []).append(pair)
        for code, of in by_language.items():
            if len(of) >= FEWEST:
                idf[code] = learned_idf([prompt for prompt, _ in of], [answer for _, answer in of])
                calibrations[code] = calibrated(of, idf=idf[code], seed=seed, found="the suite's own references")
        return cls(calibrations, idf)

    def scores(self, exchanges: Sequence[Exchange]) -> list[Component]:
        """The relevance of each answer, 0 to 1, with what was found.

        An answer that says the reference, or within it a short one, has 1. One that says the prompt again, and no more,
        has at most 0.5; a prompt that is repeated before an answer is left out. An empty one has 0.
        """
        found = [EMPTY] * len(exchanges)
        groups: dict[str, list[int]] = {}
        for number, one in enumerate(exchanges):
            if one.answer.strip():
                groups.setdefault(_written(one.prompt), []).append(number)
        for code, numbers in groups.items():
            scored = self._scores([exchanges[number] for number in numbers], code)
            for number, component in zip(numbers, scored, strict=True):
                found[number] = component
        return found

    def _scores(self, exchanges: Sequence[Exchange], code: str) -> list[Component]:
        rest = [_without_prompt(one) for one in exchanges]
        shown = overlap([one.prompt for one in exchanges], rest, idf=self.idf.get(code))
        chances = self.calibrations[code].chances(shown.features_RF).tolist()
        return [
            _component(one, rest[row], chance=chances[row], shown=shown, row=row) for row, one in enumerate(exchanges)
        ]


def _component(one: Exchange, answer: str, *, chance: float, shown: Overlap, row: int) -> Component:
    if said := _reference_said(one):
        return Component(1.0, (Finding("says the reference", said),))
    if not answer.strip() or min(shown.copied[row], shown.covered[row]) >= _ECHO:
        return Component(min(chance, BORDER), (Finding("repeats the prompt", "and says no more", -BORDER),))
    told = () if answer == one.answer else (Finding("repeats the prompt first", "what follows was judged"),)
    if unknown := _unknown(one, telling=bool(shown.telling[row])):
        return Component(BORDER, (*told, Finding("relevance cannot be told", unknown)))
    detail = f"cosine {shown.cosine[row]:.2f}, {shown.covered[row]:.0%} of the prompt's grams taken up"
    reason = "speaks of what was asked" if chance >= BORDER else "speaks of something else"
    if not shown.cosine[row]:  # short answers are right without it: the calibration knows
        reason = "shares nothing with the prompt"
    return Component(chance, (*told, Finding(reason, detail, min(chance - BORDER, 0.0))))


def _unknown(one: Exchange, *, telling: bool) -> str:
    """Why nothing can be told of a pair; empty where it can."""
    code, _ = demanded_language(one.prompt)
    if code and code != _written(one.prompt) and language(one.answer) == code:
        return "the answer is in another language, as asked"
    return "" if telling else "too few words"


def _reference_said(one: Exchange) -> str:
    """The reference that an answer says: the same text, or a short one within it."""
    answer = normalised(one.answer)
    spoken = f" {' '.join(words(answer[:_LOOKED_AT]))} "
    for reference in one.references:
        text = normalised(reference)
        told = words(text)
        if text and text == answer:
            return text[:60]
        if told and len(text) > 1 and len(told) <= _SHORT_REFERENCE and f" {' '.join(told)} " in spoken:
            return text
    return ""


def _without_prompt(one: Exchange) -> str:
    """The answer without the prompt that it begins by repeating."""
    asked, answer = one.prompt.strip(), one.answer.strip()
    return answer[len(asked) :] if len(asked) >= _PREFIX and answer.startswith(asked) else one.answer


def _written(prompt: str) -> str:
    """By which calibration a prompt is read."""
    head = prompt[:400]
    return "zh" if len(_HAN.findall(head)) > 0.2 * max(count_words(head), 1) else "en"
