"""What a report says of answers, as plain frozen records. Scores, shares and differences are in 0..1, absolute.

Texts are as they came from data and models: `page` escapes them.
"""

from dataclasses import dataclass
from typing import Literal

from tutelage.evaluation.statistics import Verdict

Change = Literal["gained", "lost", "right twice", "wrong twice"]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean score over `n` items, with its 95 % interval `low` to `high`."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Paired:
    """A model against another on the same items.

    Attributes:
        difference: second minus first, with its 95 % interval `low` to `high`.
        p_value: two-sided, of `test`, corrected for the results told beside it.
        gained, lost: items on which the second scores higher, lower.
        margin: difference that would not matter; within_margin: this one surely lies below it.
    """

    difference: float
    low: float
    high: float
    p_value: float
    test: str
    gained: int
    lost: int
    verdict: Verdict
    margin: float
    within_margin: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """All models over some items, as "all", a language or a task.

    Attributes:
        means: of each model.
        against: each later model against the first.
    """

    label: str
    means: tuple[Mean, ...]
    against: tuple[Paired, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """All items by something else than the suite's own metric.

    Attributes:
        what: it measures, in words; empty where the name says it.
        means: of each model.
        against: each later model against the first; "better" there means more.
        wanted: whether more of it is better; None where neither is.
    """

    name: str
    what: str
    means: tuple[Mean, ...]
    against: tuple[Paired, ...]
    wanted: bool | None = True


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on all items."""

    before: str
    after: str
    result: Paired


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote; `stopped`: it ended by itself."""

    text: str
    score: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class Item:
    """What was asked, what is expected, and every model's answer.

    Attributes:
        row: number in the ledger or in the suite; place: file:line, where it is known.
        language: "en" or "zh".
        earlier: (role, text) of the turns before the question.
        expected: the reference, or the constraints in words.
    """

    row: int
    place: str
    task: str
    language: str
    earlier: tuple[tuple[str, str], ...]
    question: str
    expected: str
    answers: tuple[Answer, ...]

    @property
    def change(self) -> Change:
        """The last model's answer beside the first's."""
        first, last = self.answers[0].score, self.answers[-1].score
        if first == last:
            return "right twice" if last == 1 else "wrong twice"
        return "gained" if last > first else "lost"


@dataclass(frozen=True, slots=True)
class Suite:
    """Models on the same items.

    Attributes:
        name: "held-out" for a run's own held-out rows.
        metric: of the scores; what: it measures, in words; is_share: scores are right or wrong.
        models: their names, the base first.
        slices: over all items first, then per language and task where there are several.
        stopped: share of each model's answers that ended by themselves.
        others: further metrics that fit all items.
        pairs: every two models, where there are more than two.
        max_new_tokens: limit of an answer.
        form: share of the answers with each feature that any has, as "list".
        following: the score of instruction following, then its components.
    """

    name: str
    metric: str
    what: str
    is_share: bool
    models: tuple[str, ...]
    slices: tuple[Slice, ...]
    others: tuple[Measure, ...]
    stopped: tuple[float, ...]
    pairs: tuple[Pair, ...]
    max_new_tokens: int
    items: tuple[Item, ...]
    form: tuple[Measure, ...] = ()
    following: tuple[Measure, ...] = ()
