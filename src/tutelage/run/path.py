"""The data path, row by row: source -> conversation -> text with trained spans -> examples. Every verb walks it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from tutelage import data
from tutelage.recipe import DataSection, Source
from tutelage.records import Conversation, Dropped, Rendered, Row
from tutelage.run.assemble import Speech
from tutelage.template import render_conversation
from tutelage.tokens.encode import Encoded, encode, encode_texts

FIRST_ROWS = 1000  # a format is recognised from so many rows
AT_ONCE = 2048  # rows that are encoded together

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
        rows = data.read([source], max_rows=left, malformed=section.malformed, first_row=number)
        first = list(islice(rows, FIRST_ROWS))
        samples = [row for row in first if isinstance(row, Row)]
        form = data.recognise(samples, source.columns, name=source.format, group_by=section.group_by)
        formats.append(f"{source.path}: {form.sentence}")
        for row in chain(first, rows):
            number += 1
            yield row if isinstance(row, Dropped) else form.convert(replace(row, source=place))


def examples(rows: Sequence[Understood], speech: Speech) -> list[Encoded | Dropped]:
    """What becomes of some rows: one result per row, in their order."""
    results: dict[int, Encoded | Dropped] = {}
    texts: list[Rendered] = []
    turns: list[Rendered] = []
    for row in rows:
        if isinstance(row, Dropped):
            results[row.row] = row
            continue
        rendered = render_conversation(row, speech.template, policy=speech.policy)
        if isinstance(rendered, Dropped):
            results[row.row] = rendered
        else:
            (turns if row.text is None else texts).extend(rendered)
    backend = speech.tokenizer.backend
    results.update((one.row, one) for one in encode(turns, backend, max_length=speech.max_length))
    results.update((one.row, one) for one in encode_texts(texts, backend, max_length=speech.max_length))
    return [results[row.row] for row in rows]


def chunks(rows: Iterator[Understood]) -> Iterator[list[Understood]]:
    """Rows in lists of a size that is encoded together."""
    while chunk := list(islice(rows, AT_ONCE)):
        yield chunk
