"""Rows from files, folders, globs and the Hub, in reading order, one at a time."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa

from tutelage.data.hub import read_hub
from tutelage.data.json_files import read_json
from tutelage.data.paths import ENDINGS, ending, find_files
from tutelage.data.pieces import Malformed, Piece
from tutelage.data.streams import DAMAGED, decode, lines, opened
from tutelage.data.tables import ARROW_FILE, PARQUET_FILE, read_arrow, read_csv, read_parquet
from tutelage.data.values import shown
from tutelage.errors import DataError
from tutelage.recipe import Source
from tutelage.records import Dropped, Place, Row

MALFORMED = "malformed line"
_DROP = "--set data.malformed=drop"


def read(
    sources: Sequence[Source],
    *,
    max_rows: int | None = None,
    malformed: Literal["refuse", "drop"] = "refuse",
    first_row: int = 0,
    first_source: int = 0,
) -> Iterator[Row | Dropped]:
    """The rows of all sources, in order. Paths are looked up now, contents are read as the iterator goes.

    Every row that is read gets the next index, malformed ones included, so the indices are those of the ledger.
    A file is held in memory only where its kind demands it (JSON arrays, compressed Parquet).

    Args:
        sources: where rows come from.
        max_rows: stop after so many rows in all.
        malformed: what happens to a line or element that does not parse or is no object: an error, or Dropped.
        first_row: index of the first row, where these sources follow others in the same ledger.
        first_source: number of the first source, likewise.

    Raises:
        DataError: nothing to read, a file that is missing, empty, unreadable, truncated or wrongly encoded, no rows at
            all, or (unless dropped) a malformed line.
    """
    check_named(sources)
    origins = [(number, source, find_files(source)) for number, source in enumerate(sources, first_source)]
    return _rows(origins, max_rows=max_rows, drop=malformed == "drop", first_row=first_row)


def check_named(sources: Sequence[Source]) -> None:
    """Refuse an empty list of training data.

    Raises:
        DataError: no source is named.
    """
    if not sources:
        raise DataError("no data is named", code="no-such-data", place="data.sources", remedy="--set data.sources=FILE")


def _rows(
    origins: Sequence[tuple[int, Source, tuple[str, ...]]], *, max_rows: int | None, drop: bool, first_row: int
) -> Iterator[Row | Dropped]:
    index = first_row
    for number, place, value in _located(origins):
        if max_rows is not None and index - first_row >= max_rows:
            return
        if isinstance(value, dict):
            yield Row(index, place, number, value)
        elif drop:
            yield Dropped(index, place, MALFORMED, _problem(value).found)
        else:
            raise _refusal(place, _problem(value))
        index += 1
    if index == first_row:
        named = ", ".join(source.path for _, source, _ in origins)
        raise DataError(
            "no rows", code="no-rows", place=named, expected="at least one row", remedy="check data.sources"
        )


def _located(origins: Sequence[tuple[int, Source, tuple[str, ...]]]) -> Iterator[tuple[int, Place, Any]]:
    """(number of the source, place, decoded value) over all files and Hub sets."""
    for number, source, files in origins:
        if not files:
            yield from ((number, Place(source.path, line), value) for line, value in read_hub(source))
        for file in files:
            yield from ((number, Place(file, line), value) for line, value in _guarded(_file_pieces(file), file))


def _problem(value: Any) -> Malformed:
    if isinstance(value, Malformed):
        return value
    return Malformed(f"{type(value).__name__} {shown(value)} where a row should be")


def _refusal(place: Place, problem: Malformed) -> DataError:
    remedy = f"{problem.remedy}, or {_DROP}"
    return DataError(problem.found, code="unreadable-file", place=str(place), expected=problem.expected, remedy=remedy)


def _guarded(pieces: Iterator[Piece], file: str) -> Iterator[Piece]:
    """The same pieces; what the operating system and the decoders raise becomes a DataError."""
    try:
        yield from pieces
    except DAMAGED as error:
        found = f"the compressed file is cut off or damaged: {error}"
        raise DataError(found, code="unreadable-file", place=file, remedy="fetch or write the file again") from None
    except (OSError, pa.ArrowException, UnicodeDecodeError, MemoryError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"the file cannot be read: {problem}",
            code="unreadable-file",
            place=file,
            remedy="check or rewrite the file",
        ) from None


def _file_pieces(file: str) -> Iterator[Piece]:
    with opened(file) as stream:
        first = stream.peek(len(ARROW_FILE))
        if not first:
            raise DataError(
                "the file is empty",
                code="no-rows",
                place=file,
                expected="at least one row",
                remedy="check data.sources",
            )
        yield from _reader(file, first)(stream, file)


def _reader(file: str, first: bytes) -> Callable[[io.BufferedReader, str], Iterator[Piece]]:
    """The reader by the first bytes where they are telling, otherwise by the ending."""
    if first.startswith(PARQUET_FILE):
        return _parquet
    if first.startswith(ARROW_FILE):
        return _arrow
    kind = ending(file)
    if kind in _READERS:
        return _READERS[kind]
    if first.lstrip()[:1] in (b"{", b"["):
        return _json
    raise DataError(
        f"unknown kind of file `{kind}`",
        code="no-such-data",
        place=file,
        expected=", ".join(ENDINGS),
        remedy="rename the file",
    )


def _json(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    return read_json(lines(stream, file), file)


def _csv(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    return read_csv(lines(stream, file), file, delimiter=",")


def _tsv(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    return read_csv(lines(stream, file), file, delimiter="\t")


def _parquet(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    return read_parquet(stream)


def _arrow(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    return read_arrow(stream)


def _text(stream: io.BufferedReader, file: str) -> Iterator[Piece]:
    """The whole file is one row; line ends become newlines, as wherever Python reads text."""
    text = decode(b"".join(lines(stream, file)), file)
    yield 1, {"text": text.replace("\r\n", "\n")}


_READERS = {
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), _json),
    **dict.fromkeys((".txt", ".md"), _text),
    **dict.fromkeys((".arrow", ".feather"), _arrow),
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
