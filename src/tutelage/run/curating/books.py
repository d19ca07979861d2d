"""Where every row of a curation ends: in one of two files, in the ledger, and in the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tutelage import data
from tutelage.curate.duplicates import Duplicate
from tutelage.curate.taxonomy import UNKNOWN
from tutelage.recipe import Recipe
from tutelage.records import Conversation, Dropped, Entry
from tutelage.report.data_page import summary, write
from tutelage.run.curating.account import Account
from tutelage.run.curating.deciding import Cause
from tutelage.run.curating.examining import Examined, Examiner, without_personal_data
from tutelage.run.rows import RowReader

FILES = {
    "clean": "clean.jsonl",
    "dropped": "dropped.jsonl",
    "ledger_file": "ledger.jsonl",
    "report": "report.html",
    "figures": "report.json",
}
REDACTED = "personal data redacted"


class Books:
    """Enters rows, and closes when all have been entered. A context: the files are closed at its end."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._section, self._folder = recipe.curate, folder
        self._ledger, self._account = data.Ledger(), Account(recipe)
        self._clean = (folder / FILES["clean"]).open("wb")
        self._dropped = (folder / FILES["dropped"]).open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean.close()
        self._dropped.close()

    def unreadable(self, row: Dropped) -> None:
        """Enter a row that could not be understood."""
        self._ledger.add(dropped_entry(row))
        self._account.unreadable(row)
        fields = {"provenance": provenance(row), "reason": row.reason, "detail": row.detail}
        self._dropped.write(data.line_of(fields))

    def enter(self, row: Conversation, found: Examined, *, cause: Cause | None) -> None:
        """Enter a row that stays, or goes for a cause."""
        redacts = bool(found.personal) and self._section.personal_data != "keep"
        shown = without_personal_data(row) if redacts else row
        self._account.add(shown, found, cause=cause)
        fields = data.row_of(shown) | findings_of(shown, found)
        if cause is None:
            reason = REDACTED if redacts else ""
            detail = ", ".join(f"{count} x {kind}" for kind, count in sorted(found.personal.items())) if redacts else ""
            self._ledger.add(Entry(row.row, row.place, "used", reason=reason, detail=detail))
            self._clean.write(data.line_of(fields))
        else:
            reason, detail = cause.reason, cause.detail
            self._ledger.add(Entry(row.row, row.place, "dropped", reason=reason, detail=detail))
            self._dropped.write(data.line_of(fields | {"reason": reason, "detail": detail}))

    def close(
        self, examiner: Examiner, rows: RowReader, *, repeated: Sequence[Duplicate], command: str
    ) -> tuple[data.Ledger, Mapping[str, Any]]:
        """Write the ledger and the report; the ledger and the report's figures."""
        self._clean.close()
        self._dropped.close()
        self._ledger.write(self._folder / FILES["ledger_file"])
        report = self._account.report(examiner, rows, repeated=repeated, command=command)
        write(report, self._folder / FILES["report"])
        figures = summary(report)
        (self._folder / FILES["figures"]).write_bytes(data.line_of(figures))
        return self._ledger, figures


def dropped_entry(row: Dropped) -> Entry:
    """The ledger's entry for a row that could not be understood."""
    return Entry(row.row, row.place, "dropped", reason=row.reason, detail=row.detail)


def provenance(row: Conversation | Dropped) -> dict[str, Any]:
    """Where a row comes from, as a column."""
    return {"row": row.row, "file": row.place.file, "line": row.place.line}


def findings_of(row: Conversation, found: Examined) -> dict[str, Any]:
    """What was found, as columns beside those of the row."""
    labels = asdict(found.labels)
    named = {("task_type" if name == "type" else name): label for name, label in labels.items() if label != UNKNOWN}
    return named | {
        "language": found.language,
        "quality": round(found.scores.overall, 4),
        "scores": dict(_rounded(asdict(found.scores))),
        "tags": list(found.tags),
        **({} if found.guard is None else {"guard": asdict(found.guard)}),
        "provenance": provenance(row),
    }


def _rounded(scores: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, score in scores.items():
        yield name, round(score, 4) if isinstance(score, float) else score
