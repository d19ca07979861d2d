"""A suite: questions that models are asked, each with what a right answer is and how that is measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.records import Question

HELD_OUT = "held-out"  # the name of the suite that a run makes of its own held-out rows


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a suite.

    Attributes:
        question: what is asked, and the references; `row` is its number.
        metric: name in `scoring.METRICS`.
        task: kind of question, by which results are split; empty: none is named.
        choices: texts of the options A, B, C, ... of a multiple choice.
        constraints: what can be verified of the answer.
        place: file:line.
    """

    question: Question
    metric: str
    task: str = ""
    choices: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    place: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        """Accepted answers; empty where a metric needs none."""
        return self.question.references

    @property
    def prompt(self) -> str:
        """The last turn: what is asked."""
        return self.question.messages[-1].content

    @property
    def cluster(self) -> str:
        """The same for items whose conversations are the same: their answers are not independent."""
        return blake2b(repr(self.question.messages).encode(errors="replace"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Suite:
    """Items under a name."""

    name: str
    items: tuple[Item, ...]

    @property
    def metric(self) -> str:
        """The metric of all items; "score" where they have several."""
        metrics = {item.metric for item in self.items}
        return next(iter(metrics)) if len(metrics) == 1 else "score"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Kinds of questions, in the order in which they come."""
        return tuple(dict.fromkeys(item.task for item in self.items if item.task))


def by_number(sizes: Mapping[str, int]) -> Iterator[tuple[str, slice]]:
    """Where each suite's items stand when all are asked together, one suite after the other."""
    start = 0
    for name, size in sizes.items():
        yield name, slice(start, start + size)
        start += size
