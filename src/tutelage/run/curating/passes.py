"""What the verbs of curation have in common: rows are read and kept on disk, then examined part by part."""

import os
import shutil
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tutelage.curate.decontamination import Index
from tutelage.curate.personal import redacted
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import sample
from tutelage.curate.shingles import Signatures
from tutelage.data.paths import find_files
from tutelage.errors import DataError
from tutelage.recipe import Recipe, Source
from tutelage.records import Conversation, Dropped
from tutelage.run.curating.examining import Examined, Examiner
from tutelage.run.curating.workers import Workers
from tutelage.run.folder import locked
from tutelage.run.path import conversations
from tutelage.run.rows import RowReader, RowWriter, choose
from tutelage.terminal import Terminal
from tutelage.training.durable import writing

ROWS_OF_A_PART, BYTES_OF_A_PART = 1024, 4 << 20  # whichever is less: what is told of a part takes many times its size
ANOTHER = "--output ANOTHER/FOLDER"
RESULTS = {
    "clean.jsonl": "tutelage data clean",
    "selected.jsonl": "tutelage data select",
    "mixed.jsonl": "tutelage data mix",
    "recipe.yaml": "tutelage train",
    "evaluation.json": "tutelage evaluate",
}
FITTED = 12_000  # rows by which relevance is calibrated


@contextmanager
def results_in(output: Path, files: Collection[str], *, sources: Sequence[Source] = ()) -> Iterator[Path]:
    """A folder to work in; at the end, `files` in it replace earlier ones of the same names in `output`.

    The folder is this curation's own while the block lasts.

    Args:
        files: the first tells whose results they are.
        sources: what is read.

    Raises:
        DataError: one of the sources would be replaced, or the results of another verb.
        TrainingError: another process is at work there, or the disk does not take them; the earlier ones stay.
    """
    _refuse_to_replace(sources, {(output / file).resolve() for file in files})
    _refuse_the_folder_of_another_verb(output, own=next(iter(files)))
    work = output / ".work"
    with writing("the curated rows", output, remedy=f"make room, or {ANOTHER}"):
        output.mkdir(parents=True, exist_ok=True)
        lock = locked(output, ANOTHER)
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            yield work
            for file in files:
                os.replace(work / file, output / file)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            os.close(lock)


def _refuse_the_folder_of_another_verb(output: Path, *, own: str) -> None:
    """Files of the same name, as the ledger and the report, would be replaced, and the others be left without them."""
    for file, verb in RESULTS.items():
        if file != own and (output / file).exists():
            raise DataError(
                f"this folder holds the results of {verb}",
                code="cannot-write",
                place=str(output / file),
                expected="a folder for each verb",
                remedy=ANOTHER,
            )


def _refuse_to_replace(sources: Sequence[Source], results: Collection[Path]) -> None:
    """Rows that were dropped before would be read again, and what the user gave would be gone."""
    for file in (file for source in sources for file in find_files(source)):
        if Path(file).resolve() in results:
            raise DataError(
                "this file is read, and the results would replace it",
                code="cannot-write",
                place=file,
                expected="results in a folder apart from the data",
                remedy=ANOTHER,
            )


class Names:
    """Names of groups without personal data: a placeholder and a number, so that two people stay two groups."""

    def __init__(self) -> None:
        self._known = dict[str, str]()

    def __call__(self, group: str) -> str:
        """The name of a group; the same for the same group."""
        if group not in self._known:
            shown, found = redacted(group)
            if not found:
                return group
            self._known[group] = f"{shown} {len(self._known) + 1}"
        return self._known[group]


@dataclass(frozen=True)
class Passes:
    """The passes over a set whose rows lie in `work`."""

    recipe: Recipe
    work: Path
    workers: Workers
    terminal: Terminal

    @property
    def redacts(self) -> bool:
        """Whether personal data is nowhere to be written or shown."""
        return self.recipe.curate.personal_data != "keep"

    def read(
        self,
        unreadable: Callable[[Dropped], None],
        *,
        sources: "array[int] | None" = None,
        as_it_is: bool = False,
    ) -> RowReader:
        """Every row that can be understood, on disk; the others are handed to `unreadable`.

        Args:
            sources: gets the source of each row that is understood.
            as_it_is: personal data in the names of groups too.
        """
        formats, section = list[str](), self.recipe.data
        named = Names() if self.redacts and not as_it_is else None
        with RowWriter(self.work) as kept, self.terminal.progress("reading", section.max_rows) as update:
            for number, row in enumerate(conversations(section, section.trained, formats=formats), 1):
                if number % ROWS_OF_A_PART == 0:
                    update(number, "rows")
                if isinstance(row, Dropped):
                    unreadable(replace(row, detail=redacted(row.detail)[0]) if self.redacts else row)
                    continue
                kept.add(row if named is None or row.group is None else replace(row, group=named(row.group)))
                if sources is not None:
                    sources.append(row.source)
            kept.close()
        for sentence in formats:
            self.terminal.say(sentence)
        return RowReader(self.work)

    def examiner(self, rows: RowReader, evaluation: Index | None) -> Examiner:
        """Who examines the rows: relevance is calibrated by a seeded sample of them."""
        seed = self.recipe.seed
        chosen = choose(range(len(rows)), count=FITTED, seed=seed)
        fitted = Relevance.fit([sample(row) for number in chosen for row in rows.part(number, number + 1)], seed=seed)
        return Examiner(self.work, self.redacts, fitted, evaluation)

    def examined(self, rows: RowReader, examiner: Examiner) -> Iterator[tuple[list[Examined], Signatures]]:
        """What is found in the rows, part by part, in their order."""
        parts = rows.parts(ROWS_OF_A_PART, size=BYTES_OF_A_PART)
        with self.terminal.progress("examining", len(rows)) as update:
            for (_, done), result in zip(parts, self.workers.results(examiner, parts), strict=True):
                yield result
                update(done, "rows")

    def again(self, rows: RowReader) -> Iterator[Conversation]:
        """The rows once more, while results are written."""
        with self.terminal.progress("writing", len(rows)) as update:
            for number, row in enumerate(rows.part(0, len(rows)), 1):
                if number % ROWS_OF_A_PART == 0:
                    update(number, "rows")
                yield row
