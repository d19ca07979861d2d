"""The data path, row by row: source -> conversation -> text with trained spans -> examples. Every verb walks it."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

from tutelage import data
from tutelage.errors import DataError
from tutelage.recipe import DataSection, Source
from tutelage.records import Conversation, Dropped, Rendered, Row
from tutelage.run.assemble import Speech
from tutelage.template import render_conversation
from tutelage.tokens.encode import Encoded, encode, encode_texts

FIRST_ROWS = 1000  # a format is recognised from so many rows
AT_ONCE = 1024  # rows that are encoded together
LONGEST_TOKEN = 1024  # characters; what cannot fit at any rate is not encoded: that takes 150 times its size in memory
IN_FLIGHT = 3  # chunks of them that are encoded while the next one is read and rendered

Understood = Conversation | Dropped


def conversations(
    section: DataSection, sources: Sequence[Source], *, formats: list[str], first_row: int = 0
) -> Iterator[Understood]:
    """The rows of all sources as conversations, or why not; each source's format is recognised from its first rows.

    Args:
        formats: gets a sentence per source: what it was recognised as.
        first_row: number of the first row.

    Raises:
        DataError: at once, where no source is named; later as `data.read` and `data.recognise`.
    """
    data.check_named(sources)
    return _understood(section, sources, formats=formats, first_row=first_row)


def _understood(
    section: DataSection, sources: Sequence[Source], *, formats: list[str], first_row: int
) -> Iterator[Understood]:
    number = first_row
    for place, source in enumerate(sources):
        left = None if section.max_rows is None else section.max_rows - (number - first_row)
        if left is not None and left <= 0:
            return
        rows = data.read([source], max_rows=left, malformed=section.malformed, first_row=number, first_source=place)
        first = list(islice(rows, FIRST_ROWS))
        samples = [row for row in first if isinstance(row, Row)]
        if not samples and isinstance(first[0], Dropped):
            found = f"none of the first {len(first):,} rows can be read; this one: {first[0].detail}"
            raise DataError(found, code="no-rows", place=str(first[0].place), expected="rows", remedy="mend the file")
        form = data.recognise(samples, source.columns, name=source.format, group_by=section.group_by)
        formats.append(f"{source.path}: {form.sentence}")
        for row in chain(first, rows):
            number += 1
            yield row if isinstance(row, Dropped) else form.convert(row)


def examples(rows: Sequence[Understood], speech: Speech) -> list[Encoded | Dropped]:
    """What becomes of some rows: one result per row, in their order."""
    return _encoded(_render(rows, speech), speech)


def chunks(rows: Iterator[Understood]) -> Iterator[list[Understood]]:
    """Rows in lists of a size that is encoded together."""
    while chunk := list(islice(rows, AT_ONCE)):
        yield chunk


def results(rows: Iterator[Understood], speech: Speech) -> Iterator[tuple[list[Understood], list[Encoded | Dropped]]]:
    """Rows in chunks, with what becomes of each row. The tokenizer works on some chunks in threads of its own while the
    next one is read and rendered."""
    with ThreadPoolExecutor(max_workers=IN_FLIGHT) as pool:
        waiting: deque[tuple[list[Understood], Future[list[Encoded | Dropped]]]] = deque()
        for chunk in chunks(rows):
            waiting.append((chunk, pool.submit(_encoded, _render(chunk, speech), speech)))
            if len(waiting) > IN_FLIGHT:
                done, encoded = waiting.popleft()
                yield done, encoded.result()
        for done, encoded in waiting:
            yield done, encoded.result()


@dataclass(frozen=True)
class _Chunk:
    """Rows on their way: those that are dropped already, plain texts, and conversations. `order` names all of them."""

    order: list[int]
    dropped: dict[int, Dropped]
    texts: list[Rendered]
    turns: list[Rendered]


def _render(rows: Sequence[Understood], speech: Speech) -> _Chunk:
    chunk = _Chunk([row.row for row in rows], {}, [], [])
    for row in rows:
        row = _fitting(row, speech.max_length)
        rendered = row if isinstance(row, Dropped) else render_conversation(row, speech.template, policy=speech.policy)
        if isinstance(rendered, Dropped):
            chunk.dropped[row.row] = rendered
        elif isinstance(row, Conversation) and row.text is not None:
            chunk.texts.extend(rendered)
        else:
            chunk.turns.extend(rendered)
    return chunk


def _fitting(row: Understood, max_length: int) -> Understood:
    """The row, unless its turns through the first answer have more characters than so many tokens can stand for."""
    if isinstance(row, Dropped):
        return row
    first = next((n for n, message in enumerate(row.messages) if message.role == "assistant"), -1)
    length = sum(len(message.content) for message in row.messages[: first + 1])
    if length <= max_length * LONGEST_TOKEN:
        return row
    return Dropped(row.row, row.place, "too long", f"{length:,} characters, tokens.max_length is {max_length}")


def _encoded(chunk: _Chunk, speech: Speech) -> list[Encoded | Dropped]:
    backend = speech.tokenizer.backend
    found: dict[int, Encoded | Dropped] = dict(chunk.dropped)
    found.update((one.row, one) for one in encode(chunk.turns, backend, max_length=speech.max_length))
    found.update((one.row, one) for one in encode_texts(chunk.texts, backend, max_length=speech.max_length))
    return [found[row] for row in chunk.order]
