"""The verb data inspect: what a data set holds, as a person would read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from tutelage import data
from tutelage.recipe import Recipe, refuse_curation
from tutelage.records import Conversation, Dropped, Entry
from tutelage.run.assemble import Speech, speech
from tutelage.run.path import chunks, conversations, examples
from tutelage.terminal import Terminal
from tutelage.tokens.encode import Encoded

SHOWN = 200  # characters of a turn in the table


@dataclass(frozen=True)
class Inspection:
    """A data set at a glance.

    Attributes:
        first: the first rows.
        lengths: of every usable row, in `unit` (tokens with a model, else characters).
    """

    formats: tuple[str, ...]
    first: tuple[Conversation | Dropped, ...]
    ledger: data.Ledger
    lengths: tuple[int, ...]
    unit: str
    notes: dict[str, int]

    def summary(self) -> dict[str, Any]:
        """As `tutelage data inspect --json` prints it."""
        return {
            "formats": list(self.formats),
            "ledger": self.ledger.summary(),
            "lengths": {"unit": self.unit} | self.quantiles(),
            "notes": self.notes,
            "first": [_as_json(row) for row in self.first],
        }

    def quantiles(self) -> dict[str, int]:
        """Shortest, median, 90 %, 99 % and longest row."""
        if not self.lengths:
            return {}
        shares = {"min": 0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}
        return {name: int(np.quantile(self.lengths, share)) for name, share in shares.items()}


def inspect(recipe: Recipe, *, with_model: bool, rows: int = 5, terminal: Terminal | None = None) -> Inspection:
    """Read a whole data set and tell what became of each row.

    Args:
        with_model: render and tokenise as training would; else only read and understand.
        rows: how many of the first rows are kept for showing.
    """
    refuse_curation(recipe)
    spoken = speech(recipe) if with_model else None
    ledger, formats, notes = data.Ledger(), list[str](), dict[str, int]()
    first: list[Conversation | Dropped] = []
    lengths: list[int] = []
    with (terminal or Terminal(quiet=True)).progress("reading", None) as update:
        for chunk in chunks(conversations(recipe.data, recipe.data.sources, formats=formats)):
            first += chunk[: rows - len(first)]
            for entry, length, told in _outcomes(chunk, spoken):
                ledger.add(entry)
                lengths += [] if entry.state == "dropped" else [length]
                for note in told:
                    notes[note] = notes.get(note, 0) + 1
            update(ledger.rows, "rows")
    unit = "tokens" if spoken else "characters"
    return Inspection(tuple(formats), tuple(first), ledger, tuple(lengths), unit, notes)


_Outcome = tuple[Entry, int, tuple[str, ...]]


def _outcomes(chunk: Sequence[Conversation | Dropped], spoken: Speech | None) -> list[_Outcome]:
    """(ledger entry, length, notes) of each row of a chunk."""
    results = examples(chunk, spoken) if spoken else chunk
    return [_outcome(result) for result in results]


def _outcome(result: Encoded | Conversation | Dropped) -> _Outcome:
    if isinstance(result, Dropped):
        return Entry(result.row, result.place, "dropped", reason=result.reason, detail=result.detail), 0, ()
    if isinstance(result, Conversation):
        text = result.text if result.text is not None else "".join(message.content for message in result.messages)
        return Entry(result.row, result.place, "used"), len(text), ()
    length = sum(len(example.token_ids) for example in result.examples)
    lost = {"turns_lost": result.turns_lost, "tokens_lost": result.tokens_lost}
    state = "shortened" if result.turns_lost else "used"
    return Entry(result.row, result.place, state, **lost), length, result.notes  # type: ignore[arg-type]


def show_inspection(seen: Inspection, terminal: Terminal) -> None:
    """Print the first rows, the formats, the lengths and the ledger."""
    for row in seen.first:
        terminal.show(_table(row))
    for sentence in seen.formats:
        terminal.say(sentence)
    spread = ", ".join(f"{name} {value:,}" for name, value in seen.quantiles().items())
    terminal.say(f"lengths in {seen.unit}: {spread}")
    counts = seen.ledger.summary()
    states = ", ".join(f"{counts[state]:,} {state}" for state in ("used", "shortened", "dropped"))
    terminal.say((f"{counts['rows']:,} rows", "bold"), f": {states}")
    for reason, count in counts["reasons"].items():
        first = seen.ledger.first(reason)
        terminal.note(f"{count:,} dropped: {reason}, first at {first.place} {first.detail}")
    for note, count in seen.notes.items():
        terminal.note(f"{note} ({count:,} rows)")


def _table(row: Conversation | Dropped) -> Table:
    table = Table(title=f"row {row.row}  {row.place}", title_justify="left", show_header=False, expand=True)
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _turns(row):
        table.add_row(name, Text(text if len(text) <= SHOWN else f"{text[:SHOWN]} ... ({len(text):,} characters)"))
    return table


def _turns(row: Conversation | Dropped) -> list[tuple[str, str]]:
    if isinstance(row, Dropped):
        return [("dropped", f"{row.reason}: {row.detail}")]
    if row.text is not None:
        return [("text", row.text)]
    turns = [("tools", ", ".join(str(dict(tool)) for tool in row.tools))] if row.tools else []
    for message in row.messages:
        if message.reasoning:
            turns.append((f"{message.role} (reasoning)", message.reasoning))
        calls = "".join(f"\n-> {call.name}({call.arguments})" for call in message.tool_calls)
        turns.append((message.role, message.content + calls))
    return turns


def _as_json(row: Conversation | Dropped) -> dict[str, Any]:
    if isinstance(row, Dropped):
        return {"row": row.row, "source": str(row.place), "dropped": row.reason, "detail": row.detail}
    turns = [{"role": role, "content": content} for role, content in _turns(row)]
    return {"row": row.row, "source": str(row.place), "turns": turns}
