"""Tables: CSV and TSV, Parquet, Arrow (IPC file and stream)."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.data.pieces import Malformed, Piece
from tutelage.data.streams import SAVE_AS_UTF8, wrong_byte
from tutelage.errors import DataError

_BATCH = 1024
_LONGEST_FIELD = 2**31 - 1
ARROW_FILE = b"ARROW1"
PARQUET_FILE = b"PAR1"


def read_csv(lines: Iterable[bytes], file: str, *, delimiter: str) -> Iterator[Piece]:
    """Rows of a table with a header; all values are text. Quoted fields may span lines (RFC 4180).

    Args:
        lines: UTF-8 lines with their line ends.
        file: name for messages.
        delimiter: what separates columns; another one is taken if the header knows only that.

    Raises:
        DataError: not UTF-8, or a header whose names repeat.
    """
    texts = _decoded(lines, file)
    blank, header = 0, ""
    for header in texts:
        if header.strip():
            break
        blank += 1
    # The module's limit of 131072 characters per field refuses long answers.
    csv.field_size_limit(_LONGEST_FIELD)
    head = chain(repeat("\n", blank), [header])
    reader = csv.reader(chain(head, texts), delimiter=_delimiter(header, delimiter), strict=True)
    yield from _table(reader, file)


def _table(reader: Any, file: str) -> Iterator[Piece]:
    header: list[str] | None = None
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = Malformed(f"{error}, in the row that begins here", "quotes as in RFC 4180", "mend the quotes")
            _refuse_lost_rows(problem, f"{file}:{start}", is_header=header is None, lines=reader.line_num - start + 1)
            yield start, problem
            continue
        if not values:
            continue
        if header is None:
            header = _header(values, f"{file}:{start}")
        elif len(values) != len(header):
            found = f"{len(values)} fields: {','.join(values)[:80]!r}"
            yield start, Malformed(found, f"{len(header)} as in the header: {', '.join(header)}")
        else:
            yield start, dict(zip(header, values, strict=True))


def _refuse_lost_rows(problem: Malformed, place: str, *, is_header: bool, lines: int) -> None:
    """Refuse what cannot be dropped as one row: the header, and a quote that is not closed over several lines, which
    may have been rows."""
    if is_header:
        raise DataError(problem.found, code="unreadable-file", place=place, expected="a header", remedy=problem.remedy)
    if lines > 1:
        found = f"{problem.found} and goes on over {lines:,} lines"
        raise DataError(found, code="unreadable-file", place=place, expected=problem.expected, remedy=problem.remedy)


def _header(names: list[str], place: str) -> list[str]:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise DataError(
            f"the header repeats {', '.join(repeated)[:80]}",
            code="unreadable-file",
            place=place,
            remedy="rename the columns",
        )
    return names


def _delimiter(header: str, usual: str) -> str:
    others = [mark for mark in ",;\t|" if mark in header]
    return usual if usual in header or not others else max(others, key=header.count)


def _decoded(lines: Iterable[bytes], file: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            place = f"{file}:{number}"
            raise DataError(
                wrong_byte(error), code="unreadable-file", place=place, expected="UTF-8", remedy=SAVE_AS_UTF8
            ) from None


def read_parquet(stream: io.BufferedReader) -> Iterator[Piece]:
    """Rows of a Parquet file, one batch in memory at a time. The line of a row is its number."""
    yield from number_rows(pq.ParquetFile(_seekable(stream)).iter_batches(batch_size=_BATCH))


def read_arrow(stream: io.BufferedReader) -> Iterator[Piece]:
    """Rows of an Arrow IPC file or stream, one batch in memory at a time. The line of a row is its number."""
    if stream.peek(len(ARROW_FILE)).startswith(ARROW_FILE):
        reader = pa.ipc.open_file(_seekable(stream))
        yield from number_rows(reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        yield from number_rows(pa.ipc.open_stream(stream))


def number_rows(batches: Iterable[Any]) -> Iterator[Piece]:
    """Rows of record batches or tables with their number from 1, without the nulls that Arrow fills in.

    Raises:
        pyarrow.ArrowInvalid: the data are damaged.
    """
    number = 0
    for batch in batches:
        # Damaged offsets would be followed into foreign memory, and text that is not UTF-8 found only later.
        batch.validate(full=True)
        for start in range(0, batch.num_rows, _BATCH):
            for fields in batch.slice(start, _BATCH).to_pylist():
                number += 1
                yield number, without_nulls(fields)


def without_nulls(value: Any) -> Any:
    """The value without the keys whose value is null, at every depth.

    Arrow gives every struct all keys of its column: a key that a row never had comes back as null and would end up
    in the text that is trained. Maps come back as pairs and are made objects again, whose keys are texts.
    """
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) for item in value):
            return {str(key): without_nulls(item) for key, item in value if item is not None}
        return [without_nulls(item) for item in value]
    return value


def _seekable(stream: io.BufferedReader) -> Any:
    """A plain file as it is; a decompressed one, which cannot seek from its end, as bytes in memory."""
    return stream if isinstance(stream.raw, io.FileIO) else pa.BufferReader(stream.read())
