"""How models answer, whatever is right: the form of their answers, and how well they follow their instructions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.forms import FEATURES
from tutelage.evaluation.answer_form.profile import FormProfile, form_profile
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.following.component import WEIGHTS
from tutelage.evaluation.following.relevance import Relevance
from tutelage.evaluation.following.score import following
from tutelage.evaluation.statistics import Mean, PairedResult, compare_paired, holm, mean_of


@dataclass(frozen=True)
class Manner:
    """One thing that is told of the answers of all models.

    Attributes:
        name: a feature of the form, or a component of the following score.
        wanted: whether more of it is better; None where neither is.
        means: of each model, in [0, 1]; against: each later model against the first.
    """

    name: str
    wanted: bool | None
    means: tuple[Mean, ...]
    against: tuple[PairedResult, ...]


def forms(comparison: Comparison) -> tuple[Manner, ...]:
    """The share of each model's answers with each known feature, where any has it; p-values are corrected for the
    number of features that are told. Lengths are told of the items with a reference."""
    profiles = [form_profile(exchanges(comparison, name)) for name in comparison.names]
    found = []
    for feature in FEATURES:
        items = _asked(profiles, feature)
        columns = [[float(bool(of.answers[number].has[feature])) for number in items] for of in profiles]
        if any(map(any, columns)):
            found.append(_manner(comparison, feature, columns=columns, items=items))
    return tuple(replace(one, wanted=FEATURES[one.name].good) for one in _corrected(found))


def followed(comparison: Comparison) -> tuple[Manner, ...]:
    """The score of instruction following of each model, in all and by component; the components' p-values are corrected
    for their number. Relevance is calibrated on the suite's own references where there are enough."""
    references = [(item.prompt, item.references[0]) for item in comparison.items if item.references]
    relevance = Relevance.fitted(references, seed=comparison.seed)
    scores = [following(list(exchanges(comparison, name)), relevance) for name in comparison.names]
    every = range(len(comparison.items))
    total = _manner(comparison, "following", columns=[[one.total for one in of] for of in scores], items=every)
    parts = [
        _manner(comparison, part, columns=[[one.components[part].score for one in of] for of in scores], items=every)
        for part in WEIGHTS
    ]
    return (total, *_corrected(parts))


def exchanges(comparison: Comparison, name: str) -> Iterator[Exchange]:
    """A model's answers with their prompts."""
    for item, answer in zip(comparison.items, comparison.answers[name], strict=True):
        yield Exchange(item.prompt, answer.text, item.references, answer.stopped)


def _asked(profiles: Sequence[FormProfile], feature: str) -> list[int]:
    """Numbers of the items of whose answers a feature can be asked, whichever model wrote them."""
    rows = zip(*(of.answers for of in profiles), strict=True)
    return [number for number, row in enumerate(rows) if all(one.has[feature] is not None for one in row)]


def _manner(comparison: Comparison, name: str, *, columns: Sequence[Sequence[float]], items: Sequence[int]) -> Manner:
    clusters = [comparison.items[number].cluster for number in items]
    bounded = [[min(max(score, 0.0), 1.0) for score in column] for column in columns]
    means = tuple(mean_of(column, clusters=clusters, seed=comparison.seed) for column in bounded)
    against = tuple(
        compare_paired(bounded[0], column, clusters=clusters, seed=comparison.seed) for column in bounded[1:]
    )
    return Manner(name, True, means, against)


def _corrected(manners: Sequence[Manner]) -> list[Manner]:
    """With p-values corrected for the number of manners, of each model by itself."""
    columns = [holm([one.p_value for one in column]) for column in zip(*(of.against for of in manners), strict=True)]
    rows = zip(*columns, strict=True) if columns else ((),) * len(manners)
    return [
        replace(of, against=tuple(replace(one, adjusted=p) for one, p in zip(of.against, row, strict=True)))
        for of, row in zip(manners, rows, strict=True)
    ]
