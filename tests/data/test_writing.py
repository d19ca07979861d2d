"""What is written can be read again, and means the same."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tutelage import data
from tutelage.recipe import Source
from tutelage.records import Conversation, Place, Row

ROWS: list[dict[str, Any]] = [
    {"instruction": "Translate", "input": "猫", "output": "cat"},
    {"instruction": "Name a bird", "input": "", "output": "wren", "history": [["Hi", "Hello"]]},
    {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4", "reasoning": "two twos"}]},
    {"text": "plain\ntext"},
    {"instruction": "Add", "output": "3", "task_type": "reasoning", "domain": "education", "style": None},
    {
        "messages": [
            {"role": "system", "content": "Be kind"},
            {"role": "user", "content": "Weather?", "name": "Ann"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {"at": [1, 2**70]}}}],
                "train": False,
            },
            {"role": "tool", "content": "sun", "tool_call_id": "c1"},
            {"role": "assistant", "content": "Sunny", "weight": 0.5},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    },
]


def understood(fields: dict[str, Any], group_by: str | None = None) -> Conversation:
    row = Row(0, Place("here", 1), 0, fields)
    made = data.recognise([row], group_by=group_by).convert(row)
    assert isinstance(made, Conversation)
    return made


@pytest.mark.parametrize("fields", ROWS, ids=str)
def test_a_row_written_and_read_again_is_the_same_conversation(fields: dict[str, Any]) -> None:
    conversation = understood(fields)
    again = understood(data.row_of(conversation))
    assert again == conversation


def test_lines_are_read_by_the_reader_of_files(tmp_path: Path) -> None:
    conversations = [understood(fields) for fields in ROWS if "text" not in fields]
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"".join(data.line_of(data.row_of(one)) for one in conversations))
    rows = [row for row in data.read([Source(path=str(file))]) if isinstance(row, Row)]
    form = data.recognise(rows)
    assert form.name == "messages"
    read = [form.convert(row) for row in rows]
    assert [one.messages for one in read if isinstance(one, Conversation)] == [one.messages for one in conversations]


def test_the_group_is_a_column() -> None:
    conversation = understood({"instruction": "a", "output": "b", "topic": "x"}, group_by="topic")
    assert understood(data.row_of(conversation), group_by="group").group == "x"


def test_an_input_that_the_content_does_not_end_with_is_not_taken() -> None:
    turns = [{"role": "user", "content": "Say it", "input": "other"}, {"role": "assistant", "content": "it"}]
    assert understood({"messages": turns}).messages[0].input is None


def test_a_line_is_one_line_of_json() -> None:
    line = data.line_of({"text": "a\nb", "猫": 2**70})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(line[:-2])
