"""The verb data clean: read, examine each row, compare rows with each other, write what stays and why the rest goes.

Three passes over files, so that a set may be larger than memory: rows are understood and kept on disk; their parts are
examined by several processes; what was decided is written. Some numbers of each row stay in memory.
"""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage import data
from tutelage.curate.duplicates import Duplicate
from tutelage.curate.meaning import embedder
from tutelage.recipe import Recipe
from tutelage.run.curating.asked_labels import Labels
from tutelage.run.curating.books import FILES, Books
from tutelage.run.curating.comparing import Gathered, compare
from tutelage.run.curating.deciding import DUPLICATE, MEANING, Cause, cause_of
from tutelage.run.curating.evaluation_sets import evaluation_index, held_out
from tutelage.run.curating.examining import Examiner
from tutelage.run.curating.guarding import Watch
from tutelage.run.curating.passes import Passes, results_in
from tutelage.run.curating.spool import Findings, Prompts
from tutelage.run.curating.workers import Workers
from tutelage.run.rows import RowReader
from tutelage.terminal import Terminal


@dataclass(frozen=True)
class Cleaned:
    """What a curation did.

    Attributes:
        output: the folder with the results.
        figures: what the report says, as JSON types.
    """

    output: Path
    ledger: data.Ledger
    figures: Mapping[str, Any]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The last line of `tutelage data clean --json`."""
        return {
            "output": str(self.output),
            **{name: str(self.output / file) for name, file in FILES.items()},
            "ledger": self.ledger.summary(),
            "verdict": self.figures["verdict"],
            "seconds": round(self.seconds, 2),
        }


def clean(
    recipe: Recipe, *, output: str | Path, workers: Workers | None = None, terminal: Terminal | None = None
) -> Cleaned:
    """Write the rows that deserve to be trained on, and the others with the reason. The same rows give the same files,
    whoever works.

    Args:
        output: folder for the results; earlier ones in it are replaced when the new ones are whole.

    Raises:
        TutelageError: data that cannot be read, evaluation sets that cannot be found, no room on the disk.
    """
    started = time.perf_counter()
    named = recipe.curate.semantic_model
    embed, index, held = embedder(named) if named else None, evaluation_index(recipe), held_out(recipe)
    asked = Watch(recipe.curate, Path(output) / "guard"), Labels(recipe.curate, Path(output) / "labels")
    sources = (*recipe.data.trained, *recipe.data.eval_sources)
    with results_in(Path(output), FILES.values(), sources=sources) as work, Books(recipe, work) as books:
        passes = Passes(recipe, work, workers or Workers(), terminal or Terminal())
        rows = passes.read(books.unreadable)
        examiner = passes.examiner(rows, index)
        with Prompts(work / "prompts") as prompts, Findings(work / "findings") as findings:
            gathered = _examined(passes, rows, examiner=examiner, asked=asked, files=(findings, prompts))
            if held or recipe.curate.deduplicate:
                passes.terminal.say("comparing prompts")
            compared = compare(gathered, held, deduplicate=recipe.curate.deduplicate, embed=embed)
            for place, (row, found) in enumerate(zip(passes.again(rows), findings, strict=True)):
                found = replace(found, leak=found.leak or compared.leaks.get(place))
                cause = cause_of(found, recipe.curate) or _repeats(compared.repeated.get(place), rows)
                books.enter(row, found, cause=cause)
        again = [f"--data {shlex.quote(source.path)}" for source in recipe.data.trained]
        command = f"tutelage data clean {' '.join(again)} --output {shlex.quote(f'{output}-again')}"
        ledger, figures = books.close(examiner, rows, repeated=list(compared.repeated.values()), command=command)
    return Cleaned(Path(output), ledger, figures, time.perf_counter() - started)


def _examined(
    passes: Passes,
    rows: RowReader,
    *,
    examiner: Examiner,
    asked: tuple[Watch, Labels],
    files: tuple[Findings, Prompts],
) -> Gathered:
    """Examine all rows, and gather what those are compared by that may stay."""
    findings, prompts = files
    gathered = Gathered(passes.recipe.curate, prompts)
    for found, of_part in passes.examined(rows, examiner):
        part = list(rows.part(len(gathered), len(gathered) + len(found))) if any(one.asks for one in asked) else []
        for one in asked:
            found = one.over(found, part, examiner=examiner)
        findings.extend(found)
        gathered.add(found, of_part)
    for one in asked:
        one.tell(passes.terminal.note)
    return gathered


def _repeats(one: Duplicate | None, rows: RowReader) -> Cause | None:
    """Why a duplicate goes: for which row."""
    if one is None:
        return None
    (kept,) = rows.part(one.kept, one.kept + 1)
    return Cause(
        "duplicates",
        MEANING if one.stage == "meaning" else DUPLICATE,
        f"{one.stage}, {one.similarity:.2f}, as at {kept.place}",
    )


def show_cleaned(result: Cleaned, terminal: Terminal) -> None:
    """Print what stays, why the rest goes, and where everything is."""
    terminal.say((str(result.figures["verdict"]), "bold"))
    for reason, count in result.ledger.reasons().items():
        first = result.ledger.first(reason)
        terminal.note(f"{count:,} dropped: {reason}, first at {first.place} ({first.detail})")
    for reason, count in result.ledger.reasons("used").items():
        terminal.note(f"{count:,} kept: {reason}")
    terminal.say(f"rows: {result.output / FILES['clean']}\nreport: ", (str(result.output / FILES["report"]), "bold"))
