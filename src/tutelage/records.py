"""The nouns that rooms share, each a frozen record: those of the data path, and how fast a run goes (`Speed`).

    Row -> Conversation -> Rendered -> Example -> Pack -> Batch -> loss
    (data)                (template)   (tokens)                   (training)

The rooms of the data path do not import each other: they meet here.

Shapes: B rows of a batch matrix, T tokens, N trained tokens.
Who shifts: only `tokens.batches`, when it makes a Batch. In an Example, weight t belongs to token t itself.
Who pads: only `tokens.batches`.
"Trained" means: the loss of predicting this token counts, with its weight (> 0).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

Split = Literal["train", "eval"]
State = Literal["used", "shortened", "dropped"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: the file as the user named it and the line (1-based) on which the row begins.

    For formats without lines (Parquet, Arrow, hub sets) `line` is the 1-based number of the row.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Row:
    """One record as it was read, before anybody knows what it means.

    Attributes:
        index: number of the row over all sources in reading order, from 0; the ledger counts by it.
        source: position of its source in `data.sources`.
        fields: column -> value as decoded (JSON types).
    """

    index: int
    place: Place
    source: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant makes. `arguments` holds exactly the keys that the row had: nothing is filled in."""

    name: str
    arguments: Mapping[str, Any] | str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    Attributes:
        role: system, user, assistant or tool; other spellings (human, gpt, ...) are mapped by `data.formats`.
        content: text of the turn; empty where an assistant only calls tools.
        reasoning: the thinking before the answer (`reasoning_content`), where the row has it.
        tool_calls: calls made by an assistant.
        name, tool_call_id: for results of tools.
        train: False where the row says that this turn is not to be trained; None leaves it to the policy.
        weight: factor on the loss of this turn's tokens.
        input: the input part of an instruction (Alpaca), already contained in `content` after a line break; library
            templates with a heading of its own for it read it.
    """

    role: str
    content: str
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None
    tool_call_id: str | None = None
    train: bool | None = None
    weight: float = 1.0
    input: str | None = None

    @property
    def instruction(self) -> str:
        """The content without its input."""
        return self.content if self.input is None else self.content.removesuffix(f"\n{self.input}")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row that has been understood.

    Attributes:
        messages: the turns in order; empty for plain text.
        tools: JSON schemas of the tools on offer.
        text: for plain text, the text that is trained whole; None for conversations.
        group: rows with the same group never stand in both halves of the split.
        source: position of its source in `data.sources`.
        labels: what the row says of itself in columns of its own: `LABELS` -> text.
    """

    row: int
    place: Place
    messages: tuple[Message, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    text: str | None = None
    group: str | None = None
    source: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


LABELS = ("task_type", "subtype", "domain", "difficulty", "style")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that will not be trained, and why.

    Attributes:
        reason: a short fixed phrase that is counted, as "empty answer".
        detail: what was found, for the ledger.
    """

    row: int
    place: Place
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a rendered text that are trained, with their weight. `turn` is the message's index."""

    start: int
    end: int
    weight: float = 1.0
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation (or one trained turn of it) as the template writes it.

    For every span, `text[:span.start]` is exactly the generation prompt of that turn, and the span is the turn as the
    template writes it, up to and including its stop token (laws 2 and 3).

    Attributes:
        text: the whole text; nothing after the last span is kept.
        spans: trained characters in order, not overlapping; at least one.
        turns: number of messages of the conversation that the text holds.
        typed: characters [start, end) inside the spans where the row's own text spells a control token. They are
            trained as ordinary text: a model that answered with the token itself would stop or change turns there.
        notes: what the user is told about how this text was made, as fixed phrases that can be counted.
    """

    row: int
    place: Place
    text: str
    spans: tuple[Span, ...]
    turns: int = 0
    typed: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids and the weight of each token as a target. Nothing is shifted or padded here.

    Attributes:
        token_ids: int32, (T,).
        weights: float32, (T,); 0 where the token is only seen, > 0 where it is trained. `weights[0]` is always 0 in
            effect: nothing predicts the first token.
    """

    row: int
    token_ids: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Entry:
    """The final state of one row in the ledger (law 1). Exactly one per row that was read."""

    row: int
    place: Place
    state: State
    split: Split = "train"
    reason: str = ""
    detail: str = ""
    turns_lost: int = 0
    tokens_lost: int = 0


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows that share one sequence: numbers of examples in the token store, in order. Unpacked, a pack holds one."""

    examples: tuple[int, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass gets.

    Either packed (B = 1, the rows one after the other, `row_lengths` says where each ends, positions restart; what is
    left behind the last row is padding) or padded on the right (`row_lengths` has B entries). Causal attention inside
    each row; rows never see each other.

    Attributes:
        token_ids_BT: int64.
        position_ids_BT: int64, from 0 in each row.
        target_ids_BT: int64; the token that follows in the same row. Meaningless where the weight is 0.
        target_weights_BT: float32; 0 at padding, at the last token of a row, and where the next token is not trained.
        row_lengths: tokens per row.
        rows: the row number (ledger) of each row.
        examples: the number of each row in the token store; empty where rows come from elsewhere.
    """

    token_ids_BT: torch.Tensor
    position_ids_BT: torch.Tensor
    target_ids_BT: torch.Tensor
    target_weights_BT: torch.Tensor
    row_lengths: tuple[int, ...]
    rows: tuple[int, ...] = ()
    examples: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        """Real tokens, padding not counted."""
        return sum(self.row_lengths)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on `device`."""
        return replace(
            self,
            token_ids_BT=self.token_ids_BT.to(device, non_blocking=True),
            position_ids_BT=self.position_ids_BT.to(device, non_blocking=True),
            target_ids_BT=self.target_ids_BT.to(device, non_blocking=True),
            target_weights_BT=self.target_weights_BT.to(device, non_blocking=True),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out prompt with its reference answer.

    Attributes:
        messages: the turns up to the one to be generated.
        references: accepted answers; the first is the row's own.
        reasoning: the row's own answer thinks first, so the model is asked as for a turn with reasoning.
    """

    row: int
    messages: tuple[Message, ...]
    references: tuple[str, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote. `stopped` tells whether it ended by itself (a stop token) or ran into the limit."""

    text: str
    stopped: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast some steps went. Time is the wall clock without evaluation and checkpoints.

    Attributes:
        tokens_per_s, trained_tokens_per_s: padding not counted.
        padding_share: of all positions that were computed.
        flops_per_s: the model's operations (`model.work`) per second.
        peak_flops_per_s: what the processes' matrix products reach at best (`measured_peak`); 0 where unknown.
        share_of_peak: the former over the latter.
        loop_overhead: share of the time that went neither into forward nor backward nor the optimizer.
        peak_gib: highest memory so far, see `training.meter.peak_gib`.
    """

    tokens_per_s: float
    trained_tokens_per_s: float
    padding_share: float
    flops_per_s: float
    peak_flops_per_s: float
    share_of_peak: float
    loop_overhead: float
    peak_gib: float
