"""The verb data clean: read, examine each row, compare rows with each other, write what stays and why the rest goes.

Three passes over files, so that a set may be larger than memory: rows are understood and kept on disk; their parts are
examined by several processes; what was decided is written. Some numbers of each row stay in memory.
"""

import shlex
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage import data
from tutelage.curate.duplicates import Duplicate, clustered
from tutelage.curate.shingles import Signatures, join
from tutelage.recipe import Recipe
from tutelage.run.curating.books import FILES, Books
from tutelage.run.curating.deciding import DUPLICATE, Cause, cause_of
from tutelage.run.curating.evaluation_sets import evaluation_index
from tutelage.run.curating.examining import Examiner
from tutelage.run.curating.guarding import Watch
from tutelage.run.curating.passes import Passes, results_in
from tutelage.run.curating.spool import Findings, Prompts
from tutelage.run.curating.workers import Workers
from tutelage.run.rows import RowReader
from tutelage.terminal import Terminal

PASSED_OVER = -1.0  # score of a row that goes anyhow: no other row goes for it


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
    index, watch = evaluation_index(recipe), Watch(recipe.curate, Path(output) / "guard")
    sources = (*recipe.data.trained, *recipe.data.eval_sources)
    with results_in(Path(output), FILES.values(), sources=sources) as work, Books(recipe, work) as books:
        passes = Passes(recipe, work, workers or Workers(), terminal or Terminal())
        rows = passes.read(books.unreadable)
        examiner = passes.examiner(rows, index)
        with Prompts(work / "prompts") as prompts, Findings(work / "findings") as findings:
            repeated = _examined(passes, rows, examiner=examiner, watch=watch, files=(findings, prompts))
            for place, (row, found) in enumerate(zip(passes.again(rows), findings, strict=True)):
                cause = cause_of(found, recipe.curate) or _repeats(repeated.get(place), rows)
                books.enter(row, found, cause=cause)
        again = [f"--data {shlex.quote(source.path)}" for source in recipe.data.trained]
        command = f"tutelage data clean {' '.join(again)} --output {shlex.quote(f'{output}-again')}"
        ledger, figures = books.close(examiner, rows, repeated=list(repeated.values()), command=command)
    return Cleaned(Path(output), ledger, figures, time.perf_counter() - started)


def _examined(
    passes: Passes, rows: RowReader, *, examiner: Examiner, watch: Watch, files: tuple[Findings, Prompts]
) -> dict[int, Duplicate]:
    """Examine all rows, and compare those that may stay with each other: place of a row that goes -> for which one."""
    section, (findings, prompts) = passes.recipe.curate, files
    scores, settings, signatures = array("f"), array("Q"), list[Signatures]()
    for unguarded, of_part in passes.examined(rows, examiner):
        part = list(rows.part(len(scores), len(scores) + len(unguarded))) if section.guard_url else []
        found = watch.over(unguarded, part, examiner=examiner)
        findings.extend(found)
        signatures.append(of_part)
        for one in found:
            prompts.append(one.prompt)
            settings.append(one.setting)
            scores.append(PASSED_OVER if cause_of(one, section) else one.scores.overall)
    watch.tell(passes.terminal.note)
    if not (section.deduplicate and signatures):
        return {}
    passes.terminal.say("comparing prompts")
    same = clustered(
        join(signatures),
        prompts,
        scores=np.asarray(scores, dtype=np.float32),
        settings=np.asarray(settings, dtype=np.uint64),
    )
    return {one.row: one for one in same.duplicates if scores[one.row] != PASSED_OVER}


def _repeats(one: Duplicate | None, rows: RowReader) -> Cause | None:
    """Why a duplicate goes: for which row."""
    if one is None:
        return None
    (kept,) = rows.part(one.kept, one.kept + 1)
    return Cause("duplicates", DUPLICATE, f"{one.stage}, {one.similarity:.2f}, as at {kept.place}")


def show_cleaned(result: Cleaned, terminal: Terminal) -> None:
    """Print what stays, why the rest goes, and where everything is."""
    terminal.say((str(result.figures["verdict"]), "bold"))
    for reason, count in result.ledger.reasons().items():
        first = result.ledger.first(reason)
        terminal.note(f"{count:,} dropped: {reason}, first at {first.place} ({first.detail})")
    for reason, count in result.ledger.reasons("used").items():
        terminal.note(f"{count:,} kept: {reason}")
    terminal.say(f"rows: {result.output / FILES['clean']}\nreport: ", (str(result.output / FILES["report"]), "bold"))
