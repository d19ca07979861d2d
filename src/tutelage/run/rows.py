"""The understood rows of a data set, kept beside its tokens: questions and samples are read back from here."""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import orjson

from tutelage.curate.echoes import Asked
from tutelage.records import Conversation, Message, Place, Question, ToolCall

FILE, OFFSETS = "rows.jsonl", "rows.npy"


class RowWriter:
    """Appends conversations to a file, one JSON object a line. Used as a context: the file is closed at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / FILE).open("wb")
        self._rows, self._starts = array("q"), array("q")
        self._end = 0

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, conversation: Conversation) -> None:
        """Append one; row numbers rise."""
        assert not self._rows or self._rows[-1] < conversation.row
        self._rows.append(conversation.row)
        self._starts.append(self._end)
        self._end += self._file.write(_line(conversation))

    def close(self) -> None:
        """Complete the file and its index."""
        self._file.close()
        np.save(self._folder / OFFSETS, np.stack([self._rows, self._starts], axis=1).astype(np.int64))


def _line(conversation: Conversation) -> bytes:
    try:
        return orjson.dumps(conversation, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a whole number beyond 64 bits, or half of a surrogate pair in the name of a file
        return json.dumps(asdict(conversation), ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


class RowReader:
    """Conversations by their row number, or by their places in the file.

    Attributes:
        rows: row number of each place, rising.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.rows, self._starts = np.load(folder / OFFSETS).T

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Conversation:
        place = int(np.searchsorted(self.rows, row))
        if place == len(self) or self.rows[place] != row:
            raise KeyError(row)
        (conversation,) = self.part(place, place + 1)
        return conversation

    def parts(self, rows: int, *, size: int) -> list[tuple[int, int]]:
        """Places [start, stop) of parts of so many rows, or of fewer that take `size` bytes together; in order."""
        ends = np.append(self._starts[1:], self._path.stat().st_size)
        parts, start = list[tuple[int, int]](), 0
        while start < len(self):
            fitting = int(np.searchsorted(ends, self._starts[start] + size, side="right"))
            stop = min(max(fitting, start + 1), start + rows, len(self))
            parts.append((start, stop))
            start = stop
        return parts

    def asked(self) -> Iterator[Asked]:
        """What is asked in each row, in the order of the places, without making conversations: a tenth of the time."""
        with self._path.open("rb") as file:
            for line in file:
                try:
                    fields = orjson.loads(line)
                except ValueError:  # half of a surrogate pair
                    fields = json.loads(line)
                yield _asked(fields["messages"], fields["tools"])

    def part(self, start: int, stop: int) -> Iterator[Conversation]:
        """The conversations in places [start, stop)."""
        if start == stop:
            return
        with self._path.open("rb") as file:
            file.seek(int(self._starts[start]))
            for line in islice(file, stop - start):
                yield _conversation(json.loads(line))


def _asked(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> Asked:
    """What the user says in all turns, as `curate.sample` reads it but for empty lines; and system messages and tools
    as the setting."""
    said = "\n".join([message["content"] for message in messages if message["role"] == "user"])
    system = [message["content"] for message in messages if message["role"] == "system"]
    return Asked(said, json.dumps([system, tools]).encode() if system or tools else b"")


def _conversation(fields: dict[str, Any]) -> Conversation:
    messages = tuple(_message(message) for message in fields["messages"])
    tools = tuple(fields["tools"])
    return Conversation(**{**fields, "place": Place(**fields["place"]), "messages": messages, "tools": tools})


def _message(fields: dict[str, Any]) -> Message:
    return Message(**{**fields, "tool_calls": tuple(ToolCall(**call) for call in fields["tool_calls"])})


def question_of(conversation: Conversation) -> Question | None:
    """The last assistant turn with text as a question; None where there is nothing to ask."""
    for number in range(len(conversation.messages) - 1, 0, -1):
        message = conversation.messages[number]
        if message.role == "assistant" and message.content.strip() and not message.tool_calls:
            before = tuple(replace(earlier, train=None) for earlier in conversation.messages[:number])
            thinks = message.reasoning is not None
            return Question(conversation.row, before, (message.content,), conversation.tools, thinks)
    return None


def choose(rows: Sequence[int], *, count: int, seed: int) -> list[int]:
    """A seeded sample of rows, in reading order."""
    if len(rows) <= count:
        return list(rows)
    return sorted(int(row) for row in np.random.default_rng((seed, 7)).choice(rows, count, replace=False))
