"""The understood rows of a data set, kept beside its tokens: questions and samples are read back from here."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import orjson

from tutelage.records import Conversation, Message, Place, Question, ToolCall

FILE, OFFSETS = "rows.jsonl", "rows.npy"


class RowWriter:
    """Appends conversations to a file, one JSON object a line. Used as a context: the file is closed at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / FILE).open("wb")
        self._index: list[tuple[int, int]] = []
        self._end = 0

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, conversation: Conversation) -> None:
        """Append one."""
        self._index.append((conversation.row, self._end))
        self._end += self._file.write(_line(conversation))

    def close(self) -> None:
        """Complete the file and its index."""
        self._file.close()
        np.save(self._folder / OFFSETS, np.asarray(self._index, dtype=np.int64).reshape(-1, 2))


def _line(conversation: Conversation) -> bytes:
    try:
        return orjson.dumps(conversation, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a whole number beyond 64 bits, which JSON has and orjson has not
        return json.dumps(asdict(conversation), ensure_ascii=False).encode() + b"\n"


class RowReader:
    """Conversations by their row number."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offsets: dict[int, int] = dict(np.load(folder / OFFSETS).tolist())

    def __getitem__(self, row: int) -> Conversation:
        with self._path.open("rb") as file:
            file.seek(self._offsets[row])
            return _conversation(json.loads(file.readline()))


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
