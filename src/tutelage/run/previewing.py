"""The verb preview: the tokens and weights of the first rows, read back from the batches that a trainer would get."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.text import Text

from tutelage.recipe import Recipe, refuse_curation
from tutelage.records import Conversation, Dropped
from tutelage.run.assemble import Speech, speech
from tutelage.run.coloured import Look, interlinear, legend, look_of, readable, role_table, running
from tutelage.run.engine import plan_batches
from tutelage.run.path import conversations, results
from tutelage.run.readback import BatchReader, ReadBatch, ReadRow, count_roles
from tutelage.terminal import Terminal
from tutelage.tokens.encode import Encoded
from tutelage.tokens.store import StoreWriter

_LISTED = 12  # rows that a heading names


@dataclass(frozen=True)
class Previews:
    """The first rows of a data set: what is trained, and what is refused.

    Attributes:
        batches: of the first epoch, with these rows as the whole set.
        notes: what was told about how texts and tokens were made.
    """

    batches: tuple[ReadBatch, ...]
    refused: tuple[Dropped, ...]
    formats: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def examples(self) -> tuple[ReadRow, ...]:
        """All examples, in the order of their rows."""
        return tuple(sorted((row for batch in self.batches for row in batch.rows), key=lambda row: row.example))

    def summary(self) -> dict[str, Any]:
        """As `tutelage preview --json` prints it."""
        return {
            "examples": [_example(one) for one in self.examples],
            "batches": [_batch(batch) for batch in self.batches],
            **_by_role(self.examples),
            "refused": [
                {"row": one.row, "source": str(one.place), "reason": one.reason, "detail": one.detail}
                for one in self.refused
            ],
            "notes": list(self.notes),
        }


def preview(recipe: Recipe) -> Previews:
    """Walk the first `data.max_rows` rows down the data path and batch them as training would. Needs a tokenizer, no
    weights: a run that packs checks law 4 on its model before, and pads the rows where it does not hold.

    Raises:
        TutelageError: data, tokenizer or template cannot be read.
    """
    refuse_curation(recipe)
    spoken = speech(recipe)
    formats: list[str] = []
    kept: list[Encoded] = []
    refused: list[Dropped] = []
    understood: dict[int, Conversation] = {}
    for chunk, made in results(conversations(recipe.data, recipe.data.trained, formats=formats), spoken):
        understood.update((row.row, row) for row in chunk if isinstance(row, Conversation))
        kept += [one for one in made if isinstance(one, Encoded)]
        refused += [one for one in made if isinstance(one, Dropped)]
    told = dict.fromkeys(chain(spoken.tokenizer.notes, *(one.notes for one in kept), _shortened(kept)))
    return Previews(_batches(kept, understood, recipe=recipe, spoken=spoken), tuple(refused), tuple(formats), (*told,))


def _batches(
    kept: Sequence[Encoded], understood: Mapping[int, Conversation], *, recipe: Recipe, spoken: Speech
) -> tuple[ReadBatch, ...]:
    """The rows through a token store into the batches of the first epoch, and back."""
    with TemporaryDirectory(prefix="tutelage-preview-") as folder, StoreWriter(Path(folder) / "store") as writer:
        for one in kept:
            for example in one.examples:
                writer.add(example)
        store = writer.finish({})
        numbers = np.arange(len(store))
        plan = plan_batches(numbers, store, spoken=spoken, recipe=recipe, packed=recipe.tokens.packing)
        return tuple(BatchReader(plan, spoken, conversation=understood.__getitem__).epoch())


def _shortened(kept: Sequence[Encoded]) -> list[str]:
    """What the length limit took."""
    lost: Counter[str] = Counter()
    for one in kept:
        lost.update(rows=bool(one.turns_lost), turns=one.turns_lost, tokens=one.tokens_lost)
    if not lost["rows"]:
        return []
    rows = f"{lost['rows']:,} {'row' if lost['rows'] == 1 else 'rows'} shortened"
    return [f"{rows} to tokens.max_length: {lost['turns']:,} turns, {lost['tokens']:,} tokens lost"]


def _example(one: ReadRow) -> dict[str, Any]:
    return {
        "row": one.row,
        "source": str(one.source),
        "token_ids": list(one.token_ids),
        "trained": list(one.trained),
        "pieces": list(one.pieces),
        "positions": list(one.positions),
        "weights": [round(weight, 6) for weight in one.weights],  # float32, without its last digits
        "roles": list(one.roles),
        "batch": one.batch,
        "sequence": one.sequence,
        "offset": one.offset,
        **_by_role([one]),
    }


def _batch(batch: ReadBatch) -> dict[str, Any]:
    sequences = {rows[0].sequence: [row.row for row in rows] for rows in batch.sequences()}
    return {
        "batch": batch.number,
        "packed": batch.packed,
        "sequences": [{"sequence": number, "rows": rows} for number, rows in sequences.items()],
        "tokens": batch.tokens,
        "padding": batch.positions - batch.tokens,
    }


def _by_role(rows: Iterable[ReadRow]) -> dict[str, dict[str, int]]:
    counts = count_roles(rows)
    return {
        "trained_by_role": {one.role: one.trained for one in counts},
        "seen_by_role": {one.role: one.seen for one in counts},
    }


def show_preview(shown: Previews, terminal: Terminal, *, ids: bool = False) -> None:
    """Print previews batch by batch, with the tokens of every row in colour.

    Args:
        ids: below each token its id, position and weight.
    """
    look = look_of(terminal.console)
    for sentence in shown.formats:
        terminal.say(readable(sentence))
    if shown.batches:
        terminal.show(legend(look))
    for batch in shown.batches:
        terminal.say((f"\n{_batch_heading(batch)}", "bold"))
        for number, rows in enumerate(batch.sequences()):
            terminal.say("\n" if number else "", _sequence_heading(rows, batch))
            for row in rows:
                _show_row(row, terminal, look=look, ids=ids)
    for dropped in shown.refused:
        told = readable(f"row {dropped.row} {dropped.place}: refused, {dropped.reason}. {dropped.detail}")
        terminal.say((f"\n{told}", "red"))
    if shown.batches:
        terminal.say()
        terminal.show(role_table(count_roles(shown.examples)))
    for note in shown.notes:
        terminal.note(note)


def _batch_heading(batch: ReadBatch) -> str:
    count = len({row.sequence for row in batch.rows})
    sequences = "1 sequence" if count == 1 else f"{count:,} sequences"
    arranged = " in one line" if batch.packed and count > 1 else ""
    padding = batch.positions - batch.tokens
    return f"batch {batch.number}: {sequences}{arranged}, {batch.tokens:,} tokens and {padding:,} of padding"


def _sequence_heading(rows: Sequence[ReadRow], batch: ReadBatch) -> str:
    tokens = sum(len(row.token_ids) for row in rows)
    numbers = [str(row.row) for row in rows]
    if len(numbers) > _LISTED:
        numbers = [*numbers[:_LISTED], f"... ({len(numbers):,} in all)"]
    named = f"row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}"
    restart = "; positions restart at each row" if len(rows) > 1 else ""
    return f"sequence {rows[0].sequence}: {named}; {tokens:,} of {batch.room:,} tokens{restart}"


def _show_row(row: ReadRow, terminal: Terminal, *, look: Look, ids: bool) -> None:
    """A row's heading and its tokens."""
    length, trained = len(row.token_ids), sum(row.trained)
    start = f", from token {row.offset:,} of the sequence" if row.offset else ""
    place = f" {readable(str(row.source))}  {length:,} tokens, {trained / length:.0%} trained{start}"
    terminal.say((f"\nrow {row.row}", "bold"), place)
    console = terminal.console
    if ids:
        terminal.show(Text("\n").join(interlinear(row, look, width=console.width)))
    elif console.is_terminal:  # lines are broken between words
        console.print(running(row, look), soft_wrap=False, overflow="fold")
    else:
        terminal.show(running(row, look))
