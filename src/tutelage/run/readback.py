"""What a batch holds, read back from its tensors for people: rows in their sequences, token by token.

A sequence is what `per_device_train_batch_size` counts: a pack of rows, or a single row. A packed batch is one line of
sequences, one after the other; else each sequence is padded to the longest. Batches and sequences are numbered from 1,
rows and positions from 0.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from tutelage.model.loading import TokenizerFacts
from tutelage.records import Conversation, Place
from tutelage.run.assemble import Speech
from tutelage.run.roles import UNKNOWN, RoleReader
from tutelage.template.regions import TEMPLATE, TEXT
from tutelage.tokens.batches import BatchPlan, BatchRow, rows_of
from tutelage.tokens.pieces import pieces

ROLES = ("system", "user", "assistant", "tool", TEXT, TEMPLATE, UNKNOWN)  # in the order in which they are told


@dataclass(frozen=True, slots=True)
class ReadRow:
    """An example as a batch holds it.

    Attributes:
        row, source: the row that it is made of; a row may become several examples.
        example: its number in the token store.
        batch, sequence: where it stands.
        offset: of its first token in the sequence.
        token_ids, positions: of each token.
        weights: of each token as a target; 0 where it is only seen.
        pieces: the text of each token; "" for the first parts of a character that several tokens share.
        control: whether a token is a control token.
        roles: whose each token is: system, user, assistant, tool, text, template or unknown.
    """

    row: int
    source: Place
    example: int
    batch: int
    sequence: int
    offset: int
    token_ids: tuple[int, ...]
    positions: tuple[int, ...]
    weights: tuple[float, ...]
    pieces: tuple[str, ...]
    control: tuple[bool, ...]
    roles: tuple[str, ...]

    @property
    def trained(self) -> tuple[int, ...]:
        """0 or 1 per token."""
        return tuple(int(weight > 0) for weight in self.weights)


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """A batch with its rows in the order in which they stand there.

    Attributes:
        packed: its sequences stand one after the other in a single line; else each has a line of its own.
        positions: of all lines, padding included.
        room: tokens that a sequence may hold: the length limit, or the longest row of a padded batch.
    """

    number: int
    packed: bool
    positions: int
    room: int
    rows: tuple[ReadRow, ...]

    @property
    def tokens(self) -> int:
        """Real tokens, padding not counted."""
        return sum(len(row.token_ids) for row in self.rows)

    def sequences(self) -> list[tuple[ReadRow, ...]]:
        """The rows of each sequence."""
        return [tuple(rows) for _, rows in groupby(self.rows, key=lambda row: row.sequence)]


class BatchReader:
    """Reads the batches of a plan.

    Args:
        conversation: the conversation of a row.
    """

    def __init__(self, plan: BatchPlan, speech: Speech, *, conversation: Callable[[int], Conversation]) -> None:
        self._plan = plan
        self._speech = speech
        self._conversation = conversation
        self._roles = RoleReader(conversation, speech)

    def epoch(self) -> list[ReadBatch]:
        """All batches of the first epoch, in the order in which they are trained on."""
        every = [numbers for step in range(self._plan.steps_per_epoch) for numbers in self._plan.step_packs(step)]
        size = self._plan.batch_size
        return [self._read(numbers, number, number * size) for number, numbers in enumerate(every)]

    def first(self) -> ReadBatch:
        """The first batch of the first step."""
        return self._read(self._plan.step_packs(0)[0], 0, 0)

    def _read(self, numbers: np.ndarray, batches: int, sequences: int) -> ReadBatch:
        """The batch of these packs, after so many batches and sequences."""
        batch, packs = self._plan.batch(numbers), [self._plan.packs[at] for at in numbers]
        members = [(at, example) for at, pack in enumerate(packs, sequences + 1) for example in pack.examples]
        rows: list[ReadRow] = []
        for row, (sequence, example) in zip(rows_of(batch), members, strict=True):
            follows = rows and rows[-1].sequence == sequence
            offset = rows[-1].offset + len(rows[-1].token_ids) if follows else 0
            rows.append(self._row(row, example, batches + 1, (sequence, offset)))
        room = self._speech.max_length if self._plan.packed else batch.token_ids_BT.shape[1]
        return ReadBatch(batches + 1, self._plan.packed, batch.token_ids_BT.numel(), room, tuple(rows))

    def _row(self, row: BatchRow, example: int, batch: int, place: tuple[int, int]) -> ReadRow:
        texts = tuple(pieces(row.token_ids, self._speech.tokenizer.backend))
        sequence, offset = place
        return ReadRow(
            row=row.row,
            source=self._conversation(row.row).place,
            example=example,
            batch=batch,
            sequence=sequence,
            offset=offset,
            token_ids=row.token_ids,
            positions=row.positions,
            weights=row.weights,
            pieces=texts,
            control=_control(row.token_ids, self._speech.tokenizer),
            roles=self._roles.roles(row.row, texts),
        )


def _control(ids: Sequence[int], tokenizer: TokenizerFacts) -> tuple[bool, ...]:
    return tuple(tokenizer.backend.id_to_token(number) in tokenizer.control_tokens for number in ids)


@dataclass(frozen=True, slots=True)
class RoleCount:
    """How many tokens of a role are trained, and how many only seen."""

    role: str
    trained: int
    seen: int


def count_roles(rows: Iterable[ReadRow]) -> tuple[RoleCount, ...]:
    """The tokens of some rows by role; only roles that have any."""
    counts: Counter[tuple[str, int]] = Counter()
    for row in rows:
        counts.update(zip(row.roles, row.trained, strict=True))
    found = (RoleCount(role, counts[role, 1], counts[role, 0]) for role in (*ROLES, *_others(counts)))
    return tuple(one for one in found if one.trained or one.seen)


def _others(counts: Counter[tuple[str, int]]) -> list[str]:
    """Roles that a template knows besides the usual ones."""
    return sorted({role for role, _ in counts} - set(ROLES))
