"""The ledger: every row that was read ends in exactly one state, and the counts add up (law 1)."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson

from tutelage.errors import DataError, LedgerError
from tutelage.records import Entry, Place, Split, State

# What would keep rows that were dropped for a reason.
_KEPT_BY = {
    "too long": "raise tokens.max_length",
    "malformed line": "mend the lines",
    "missing column": "map the columns with `columns` of the source",
    "unknown role": "rename the roles",
    "empty answer": "fill in or delete these rows",
}
_ABSENT, _TRAIN, _EVAL, _NOTED = range(4)
_PLAIN: dict[Split, int] = {"train": _TRAIN, "eval": _EVAL}


class Ledger:
    """One entry for each row. Rows that are simply used cost 9 bytes; only the others are kept as records."""

    def __init__(self) -> None:
        self._codes = bytearray()  # by row: _ABSENT, used for _TRAIN or _EVAL, or _NOTED: see _noted
        self._files: dict[str, int] = {}
        self._file_of = array("I")
        self._line_of = array("I")
        self._noted: dict[int, Entry] = {}
        self._states: Counter[State] = Counter()
        self._reasons: Counter[tuple[State, str]] = Counter()
        self._first: dict[tuple[State, str], Entry] = {}

    def add(self, entry: Entry) -> None:
        """Enter the final state of a row that has none yet."""
        row = entry.row
        missing = row + 1 - len(self._codes)
        assert missing > 0 or self._codes[row] == _ABSENT, f"row {row} is entered twice"
        if missing > 0:
            self._codes.extend(bytes(missing))
            self._file_of.extend([0] * missing)
            self._line_of.extend([0] * missing)
        place = entry.place
        self._file_of[row] = self._files.setdefault(place.file, len(self._files))
        self._line_of[row] = place.line
        if entry.state == "used" and not entry.reason and not entry.detail:
            self._codes[row] = _PLAIN[entry.split]
        else:
            self._codes[row] = _NOTED
            self._note(entry)
        self._states[entry.state] += 1

    def extend(self, entries: Iterable[Entry]) -> None:
        """Enter several rows."""
        for entry in entries:
            self.add(entry)

    def hold_out(self, rows: Iterable[int]) -> None:
        """Mark rows that are used or shortened as held out for evaluation."""
        for row in rows:
            if self._codes[row] == _NOTED:
                self._noted[row] = replace(self._noted[row], split="eval")
            else:
                self._codes[row] = _EVAL

    def _note(self, entry: Entry) -> None:
        key = (entry.state, entry.reason)
        self._noted[entry.row] = entry
        self._reasons[key] += 1
        first = self._first.get(key)
        if first is None or entry.row < first.row:
            self._first[key] = entry

    @property
    def rows(self) -> int:
        """Number of rows entered."""
        return self._states.total()

    def count(self, state: State) -> int:
        """Number of rows in a state."""
        return self._states[state]

    def reasons(self, state: State = "dropped") -> dict[str, int]:
        """Reason -> rows in that state, the most frequent first."""
        return {reason: count for (of, reason), count in self._reasons.most_common() if of == state}

    def first(self, reason: str, state: State = "dropped") -> Entry:
        """The first row with that reason, in reading order. KeyError where there is none."""
        return self._first[state, reason]

    def entries(self) -> Iterator[Entry]:
        """All entries in reading order."""
        names = list(self._files)
        for row, code in enumerate(self._codes):
            if code == _NOTED:
                yield self._noted[row]
            elif code != _ABSENT:
                place = Place(names[self._file_of[row]], self._line_of[row])
                yield Entry(row, place, "used", "eval" if code == _EVAL else "train")

    def _lines(self) -> Iterator[bytes]:
        names = [_writable(name) for name in self._files]
        plain = _fields(Entry(0, Place("", 0), "used"))  # most rows: no record is made of each
        splits = {code: split for split, code in _PLAIN.items()}
        for row, code in enumerate(self._codes):
            if code == _NOTED:
                yield orjson.dumps(_fields(self._noted[row]), option=orjson.OPT_APPEND_NEWLINE)
            elif code != _ABSENT:
                plain["row"], plain["file"], plain["line"] = row, names[self._file_of[row]], self._line_of[row]
                plain["split"] = splits[code]
                yield orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)

    def summary(self) -> dict[str, Any]:
        """Counts: rows, used, shortened, dropped, and reasons (of dropped rows, which add up to `dropped`)."""
        states = {state: self._states[state] for state in get_args(State)}
        return {"rows": self.rows, **states, "reasons": self.reasons()}

    def check(self, max_lost_share: float, *, rows_read: int | None = None) -> None:
        """Stop before training when too many rows are lost. Lost are dropped rows; shortened ones still train.

        Args:
            max_lost_share: the largest share of lost rows that is accepted.
            rows_read: how many rows were read, where the caller counted them too.

        Raises:
            LedgerError: too many are lost, or no row is left: rows, share, reasons with counts and first places.
        """
        self._assert_complete(rows_read)
        lost = self.count("dropped")
        if self.rows and lost < self.rows and lost <= max_lost_share * self.rows:
            return
        share = lost / self.rows if self.rows else 0.0
        found = f"{lost:,} of {self.rows:,} rows would be lost ({share:.1%})"
        expected = f"at most {max_lost_share:.1%} (data.max_lost_share)"
        raise LedgerError(
            "\n".join([found, *self._told_reasons()]), code="rows-lost", expected=expected, remedy=self._remedy(share)
        )

    def _assert_complete(self, rows_read: int | None) -> None:
        assert self._codes.count(_ABSENT) == 0, f"row {self._codes.index(_ABSENT)} has no entry"
        assert self.rows == len(self._codes) == sum(self._states.values())
        assert self.count("dropped") == sum(self.reasons().values())
        assert rows_read is None or rows_read == self.rows, f"{rows_read} rows were read, {self.rows} are entered"

    def _told_reasons(self) -> Iterator[str]:
        for reason, count in self.reasons().items():
            entry = self.first(reason)
            detail = f" ({entry.detail})" if entry.detail else ""
            keep = f"; {_KEPT_BY[reason]}" if reason in _KEPT_BY else ""
            yield f"    {count:,} x {reason or 'no reason'}, first at {entry.place}{detail}{keep}"

    def _remedy(self, share: float) -> str:
        if share >= 1 or not self.rows:
            return "mend the rows: nothing is left to train on"
        enough = math.ceil(share * 1000) / 1000
        return f"mend the rows, or accept the loss with --set data.max_lost_share={enough}"

    def write(self, path: str | Path) -> None:
        """All entries as JSONL: row, file, line, state, split, reason, detail, turns_lost, tokens_lost.

        Raises:
            DataError: the file cannot be written.
        """
        try:
            with open(path, "wb") as file:
                file.writelines(self._lines())
        except OSError as error:
            raise DataError(
                f"the ledger cannot be written: {error.strerror}", code="cannot-write", place=str(path)
            ) from None


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "row": entry.row,
        "file": _writable(entry.place.file),
        "line": entry.place.line,
        "state": entry.state,
        "split": entry.split,
        "reason": entry.reason,
        "detail": _writable(entry.detail),
        "turns_lost": entry.turns_lost,
        "tokens_lost": entry.tokens_lost,
    }


def read_entries(path: str | Path) -> Iterator[Entry]:
    """The entries of a ledger that was written to a file."""
    with open(path, "rb") as file:
        for line in file:
            fields = orjson.loads(line)
            place = Place(fields.pop("file"), fields.pop("line"))
            yield Entry(place=place, **fields)


def _writable(text: str) -> str:
    """File names and values may hold half of a surrogate pair, which UTF-8 cannot."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
