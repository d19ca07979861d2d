"""Figures beside the scores of answers: how likely references are to a model; tasks of lm-evaluation-harness."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.errors import DataError
from tutelage.evaluation.statistics import PairedResult, compare_paired
from tutelage.evaluation.suite import Suite
from tutelage.recipe import ModelSection
from tutelage.run.assemble import Speech
from tutelage.run.harness import HarnessTasks, TaskScores, harness
from tutelage.run.reference_loss import ReferenceFigures, reference_figures
from tutelage.terminal import Terminal

Speaks = Callable[[ModelSection], Speech]


@dataclass(frozen=True)
class Beside:
    """A figure of every model.

    Attributes:
        of: the suite or task.
        name: as "perplexity" or "acc".
        values: of each model, the base first.
        against: each later model against the first, paired by item; only where items have scores in [0, 1] that can be
            compared.
    """

    of: str
    name: str
    values: Mapping[str, float]
    against: Mapping[str, PairedResult]

    def in_words(self) -> str:
        """One sentence."""
        values = ", ".join(f"{model} {value:.4g}" for model, value in self.values.items())
        results = (f"; {model}: {result.verdict} ({result.in_words()})" for model, result in self.against.items())
        return f"{self.of}, {self.name}: {values}{''.join(results)}"

    def figures(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "of": self.of,
            "name": self.name,
            "models": dict(self.values),
            "against": {model: result.figures() for model, result in self.against.items()},
        }


@dataclass(frozen=True)
class Asked:
    """The models that are measured, and how each is spoken to."""

    models: Mapping[str, ModelSection]
    speaks: Speaks
    terminal: Terminal


def references_of(suites: Sequence[Suite], asked: Asked) -> Iterator[Beside]:
    """Perplexity and token accuracy of the references of each suite that has some."""
    for suite in suites:
        if not any(item.references for item in suite.items):
            continue
        try:
            found = {
                name: reference_figures(suite, section, spoken=asked.speaks(section), terminal=asked.terminal)
                for name, section in asked.models.items()
            }
        except DataError as error:
            asked.terminal.note(f"{suite.name}: the references are not measured: {error.found}")
            continue
        yield from _likelihood(suite.name, found)


def _likelihood(suite: str, found: Mapping[str, ReferenceFigures]) -> Iterator[Beside]:
    first, *later = found
    alike = [name for name in later if _same_tokens(found[first], found[name])]
    yield Beside(
        suite,
        "perplexity of the references",
        {name: figures.perplexity for name, figures in found.items()},
        {name: compare_paired(found[first].item_likelihoods, found[name].item_likelihoods) for name in alike},
    )
    yield Beside(
        suite,
        "token accuracy on the references",
        {name: figures.token_accuracy for name, figures in found.items()},
        {name: compare_paired(found[first].item_accuracies, found[name].item_accuracies) for name in alike},
    )


def _same_tokens(first: ReferenceFigures, second: ReferenceFigures) -> bool:
    return (first.numbers, first.tokens) == (second.numbers, second.tokens)


def tasks_of(tasks: HarnessTasks, asked: Asked) -> Iterator[Beside]:
    """Every metric of every task of the harness."""
    found = {
        name: harness(section, tasks, spoken=asked.speaks(section), terminal=asked.terminal)
        for name, section in asked.models.items()
    }
    first, *later = found
    for task, scores in found[first].items():
        for metric in scores.metrics:
            values = {name: of[task].metrics[metric] for name, of in found.items()}
            results = {name: _paired(scores, found[name][task], metric=metric) for name in later}
            yield Beside(task, metric, values, {name: one for name, one in results.items() if one is not None})


def _paired(before: TaskScores, after: TaskScores, *, metric: str) -> PairedResult | None:
    both = [of.items.get(metric, ()) for of in (before, after)]
    comparable = len(both[0]) == len(both[1]) > 0 and all(0 <= score <= 1 for of in both for score in of)
    return compare_paired(*both) if comparable else None
