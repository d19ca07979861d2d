"""The metrics by which an answer to an item is scored, each in [0, 1], by the names that suites use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Indel

from tutelage.evaluation.constraints.verdicts import loose, strict
from tutelage.evaluation.exact_match import exact_match, normalise
from tutelage.evaluation.metrics.bleu import sentence_bleu, sentence_chrf
from tutelage.evaluation.metrics.choices import chosen
from tutelage.evaluation.metrics.overlap import token_f1
from tutelage.evaluation.metrics.rouge import rouge_l, rouge_n
from tutelage.evaluation.numeric_answer import number, numeric_match
from tutelage.evaluation.passages import code_of
from tutelage.evaluation.suite import Item, Suite

Needs = Literal["a reference", "a reference with a number", "options and the right one", "constraints"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A way to score an answer.

    Attributes:
        name: in suites and recipes.
        what: it measures, in a few words.
        needs: of an item.
        score: of an answer's text, in [0, 1].
        is_share: scores are 0 or 1.
    """

    name: str
    what: str
    needs: Needs
    score: Callable[[Item, str], float]
    is_share: bool = False

    def lacks(self, item: Item) -> str:
        """What an item lacks for this metric; empty where it has all."""
        references = [reference for reference in item.references if reference.strip()]
        match self.needs:
            case "constraints":
                return "" if item.constraints else "it has no constraints"
            case "options and the right one":
                return "" if item.choices and references else "it has no options"
            case "a reference with a number" if references:
                without = next((text for text in references if number(text) is None), None)
                return "" if without is None else f"there is no number in {without!r:.60}"
        return "" if references else "it has no reference (`expected`)"


def _share(hit: bool) -> float:
    return 1.0 if hit else 0.0


def _contains(item: Item, answer: str) -> float:
    given = normalise(answer)
    wanted = (normalise(reference) for reference in item.references)
    return _share(any(text and text in given for text in wanted))


def _accuracy(item: Item, answer: str) -> float:
    options = dict(zip("ABCDEFGHIJ", item.choices, strict=False))
    return _share(chosen(answer, options) in item.references)


def _code(item: Item, answer: str) -> float:
    """Likeness of code, never run: 1 - insertions and deletions / lengths, of the text without white space."""
    given = "".join(code_of(answer).split())
    if not given:
        return 0.0
    return max(Indel.normalized_similarity(given, "".join(code_of(one).split())) for one in item.references)


def _rouge(n: int) -> Callable[[Item, str], float]:
    return lambda item, answer: rouge_n(answer, item.references, n=n).f1


_REFERENCE: Needs = "a reference"
METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "exact_match",
            "equals a reference but for case, width, outer punctuation and white space",
            _REFERENCE,
            lambda item, answer: _share(exact_match(answer, item.references)),
            is_share=True,
        ),
        Metric("contains", "a reference stands in it", _REFERENCE, _contains, is_share=True),
        Metric(
            "numeric",
            "ends with the reference's number",
            "a reference with a number",
            lambda item, answer: _share(numeric_match(answer, item.references)),
            is_share=True,
        ),
        Metric("accuracy", "chooses the right option", "options and the right one", _accuracy, is_share=True),
        Metric(
            "constraints",
            "meets every constraint, strictly",
            "constraints",
            lambda item, answer: _share(all(strict(answer, item.constraints))),
            is_share=True,
        ),
        Metric(
            "constraints_loose",
            "meets every constraint, without first or last line or emphasis",
            "constraints",
            lambda item, answer: _share(all(loose(answer, item.constraints))),
            is_share=True,
        ),
        Metric(
            "constraints_met",
            "share of the constraints it meets",
            "constraints",
            lambda item, answer: sum(strict(answer, item.constraints)) / len(item.constraints),
        ),
        Metric(
            "f1", "words shared with a reference", _REFERENCE, lambda item, answer: token_f1(answer, item.references)
        ),
        Metric(
            "bleu", "BLEU of the answer", _REFERENCE, lambda item, answer: sentence_bleu(answer, item.references).value
        ),
        Metric(
            "chrf", "chrF of the answer", _REFERENCE, lambda item, answer: sentence_chrf(answer, item.references).value
        ),
        Metric("rouge1", "words shared with the reference, F", _REFERENCE, _rouge(1)),
        Metric("rouge2", "pairs of words shared with the reference, F", _REFERENCE, _rouge(2)),
        Metric(
            "rougeL",
            "longest sequence of words shared with the reference, F",
            _REFERENCE,
            lambda item, answer: rouge_l(answer, item.references).f1,
        ),
        Metric("code", "likeness of its code to the reference's (nothing is run)", _REFERENCE, _code),
    )
}
_BESIDE = ("exact_match", "f1", "rougeL", "chrf", "constraints_loose", "constraints_met")


def beside(suite: Suite) -> Sequence[Metric]:
    """Metrics that can be told beside the suite's own: those that fit all its items."""
    own = {item.metric for item in suite.items}
    fitting = (METRICS[name] for name in _BESIDE if name not in own)
    return tuple(metric for metric in fitting if not any(metric.lacks(item) or item.choices for item in suite.items))
