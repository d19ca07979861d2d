"""Several models on the same suite with the same decoding: scores, means with intervals, and paired results."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from tutelage.evaluation.exact_match import language
from tutelage.evaluation.metrics.bleu import corpus_bleu, corpus_chrf
from tutelage.evaluation.metrics.diversity import diversity
from tutelage.evaluation.scoring import METRICS, Metric, beside
from tutelage.evaluation.statistics import Mean, PairedResult, Proportion, compare_all, compare_paired, holm, mean_of
from tutelage.evaluation.suite import Item, Suite
from tutelage.records import Generation

ALL = "all"
FEWEST = 6  # items of a language or a task of which a result is told: of fewer no test finds anything at 5 %


@dataclass(frozen=True)
class Comparison:
    """Answers of named models to the items of a suite.

    Attributes:
        names: of the models, the base first.
        answers: per model, one answer per item.
        seed: of the resampling behind intervals.
    """

    suite: Suite
    names: tuple[str, ...]
    answers: Mapping[str, Sequence[Generation]]
    seed: int = 0

    @property
    def items(self) -> tuple[Item, ...]:
        """What was asked."""
        return self.suite.items

    @cached_property
    def scores(self) -> Mapping[str, tuple[float, ...]]:
        """Per model the score of each answer by its item's own metric, in [0, 1]."""
        return {
            name: tuple(
                METRICS[item.metric].score(item, answer.text)
                for item, answer in zip(self.items, self.answers[name], strict=True)
            )
            for name in self.names
        }

    def right(self, name: str) -> list[bool]:
        """Per item, whether the model's answer has the full score."""
        return [score == 1.0 for score in self.scores[name]]

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Language of each item, by its last turn."""
        return tuple(language(item.prompt) for item in self.items)

    @cached_property
    def slices(self) -> Mapping[str, tuple[int, ...]]:
        """Label -> numbers of items: all, then languages and tasks where there are several."""
        found = {ALL: tuple(range(len(self.items)))}
        for labels in (self.languages, tuple(item.task for item in self.items)):
            counts = Counter(label for label in labels if label)
            if len(counts) > 1:
                found |= {
                    label: tuple(number for number, of in enumerate(labels) if of == label) for label in sorted(counts)
                }
        return found

    def mean(self, name: str, label: str = ALL) -> Mean:
        """A model's mean score over a slice."""
        return mean_of(self._part(self.scores[name], label), clusters=self._clusters(label), seed=self.seed)

    def stopped(self, name: str) -> Proportion:
        """Share of answers that ended by themselves."""
        answers = self.answers[name]
        return Proportion(sum(answer.stopped for answer in answers), len(answers))

    @cached_property
    def told(self) -> tuple[str, ...]:
        """Labels of the slices that are large enough to be told."""
        return tuple(label for label, part in self.slices.items() if label == ALL or len(part) >= FEWEST)

    @cached_property
    def matrix(self) -> Mapping[tuple[str, str], PairedResult]:
        """(first, second) -> the second model against the first on all items; p-values corrected for the pairs."""
        clusters = self._clusters(ALL)
        return compare_all({name: self.scores[name] for name in self.names}, clusters=clusters, seed=self.seed)

    def against_base(self, name: str) -> Mapping[str, PairedResult]:
        """Label -> a model against the first: on all items as `matrix` has it, and on the slices that are told, where
        p-values are corrected for their number."""
        base = self.names[0]
        labels = [label for label in self.told if label != ALL]
        results = {label: self._paired(base, name, label) for label in labels}
        corrected = holm([result.p_value for result in results.values()])
        adjusted = {label: replace(results[label], adjusted=p) for label, p in zip(labels, corrected, strict=True)}
        return {ALL: self.matrix[base, name], **adjusted}

    def by_other(self, metric: Metric) -> tuple[tuple[Mean, ...], tuple[PairedResult, ...]]:
        """Each model's mean by another metric, and each later model against the first."""
        scores = [
            [metric.score(item, answer.text) for item, answer in zip(self.items, self.answers[name], strict=True)]
            for name in self.names
        ]
        clusters = self._clusters(ALL)
        means = tuple(mean_of(of, clusters=clusters, seed=self.seed) for of in scores)
        return means, tuple(compare_paired(scores[0], of, clusters=clusters, seed=self.seed) for of in scores[1:])

    @cached_property
    def others(self) -> tuple[Metric, ...]:
        """Further metrics that fit all items, told beside their own."""
        return tuple(beside(self.suite))

    def summary(self) -> dict[str, dict[str, float]]:
        """Per model: mean score over all, per language and task, and the share of answers that stopped."""
        return {
            name: {
                (self.suite.metric if label == ALL else label): round(self.mean(name, label).value, 4)
                for label in self.slices
            }
            | {"stopped": round(self.stopped(name).share, 4)}
            for name in self.names
        }

    def figures(self) -> dict[str, Any]:
        """All figures as JSON types: each model's means, and every pair of models."""
        pairs = [{"before": a, "after": b, **self.matrix[a, b].figures()} for a, b in combinations(self.names, 2)]
        return {
            "n": len(self.items),
            "metric": self.suite.metric,
            "models": self.summary(),
            "against": {pair["after"]: pair for pair in pairs if pair["before"] == self.names[0]},
            "pairs": pairs,
            "diversity": {name: asdict(diversity([one.text for one in self.answers[name]])) for name in self.names},
            "corpus": {name: self.corpus(name) for name in self.names},
        }

    def corpus(self, name: str) -> dict[str, dict[str, Any]]:
        """BLEU and chrF of all of a model's answers together, with sacrebleu's signatures; empty where an item has no
        reference, or is a multiple choice."""
        if not all(item.references and not item.choices for item in self.items):
            return {}
        answers = [one.text for one in self.answers[name]]
        references = [item.references for item in self.items]
        scores = {"bleu": corpus_bleu(answers, references), "chrf": corpus_chrf(answers, references)}
        return {metric: {"value": round(of.value, 4), "signature": of.signature} for metric, of in scores.items()}

    def _paired(self, before: str, after: str, label: str) -> PairedResult:
        first, second = (self._part(self.scores[name], label) for name in (before, after))
        return compare_paired(first, second, clusters=self._clusters(label), seed=self.seed)

    def _part(self, scores: Sequence[float], label: str) -> list[float]:
        return [scores[number] for number in self.slices[label]]

    def _clusters(self, label: str) -> list[str]:
        return [self.items[number].cluster for number in self.slices[label]]
