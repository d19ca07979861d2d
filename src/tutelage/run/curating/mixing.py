"""The verb data mix: one epoch of a recipe's sources in their shares, as one file."""

import time
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage import data
from tutelage.recipe import Recipe, refuse_curation
from tutelage.records import Conversation, Entry
from tutelage.run.curating.books import dropped_entry, provenance
from tutelage.run.curating.passes import ROWS_OF_A_PART, Passes, results_in
from tutelage.run.curating.workers import Workers
from tutelage.run.rows import RowReader
from tutelage.run.shares import SourceShare, shares_of, tell_shares
from tutelage.terminal import Terminal
from tutelage.text import count_words

FILES = {"mixed": "mixed.jsonl", "ledger_file": "ledger.jsonl"}
NOT_DRAWN = "not drawn"

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mixed:
    """An epoch that was written.

    Attributes:
        shares: what each source gives; their `tokens` are words.
    """

    output: Path
    ledger: data.Ledger
    shares: tuple[SourceShare, ...]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The last line of `tutelage data mix --json`."""
        shares = [
            {
                "name": one.name,
                "role": one.role,
                "held": one.held,
                "rows": one.rows,
                "words": one.tokens,
                "word_share": round(one.token_share, 6),
                "repeats": round(one.epochs(1), 4),
            }
            for one in self.shares
        ]
        return {
            "output": str(self.output),
            **{name: str(self.output / file) for name, file in FILES.items()},
            "ledger": self.ledger.summary(),
            "sources": shares,
            "seconds": round(self.seconds, 2),
        }


def mix(recipe: Recipe, *, output: str | Path, terminal: Terminal | None = None) -> Mixed:
    """Write the rows of one epoch, repeats and all, in an order drawn by the seed.

    Raises:
        TutelageError: data that cannot be read, a share of a source without rows, no room on the disk.
    """
    refuse_curation(recipe)
    started = time.perf_counter()
    ledger, sources = data.Ledger(), array("q")
    with results_in(Path(output), FILES.values(), sources=recipe.data.trained) as work:
        passes = Passes(recipe, work, Workers(1), terminal or Terminal())
        rows = passes.read(lambda row: ledger.add(dropped_entry(row)), sources=sources, as_it_is=True)
        of_place = np.asarray(sources, dtype=np.int64)
        places = [np.flatnonzero(of_place == number) for number in range(len(recipe.data.trained))]
        held = [len(part) for part in places]
        wanted = data.epoch_rows(recipe.data, held)
        starts = np.cumsum(held) - held
        chosen = data.mixture(held, wanted, seed=recipe.seed)
        drawn = np.concatenate(places)[starts[chosen[:, 0]] + chosen[:, 1]]
        order = np.random.default_rng((recipe.seed, 11)).permutation(len(drawn))
        words = _write(work / FILES["mixed"], rows, drawn[order], terminal=passes.terminal)
        times = np.bincount(drawn, minlength=len(rows))
        for row, count in zip(passes.again(rows), times.tolist(), strict=True):
            ledger.add(_entry(row, count))
        ledger.write(work / FILES["ledger_file"])
    totals = np.bincount(of_place[drawn[order]], weights=words, minlength=len(places)).astype(np.int64)
    shares = shares_of(recipe.data.trained, held, rows=wanted, tokens=totals)
    return Mixed(Path(output), ledger, shares, time.perf_counter() - started)


def _write(path: Path, rows: RowReader, places: Numbers, *, terminal: Terminal) -> Numbers:
    """Write the rows of some places in that order; the words of each."""
    words = np.zeros(len(places), dtype=np.int64)
    with path.open("wb") as file, terminal.progress("writing", len(places)) as update:
        for number, place in enumerate(places.tolist()):
            (row,) = rows.part(place, place + 1)
            columns = data.row_of(row)
            said = [row.text] if row.text is not None else [message.content for message in row.messages]
            words[number] = sum(map(count_words, said))
            file.write(data.line_of(columns | {"provenance": provenance(row)}))
            if number % ROWS_OF_A_PART == 0:
                update(number, "rows")
    return words


def _entry(row: Conversation, count: int) -> Entry:
    if not count:
        return Entry(row.row, row.place, "dropped", reason=NOT_DRAWN)
    return Entry(
        row.row, row.place, "used", reason="repeated" if count > 1 else "", detail=f"{count} times" * (count > 1)
    )


def show_mixed(result: Mixed, terminal: Terminal) -> None:
    """Print what each source gives, and where everything is."""
    tell_shares(result.shares, 1, terminal=terminal, unit="words")
    not_drawn = result.ledger.reasons().get(NOT_DRAWN, 0)
    if not_drawn:
        terminal.note(f"{not_drawn:,} rows are in no epoch of this seed: their source gives fewer than it has")
    rows = sum(one.rows for one in result.shares)
    terminal.say(f"{rows:,} rows: ", (str(result.output / FILES["mixed"]), "bold"))
