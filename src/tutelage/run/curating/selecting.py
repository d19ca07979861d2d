"""The verb data select: so many rows of a set, balanced over what they are about, the best first."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tutelage import data
from tutelage.curate.selection import By, Candidates, Selection, select
from tutelage.recipe import Recipe
from tutelage.records import Entry
from tutelage.run.curating.asked_labels import Labels
from tutelage.run.curating.books import dropped_entry, findings_of
from tutelage.run.curating.passes import Passes, results_in
from tutelage.run.curating.spool import Findings
from tutelage.run.curating.workers import Workers
from tutelage.terminal import Terminal

__all__ = ["By", "Selected", "Wanted", "select_rows", "show_selected"]

FILES = {"selected": "selected.jsonl", "ledger_file": "ledger.jsonl", "figures": "selection.json"}
NOT_SELECTED = "not selected"
SHOWN = 8  # cells that stay below their share


@dataclass(frozen=True)
class Selected:
    """The rows that were chosen; `output` holds them, the ledger and the selection's figures."""

    output: Path
    ledger: data.Ledger
    selection: Selection
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The last line of `tutelage data select --json`."""
        return {
            "output": str(self.output),
            **{name: str(self.output / file) for name, file in FILES.items()},
            "ledger": self.ledger.summary(),
            "selection": self.selection.summary(),
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True)
class Wanted:
    """How many rows, and which.

    Attributes:
        by: `quality` balances types and topics and takes the best; `random` and `longest` are what it is compared with.
        proportion: 0: each cell of type and topic gives the same; 1: as many as it has in the set.
    """

    rows: int
    by: By = "quality"
    proportion: float = 0.0


def select_rows(
    recipe: Recipe,
    wanted: Wanted,
    *,
    output: str | Path,
    workers: Workers | None = None,
    terminal: Terminal | None = None,
) -> Selected:
    """Write so many rows. Fewer are told as such; none is repeated.

    Raises:
        TutelageError: data that cannot be read, no room on the disk.
    """
    started = time.perf_counter()
    ledger, labels = data.Ledger(), Labels(recipe.curate, Path(output) / "labels", every=True)
    with results_in(Path(output), FILES.values(), sources=recipe.data.trained) as work:
        passes = Passes(recipe, work, workers or Workers(), terminal or Terminal())
        rows = passes.read(lambda row: ledger.add(dropped_entry(row)))
        candidates, examiner = Candidates(), passes.examiner(rows, None)
        with Findings(work / "findings") as findings:
            for found, _ in passes.examined(rows, examiner):
                part = list(rows.part(len(candidates), len(candidates) + len(found))) if labels.asks else []
                found = labels.over(found, part, examiner=examiner)
                findings.extend(found)
                for one in found:
                    candidates.add(one.labels, quality=one.scores.overall, words=one.words, prompt=one.prompt)
            labels.tell(passes.terminal.note)
            chosen = select(
                candidates.columns(),
                target=wanted.rows,
                by=wanted.by,
                seed=recipe.seed,
                proportion=wanted.proportion,
            )
            places = set(chosen.indices.tolist())
            with (work / FILES["selected"]).open("wb") as file:
                for place, (row, one) in enumerate(zip(passes.again(rows), findings, strict=True)):
                    if place in places:
                        ledger.add(Entry(row.row, row.place, "used"))
                        shown = examiner.shown(row, one)
                        file.write(data.line_of(data.row_of(shown) | findings_of(shown, one)))
                    else:
                        ledger.add(Entry(row.row, row.place, "dropped", reason=NOT_SELECTED))
        ledger.write(work / FILES["ledger_file"])
        (work / FILES["figures"]).write_bytes(data.line_of(chosen.summary()))
    return Selected(Path(output), ledger, chosen, time.perf_counter() - started)


def show_selected(result: Selected, terminal: Terminal) -> None:
    """Print how the choice compares with the baselines, where rows are missing, and where everything is."""
    selection = result.selection
    table = Table(
        title=f"{len(selection.indices):,} of {result.ledger.rows:,} rows chosen", title_justify="left", box=None
    )
    for name in ("by", "quality", "entropy", "similarity", "words"):
        table.add_column(name, justify="left" if name == "by" else "right")
    for choice in selection.comparison:
        table.add_row(
            choice.by,
            f"{choice.mean_quality:.3f}",
            f"{choice.entropy:.3f}",
            f"{choice.mean_similarity:.4f}",
            f"{choice.total_words:,}",
        )
    terminal.show(table)
    if selection.missing:
        terminal.note(f"{selection.missing:,} rows fewer than asked for: the set has no more that fit")
    for one in selection.shortfalls[:SHOWN]:
        terminal.note(f"{' x '.join(one.cell)}: {one.missing:,} rows fewer than its share: {one.reason}")
    if len(selection.shortfalls) > SHOWN:
        terminal.note(f"and {len(selection.shortfalls) - SHOWN} more cells; all in {FILES['figures']}")
    if cut_short := sum(quota.cut_short for quota in selection.quotas):
        terminal.note(
            f"{cut_short:,} rows were not compared with all that may be like them: too many share their words"
        )
    terminal.say("rows: ", (str(result.output / FILES["selected"]), "bold"))
