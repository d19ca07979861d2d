"""What a report says, as plain frozen records: the one thing that the rest of this room knows.

Shares are in 0..1, times in seconds, lengths in tokens. Texts are as they came from data and models:
`page` escapes them.
"""

from dataclasses import dataclass
from typing import Literal

from tutelage.records import Speed

Change = Literal["gained", "lost", "right twice", "wrong twice"]


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`, with the 95 % interval `low` to `high` (Wilson)."""

    hits: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Exact match of both models over some questions, and the paired test between them.

    Attributes:
        label: which questions, as "all" or "en".
        gained, lost: questions that only the tuned model, only the base has right.
        p_value: exact McNemar test, two-sided.
        verdict: better, worse, or not distinguishable.
    """

    label: str
    base: Share
    tuned: Share
    gained: int
    lost: int
    p_value: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote; `stopped`: it ended by itself."""

    text: str
    right: bool
    stopped: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A held-out question with its reference and both answers.

    Attributes:
        row: number of its row in the ledger.
        language: "en" or "zh".
        earlier: (role, text) of the turns before the question.
    """

    row: int
    language: str
    earlier: tuple[tuple[str, str], ...]
    question: str
    reference: str
    base: Answer
    tuned: Answer

    @property
    def change(self) -> Change:
        """What training did to this answer."""
        if self.base.right:
            return "right twice" if self.tuned.right else "lost"
        return "gained" if self.tuned.right else "wrong twice"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Before and after on the same questions.

    Attributes:
        slices: over all questions first, then one per language where there are several.
        base_stopped, tuned_stopped: share of answers that ended by themselves.
        max_new_tokens: limit of an answer.
    """

    slices: tuple[Slice, ...]
    base_stopped: Share
    tuned_stopped: Share
    max_new_tokens: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Logged steps, one value each, and the evaluations.

    Attributes:
        held_out: (step, loss).
    """

    step: tuple[int, ...]
    loss: tuple[float, ...]
    learning_rate: tuple[float, ...]
    tokens_per_s: tuple[float, ...]
    grad_norm: tuple[float, ...]
    held_out: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Training:
    """What the loop did.

    Attributes:
        method: as "full", "freeze" or "LoRA"; `weights`: what that trains, as "all weights" or "r 16, alpha 32".
        tokens, trained_tokens: over all steps, padding not counted.
        seconds: of the steps; evaluation and saving left out.
        speed: None where this process ran no step.
        packed: several rows shared a sequence.
    """

    method: str
    weights: str
    steps: int
    epochs: float
    tokens: int
    trained_tokens: int
    seconds: float
    speed: Speed | None
    packed: bool
    stopped_early: bool
    curves: Curves


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the trainer gets it.

    Attributes:
        position: in its row, from 0.
        weight: of its loss; 0: it is only seen.
        special: a control token.
        role: whose it is, as "user"; "template" for what no message says.
    """

    id: int
    position: int
    text: str
    weight: float
    special: bool
    role: str


@dataclass(frozen=True, slots=True)
class RoleCount:
    """Tokens of a role: trained, and only seen."""

    role: str
    trained: int
    seen: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of the first batch.

    Attributes:
        sequence: in which it stands, from 1.
        offset: of its first token in the sequence.
        tokens: in order; where `length` is larger, the middle was left out.
        trained: trained tokens of the whole row.
        roles: of the whole row.
    """

    row: int
    place: str
    sequence: int
    offset: int
    tokens: tuple[Token, ...]
    length: int
    trained: int
    roles: tuple[RoleCount, ...]


@dataclass(frozen=True, slots=True)
class SampleSequence:
    """A sequence of the first batch: rows that were packed together, or a single row.

    Attributes:
        rows: their numbers in order; one that became several examples stands there several times.
        tokens: of its rows.
    """

    number: int
    rows: tuple[int, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class FirstBatch:
    """The first batch as a whole.

    Attributes:
        tokens: of all rows.
        padding: positions that hold none.
        room: tokens that a sequence may hold.
        roles: of all rows, shown or not.
    """

    sequences: tuple[SampleSequence, ...]
    tokens: int
    padding: int
    room: int
    roles: tuple[RoleCount, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows are not simply used: how many, and where the first stands."""

    state: str
    reason: str
    count: int
    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class Lengths:
    """Histogram of the examples' lengths.

    Attributes:
        edges: of the bins, one more than counts.
        max_length: the limit of the run.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    median: int
    longest: int
    max_length: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of the rows.

    Attributes:
        formats: how each source was understood, as sentences.
        notes: what was told about rows -> rows concerned.
        identical: held-out rows that are equal to a trained one.
        train_rows, eval_rows: kept rows by half.
        tokens, trained_tokens: of one epoch of the training half.
    """

    rows: int
    used: int
    shortened: int
    dropped: int
    reasons: tuple[Reason, ...]
    formats: tuple[str, ...]
    notes: tuple[tuple[str, int], ...]
    identical: int
    train_rows: int
    eval_rows: int
    tokens: int
    trained_tokens: int
    lengths: Lengths


@dataclass(frozen=True, slots=True)
class Origin:
    """How to make the run again.

    Attributes:
        recipe: fully resolved, as YAML.
        command: for a shell.
        versions: (what, which).
    """

    recipe: str
    command: str
    seed: int
    date: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report.

    Attributes:
        evidence: None where no questions were asked.
        template: name of the chat template.
        samples: some rows of the first batch, in its order.
    """

    model: str
    data: tuple[str, ...]
    template: str
    training: Training
    evidence: Evidence | None
    first_batch: FirstBatch
    samples: tuple[Sample, ...]
    ledger: Ledger
    origin: Origin
