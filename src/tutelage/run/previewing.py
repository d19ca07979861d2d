"""The verb preview: the tokens and weights of the first rows, read back from the batch that a trainer would get."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

from rich.text import Text
from tokenizers import Tokenizer

from tutelage.recipe import Recipe
from tutelage.records import Dropped, Place
from tutelage.run.assemble import speech
from tutelage.run.path import conversations, examples
from tutelage.terminal import Terminal
from tutelage.tokens.batches import BatchRow, packed_batch, rows_of
from tutelage.tokens.encode import Encoded
from tutelage.tokens.pieces import pieces

TRAINED, SEEN = "bold black on bright_green", "dim"


@dataclass(frozen=True)
class Preview:
    """One example as it is trained.

    Attributes:
        trained: 0 or 1 per token.
        pieces: the text of each token.
    """

    row: int
    source: Place
    token_ids: tuple[int, ...]
    trained: tuple[int, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Previews:
    """The first rows of a data set: what is trained, and what is refused."""

    examples: tuple[Preview, ...]
    refused: tuple[Dropped, ...]
    formats: tuple[str, ...]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """As `tutelage preview --json` prints it."""
        return {
            "examples": [
                {
                    "row": one.row,
                    "source": str(one.source),
                    "token_ids": list(one.token_ids),
                    "trained": list(one.trained),
                    "pieces": list(one.pieces),
                }
                for one in self.examples
            ],
            "refused": [
                {"row": one.row, "source": str(one.place), "reason": one.reason, "detail": one.detail}
                for one in self.refused
            ],
            "notes": list(self.notes),
        }


def preview(recipe: Recipe) -> Previews:
    """Walk the first `data.max_rows` rows down the data path. Needs a tokenizer, no weights.

    Raises:
        TutelageError: data, tokenizer or template cannot be read.
    """
    spoken = speech(recipe)
    formats: list[str] = []
    results = list(examples(list(conversations(recipe.data, recipe.data.sources, formats=formats)), spoken))
    kept = sorted((one for one in results if isinstance(one, Encoded)), key=lambda one: one.row)
    places = {one.row: one.place for one in kept}
    made = [example for one in kept for example in one.examples]
    rows = list(rows_of(packed_batch(made))) if made else []
    notes = dict.fromkeys(chain(spoken.tokenizer.notes, *(one.notes for one in kept)))
    backend = spoken.tokenizer.backend
    return Previews(
        examples=tuple(_preview(row, places[row.row], backend) for row in rows),
        refused=tuple(one for one in results if isinstance(one, Dropped)),
        formats=tuple(formats),
        notes=tuple(notes),
    )


def _preview(row: BatchRow, place: Place, tokenizer: Tokenizer) -> Preview:
    trained = tuple(int(weight > 0) for weight in row.weights)
    return Preview(row.row, place, row.token_ids, trained, tuple(pieces(row.token_ids, tokenizer)))


def show_preview(shown: Previews, terminal: Terminal, *, ids: bool = False) -> None:
    """Print previews: trained tokens on green, tokens that are only seen dim."""
    for sentence in shown.formats:
        terminal.say(sentence)
    terminal.say(("trained", TRAINED), " ", ("only seen", SEEN))
    for one in shown.examples:
        share = sum(one.trained) / len(one.trained)
        place = f" {one.source}  {len(one.token_ids)} tokens, {share:.0%} trained"
        terminal.say((f"\nrow {one.row}", "bold"), place)
        terminal.show(_coloured(one, ids))
    for dropped in shown.refused:
        terminal.say((f"\nrow {dropped.row} {dropped.place}: refused, {dropped.reason}. {dropped.detail}", "red"))
    for note in shown.notes:
        terminal.note(note)


def _coloured(one: Preview, ids: bool) -> Text:
    text = Text()
    for number, trained, piece in zip(one.token_ids, one.trained, one.pieces, strict=True):
        shown = piece.replace("\n", "\u23ce\n")
        text.append(shown, style=TRAINED if trained else SEEN)
        if ids:
            text.append(f"\u00b7{number} ", style="cyan")
    return text
