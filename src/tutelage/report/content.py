"""What a report says, as plain frozen records: the one thing that the rest of this room knows.

Shares are in 0..1, times in seconds, lengths in tokens. Texts are as they came from data and models:
`page` escapes them.
"""

from dataclasses import dataclass
from typing import Literal

from tutelage.records import Speed
from tutelage.report.data_map import DataMap
from tutelage.report.evidence import Suite

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Logged steps, one value each, and the evaluations.

    Attributes:
        held_out: (step, loss).
        sources: name -> (step, mean loss of its tokens), where the data have several sources.
        scores: name of a suite that was asked while the model trained -> (step, mean score).
    """

    step: tuple[int, ...]
    loss: tuple[float, ...]
    learning_rate: tuple[float, ...]
    tokens_per_s: tuple[float, ...]
    grad_norm: tuple[float, ...]
    held_out: Points
    sources: tuple[tuple[str, Points], ...] = ()
    scores: tuple[tuple[str, Points], ...] = ()


@dataclass(frozen=True, slots=True)
class Training:
    """What the loop did.

    Attributes:
        method: as "full", "freeze" or "LoRA"; `weights`: what that trains, as "all weights" or "r 16, alpha 32".
        tokens, trained_tokens: over all steps, padding not counted.
        seconds: of the steps; evaluation and saving left out.
        speed: None where this process ran no step.
        packed: several rows shared a sequence.
        kept_best: the model that was written has the weights of the lowest held-out loss.
        skipped: steps that changed no weight.
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
    kept_best: bool = False
    skipped: int = 0


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

    state: Literal["dropped", "shortened"]
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
        evidence: for each suite that was asked, the held-out questions first.
        template: name of the chat template.
        samples: some rows of the first batch, in its order.
        data_map: what the losses of the rows tell of them; None where they were not kept.
        told: what a judge said, a sentence for each suite.
    """

    model: str
    data: tuple[str, ...]
    template: str
    training: Training
    evidence: tuple[Suite, ...]
    first_batch: FirstBatch
    samples: tuple[Sample, ...]
    ledger: Ledger
    origin: Origin
    data_map: DataMap | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the report of `evaluate` and `compare` says.

    Attributes:
        models: folder or Hub id of each, the base first, beside the name that the suites call it by.
        told: what a judge said, and figures beside the scores, in sentences.
    """

    models: tuple[tuple[str, str], ...]
    suites: tuple[Suite, ...]
    origin: Origin
    told: tuple[str, ...] = ()
