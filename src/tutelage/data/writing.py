"""Conversations as rows of a file again, in the one format that holds all of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from tutelage.records import Conversation, Message


def row_of(conversation: Conversation) -> dict[str, Any]:
    """The columns of a conversation: `messages` and `tools`, or `text`; its labels, and `group` where it has one.

    Read again, they give an equal conversation: same turns, reasoning, calls, weights and tools.
    """
    if conversation.text is not None:
        columns: dict[str, Any] = {"text": conversation.text}
    else:
        columns = {"messages": [_turn(message) for message in conversation.messages]}
    if conversation.tools:
        columns["tools"] = list(conversation.tools)
    columns |= conversation.labels
    return columns if conversation.group is None else columns | {"group": conversation.group}


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSONL."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # a whole number beyond 64 bits, or half of a surrogate pair in the name of a file
        return json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            ({} if call.id is None else {"id": call.id})
            | {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    optional = asdict(message) | {"reasoning_content": message.reasoning}
    names = ("reasoning_content", "name", "tool_call_id", "train", "input")
    turn |= {name: optional[name] for name in names if optional[name] is not None}
    return turn if message.weight == 1 else turn | {"weight": message.weight}
