"""From answers and their scores to what a report says of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.constraints.wording import described
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.statistics import Mean, PairedResult
from tutelage.report import evidence
from tutelage.run.manners import Manner, followed, forms


def evidence_of(comparisons: Sequence[Comparison], *, max_new_tokens: int) -> tuple[evidence.Suite, ...]:
    """Every suite as the report shows it."""
    return tuple(_suite(one, max_new_tokens=max_new_tokens) for one in comparisons)


def short_names(models: Sequence[str]) -> dict[str, str]:
    """Folder or Hub id -> as much of its end as tells it from the others; `runs/a/model` is `a`."""
    parts = {name: _parts(name) for name in models}
    for kept in range(1, 1 + max(map(len, parts.values()))):
        short = {name: "/".join(of[-kept:]) for name, of in parts.items()}
        if len(set(short.values())) == len(models):
            return short
    return {name: name for name in models}


def _parts(name: str) -> list[str]:
    parts = [part for part in name.replace("\\", "/").split("/") if part] or [name]
    return parts[:-1] if len(parts) > 1 and parts[-1] == "model" else parts


def _suite(comparison: Comparison, *, max_new_tokens: int) -> evidence.Suite:
    names, metric = comparison.names, METRICS.get(comparison.suite.metric)
    short = short_names(names)
    pairs = list(combinations(names, 2)) if len(names) > 2 else []
    return evidence.Suite(
        name=comparison.suite.name,
        metric=comparison.suite.metric,
        what=metric.what if metric else "by each item's own metric",
        is_share=all(METRICS[item.metric].is_share for item in comparison.items),
        models=tuple(short[name] for name in names),
        slices=tuple(_slices(comparison)),
        others=tuple(_others(comparison)),
        stopped=tuple(comparison.stopped(name).share for name in names),
        pairs=tuple(evidence.Pair(short[a], short[b], _paired(comparison.matrix[a, b])) for a, b in pairs),
        max_new_tokens=max_new_tokens,
        items=tuple(_items(comparison)),
        form=tuple(_measures(forms(comparison))),
        following=tuple(_measures(followed(comparison))),
    )


def _slices(comparison: Comparison) -> Iterator[evidence.Slice]:
    against = [comparison.against_base(name) for name in comparison.names[1:]]
    for label in comparison.told:
        means = tuple(_mean(comparison.mean(name, label)) for name in comparison.names)
        yield evidence.Slice(label, means, tuple(_paired(results[label]) for results in against))


def _others(comparison: Comparison) -> Iterator[evidence.Measure]:
    for metric in comparison.others:
        means, results = comparison.by_other(metric)
        yield evidence.Measure(metric.name, metric.what, tuple(map(_mean, means)), tuple(map(_paired, results)))


def _measures(manners: Iterable[Manner]) -> Iterator[evidence.Measure]:
    for one in manners:
        means, against = tuple(map(_mean, one.means)), tuple(map(_paired, one.against))
        yield evidence.Measure(one.name, "", means, against, one.wanted)


def _mean(of: Mean) -> evidence.Mean:
    return evidence.Mean(of.value, of.low, of.high, of.n)


def _paired(of: PairedResult) -> evidence.Paired:
    return evidence.Paired(
        difference=of.difference,
        low=of.interval[0],
        high=of.interval[1],
        p_value=of.adjusted,
        test=of.test,
        gained=of.gained,
        lost=of.lost,
        verdict=of.verdict,
        margin=of.margin,
        within_margin=of.equivalent,
    )


def _items(comparison: Comparison) -> Iterator[evidence.Item]:
    for number, (item, language) in enumerate(zip(comparison.items, comparison.languages, strict=True)):
        *earlier, last = item.question.messages
        expected = item.references[0] if item.references else "\n".join(map(described, item.constraints))
        yield evidence.Item(
            row=item.question.row,
            place=item.place,
            task=item.task,
            language=language,
            earlier=tuple((message.role, message.content) for message in earlier),
            question=last.content,
            expected=expected,
            answers=tuple(_answers(comparison, number)),
        )


def _answers(comparison: Comparison, number: int) -> Iterator[evidence.Answer]:
    for name in comparison.names:
        answer = comparison.answers[name][number]
        yield evidence.Answer(answer.text, comparison.scores[name][number], answer.stopped)
