"""What columns and turns mean, what is dropped for which reason, and what is refused."""

import json
from typing import Any

import pytest

from tutelage.data import FORMATS, recognise
from tutelage.errors import DataError
from tutelage.records import Conversation, Dropped, Message, Place, Row, ToolCall


def row(**fields: Any) -> Row:
    return Row(7, Place("f.jsonl", 3), 1, fields)


def convert(fields: dict[str, Any], **options: Any) -> Conversation | Dropped:
    first = row(**fields)
    return recognise([first], **options).convert(first)


def turns(fields: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    conversation = convert(fields, **options)
    assert isinstance(conversation, Conversation), conversation
    return [(message.role, message.content) for message in conversation.messages]


def reason(fields: dict[str, Any], **options: Any) -> tuple[str, str]:
    dropped = convert(fields, **options)
    assert isinstance(dropped, Dropped), dropped
    assert (dropped.row, dropped.place) == (7, Place("f.jsonl", 3))
    return dropped.reason, dropped.detail


PLAIN = [("user", "Q"), ("assistant", "A")]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("alpaca", {"instruction": "Q", "input": "", "output": "A"}),
        ("alpaca", {"instruction": "Q", "context": None, "response": "A", "category": "c"}),
        ("alpaca", {"instruction": "Q", "output": "A", "text": "whole"}),
        ("prompt-response", {"prompt": "Q", "response": "A"}),
        ("prompt-completion", {"prompt": "Q", "completion": "A"}),
        ("question-answer", {"question": "Q", "answer": "A"}),
        ("query-response", {"query": "Q", "response": "A"}),
        ("input-output", {"input": "Q", "target": "A"}),
        ("self-instruct", {"instruction": "Q", "instances": [{"input": "", "output": "A"}]}),
        ("messages", {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}),
        ("sharegpt", {"conversations": [{"role": "User", "content": "Q"}, {"role": "chatgpt", "content": "A"}]}),
        (
            "prompt-completion",
            {"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]},
        ),
    ],
)
def test_each_format_is_recognised_and_read(name: str, fields: dict[str, Any]) -> None:
    assert recognise([row(**fields)]).name == name
    assert turns(fields) == PLAIN
    assert turns(fields, name=name) == PLAIN


def test_every_format_is_exercised_above_or_is_text() -> None:
    assert set(FORMATS) == {
        *("messages", "sharegpt", "alpaca", "prompt-response", "prompt-completion", "question-answer"),
        *("query-response", "input-output", "self-instruct", "text"),
        *("qa", "summarization", "translation", "classification", "generation"),  # test_tasks.py
    }


def test_text_is_kept_whole() -> None:
    conversation = convert({"text": "  Once.\n"})
    assert isinstance(conversation, Conversation)
    assert (conversation.text, conversation.messages) == ("  Once.\n", ())
    assert reason({"text": " \n"})[0] == "empty text"


def test_alpaca_joins_instruction_and_input_and_reads_history_and_system() -> None:
    fields = {"instruction": " Add ", "input": "1, 2", "output": "3", "history": [["a", "b"]], "system": "S"}
    assert turns(fields) == [
        ("system", "S"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", " Add \n1, 2"),
        ("assistant", "3"),
    ]
    assert turns({"instruction": "", "input": "only", "output": "A"})[0] == ("user", "only")


def test_an_input_is_kept_apart_where_there_is_an_instruction_as_well() -> None:
    asked = [
        {"instruction": " Add ", "input": " 1, 2\n", "output": "3"},
        {"instruction": " Add ", "context": " 1, 2\n", "response": "3"},
        {"instruction": " Add ", "instances": [{"input": " 1, 2\n", "output": "3"}]},
    ]
    for fields in asked:
        conversation = convert(fields)
        assert isinstance(conversation, Conversation)
        question, answer = conversation.messages
        assert (question.instruction, question.input) == (" Add ", " 1, 2\n")
        assert question.content == f"{question.instruction}\n{question.input}"
        assert answer.input is None
    for fields in ({"instruction": "Q", "input": " "}, {"instruction": " ", "input": "only"}, {"instruction": "Q"}):
        conversation = convert({**fields, "output": "A"})
        assert isinstance(conversation, Conversation)
        assert conversation.messages[0].input is None
        assert conversation.messages[0].instruction == conversation.messages[0].content


def test_tools_of_a_self_instruct_row_are_read_and_told_so() -> None:
    fields = {"instruction": "Q", "instances": [{"output": "A"}], "tools": [{"name": "f"}], "id": 1}
    conversation = convert(fields)
    assert isinstance(conversation, Conversation)
    assert conversation.tools == ({"type": "function", "function": {"name": "f"}},)
    assert recognise([row(**fields)]).sentence.endswith("not read: id")


def test_columns_are_mapped_and_win_over_their_namesakes() -> None:
    fields = {"Frage": "Q", "Antwort": "A", "response": "other"}
    mapping = {"Frage": "prompt", "Antwort": "response"}
    assert turns(fields, columns=mapping) == PLAIN
    sentence = recognise([row(**fields, id=1)], mapping).sentence
    assert "`Frage` read as `prompt`" in sentence
    assert "not read: id" in sentence


def test_the_format_that_fits_most_rows_is_taken_and_the_others_are_dropped() -> None:
    rows = [row(prompt="Q", response="A")] + [row(question="Q", answer="A")] * 2
    found = recognise(rows)
    assert found.name == "question-answer"
    dropped = found.convert(rows[0])
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "missing column"
    assert "question" in dropped.detail


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (1.5, "1.5"), (0, "0")])
def test_numbers_are_answers(value: float, text: str) -> None:
    assert turns({"question": "Q", "answer": value})[-1] == ("assistant", text)


@pytest.mark.parametrize("value", [True, None, ["a"], float("nan"), float("inf")])
def test_other_types_are_not(value: Any) -> None:
    why, detail = reason({"question": "Q", "answer": value})
    assert why in ("wrong type", "missing content")
    assert repr(value) in detail or "turn 1" in detail


DEEP = json.loads("[" * 500 + "]" * 500)


def message(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", **fields}]}


def last(fields: dict[str, Any]) -> Message:
    conversation = convert(fields)
    assert isinstance(conversation, Conversation), conversation
    return conversation.messages[-1]


@pytest.mark.parametrize(
    ("fields", "why", "what"),
    [
        ({"question": "Q", "answer": " \n"}, "empty answer", "answer"),
        ({"question": " ", "answer": "A"}, "empty instruction", "question"),
        ({"instruction": "", "input": " ", "output": "A"}, "empty instruction", "instruction"),
        ({"instruction": "Q", "output": "A", "history": [["a"]]}, "wrong type", "history"),
        ({"instruction": "Q", "instances": []}, "not one instance", "[]"),
        (message(content=""), "empty answer", "turn 2"),
        (message(content=None), "missing content", "turn 2"),
        (message(), "missing content", "turn 2"),
        (message(content=[{"type": "image_url", "image_url": "x"}]), "content is not text", "image_url"),
        (message(content="A", weight=-1), "wrong type", "weight"),
        (message(content="A", train="no"), "wrong type", "train"),
        (message(tool_calls=[{"function": {"arguments": "{}"}}]), "tool call without a name", "arguments"),
        (message(tool_calls=["{"]), "broken JSON", "{"),
        ({"messages": [{"role": "user", "content": "Q"}]}, "no assistant turn", "user"),
        ({"messages": []}, "no assistant turn", "none"),
        ({"messages": [{"role": "narrator", "content": "Q"}]}, "unknown role", "narrator"),
        ({"messages": [{"content": "Q"}]}, "unknown role", "None"),
        ({"messages": ["Q"]}, "wrong type", "'Q'"),
        ({"messages": 3}, "wrong type", "3"),
        ({"messages": "not json"}, "broken JSON", "not json"),
        ({"conversations": [{"from": "function_call", "value": "search()"}]}, "broken JSON", "search()"),
        (message(content="A") | {"tools": "[{"}, "broken JSON", "tools"),
        (message(content="A") | {"tools": [3]}, "wrong type", "tools"),
        (message(content="A") | {"system": ["S"]}, "wrong type", "system"),
        ({"prompt": "Q", "response": "half \ud83d"}, "invalid unicode", "ud83d"),
        (message(tool_calls=[{"name": "f", "arguments": {"x": "\ud83d"}}]), "invalid unicode", "tool"),
        (message(tool_calls=[{"name": "f", "arguments": {"x": DEEP}}]), "nested too deeply", "tool"),
        ({"prompt": "Q", "response": DEEP}, "wrong type", "[["),
    ],
)
def test_unusable_rows_are_dropped_with_a_reason_and_the_value(fields: dict[str, Any], why: str, what: str) -> None:
    found, detail = reason(fields)
    assert found == why
    assert what in detail
    detail.encode()  # can be written to the ledger


def test_blank_first_questions_are_dropped_but_not_blank_ones_among_others() -> None:
    blank, asked, answer = (
        {"role": "user", "content": " "},
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A"},
    )
    assert reason({"messages": [blank, answer]})[0] == "empty instruction"
    assert len(turns({"messages": [asked, answer, blank, answer]})) == 4


def test_an_earlier_answer_that_is_blank_is_kept_and_not_trained() -> None:
    contents = ["Q", "", "Q", "A"]
    roles = ["user", "assistant"] * 2
    conversation = convert({"messages": [{"role": r, "content": c} for r, c in zip(roles, contents, strict=True)]})
    assert isinstance(conversation, Conversation)
    assert [message.train for message in conversation.messages] == [None, False, None, None]


def test_trailing_user_turns_stay() -> None:
    fields = {"messages": [*message(content="A")["messages"], {"role": "user", "content": "more"}]}
    assert turns(fields)[-1] == ("user", "more")


@pytest.mark.parametrize(
    "written",
    [
        {"content": "A", "reasoning_content": "R"},
        {"content": [{"type": "reasoning", "value": "R"}, {"type": "text", "text": "A"}]},
    ],
)
def test_reasoning_is_kept_apart(written: dict[str, Any]) -> None:
    answer = last(message(**written))
    assert (answer.content, answer.reasoning) == ("A", "R")


def test_text_parts_are_joined() -> None:
    assert last(message(content=[{"type": "text", "text": "A"}, {"type": "text", "value": "B"}, "C"])).content == "ABC"


@pytest.mark.parametrize(
    ("flags", "train", "weight"),
    [
        ({}, None, 1.0),
        ({"train": False}, False, 1.0),
        ({"train": True}, True, 1.0),
        ({"loss": False}, False, 1.0),
        ({"weight": 0}, False, 0.0),
        ({"loss_weight": 0.5}, None, 0.5),
    ],
)
def test_train_and_weight_of_a_turn(flags: dict[str, Any], train: bool | None, weight: float) -> None:
    answer = last(message(content="A", **flags))
    assert (answer.train, answer.weight) == (train, weight)


CALL = ToolCall("f", {"x": None, "y": [1]})


@pytest.mark.parametrize(
    "written",
    [
        message(content=None, tool_calls=[{"function": {"name": "f", "arguments": '{"x": null, "y": [1]}'}}]),
        message(content="", tool_calls=[{"name": "f", "arguments": {"x": None, "y": [1]}}]),
        message(content="", tool_calls='[{"name": "f", "arguments": {"x": null, "y": [1]}}]'),
        message(content=[{"type": "tool_call", "value": '{"name": "f", "arguments": {"x": null, "y": [1]}}'}]),
        {"conversations": [{"from": "function_call", "value": '{"name": "f", "arguments": {"x": null, "y": [1]}}'}]},
    ],
)
def test_tool_calls_hold_exactly_the_keys_of_the_row(written: dict[str, Any]) -> None:
    answer = last(written)
    assert (answer.role, answer.content, answer.tool_calls) == ("assistant", "", (CALL,))


@pytest.mark.parametrize(("written", "read"), [("", {}), (None, {}), ("free text", "free text"), ("[1]", "[1]")])
def test_arguments_that_are_no_object(written: Any, read: Any) -> None:
    assert last(message(tool_calls=[{"name": "f", "arguments": written}])).tool_calls[0].arguments == read


def test_results_of_tools_and_tools_on_offer() -> None:
    schema = {"name": "f", "parameters": {}}
    result = {"role": "tool", "tool_call_id": "c1", "name": "f", "content": 3}
    call = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}
    answer = {"role": "assistant", "content": "A"}
    wrapped = {"type": "function", "function": schema}
    for tools in ([schema], [wrapped], '[{"name": "f", "parameters": {}}]', schema):
        conversation = convert({"messages": [call, result, answer], "tools": tools})
        assert isinstance(conversation, Conversation)
        assert conversation.tools == (wrapped,)
        assert conversation.messages[0].tool_calls[0].id == "c1"
        assert conversation.messages[1] == Message("tool", "3", name="f", tool_call_id="c1")


def test_the_system_column_gives_way_to_a_system_turn() -> None:
    own = [{"role": "system", "content": "own"}, *message(content="A")["messages"]]
    assert turns({"messages": own, "system": "other"})[0] == ("system", "own")
    assert turns(message(content="A") | {"system": "other"})[0] == ("system", "other")
    assert turns(message(content="A") | {"system": " "})[0] == ("user", "Q")


def test_groups_come_from_their_column() -> None:
    fields = {"question": "Q", "answer": "A", "document": 12}
    found = recognise([row(**fields)], group_by="document")
    grouped, alone = found.convert(row(**fields)), found.convert(row(question="Q", answer="A"))
    assert isinstance(grouped, Conversation)
    assert isinstance(alone, Conversation)
    assert (grouped.group, alone.group, grouped.source) == ("12", None, 1)
    with pytest.raises(DataError, match="`page`"):
        recognise([row(**fields)], group_by="page")


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, "{chosen: response}"),
        ({"conversations": [], "chosen": {}, "rejected": {}}, "{conversations: prompt, chosen: response}"),
        ({"chosen_messages": [], "rejected_messages": []}, "{chosen_messages: messages}"),
        ({"messages": [], "label": False}, "label: true"),
    ],
)
def test_preference_sets_are_refused_with_the_way_out(fields: dict[str, Any], hint: str) -> None:
    with pytest.raises(DataError, match="preference set") as refused:
        recognise([row(**fields)])
    assert hint in refused.value.remedy
    assert "supervised" in refused.value.expected


def test_the_way_out_of_preference_sets_works() -> None:
    asked, answered = [{"from": "human", "value": "Q"}], {"from": "gpt", "value": "A"}
    mapping = {"conversations": "prompt", "chosen": "response"}
    assert turns({"conversations": asked, "chosen": answered, "rejected": answered}, columns=mapping) == PLAIN
    assert turns({"prompt": "Q", "chosen": "A", "rejected": "B"}, columns={"chosen": "response"}) == PLAIN


@pytest.mark.parametrize(
    ("fields", "options", "said"),
    [
        ({"foo": 1, "bar": 2}, {}, "'foo', 'bar'"),
        ({"Question": 1, "Answer": 2}, {}, r"\{Question: question, Answer: answer\}"),
        ({"prompt": 1, "response": 2}, {"name": "promt-response"}, "did you mean `prompt-response`"),
        ({"prompt": 1, "response": 2}, {"name": "alpaca"}, "expected: instruction, output or response"),
        ({"prompt": 1, "response": 2}, {"columns": {"Frage": "prompt"}}, "names `Frage`"),
        ({"q": 1, "response": 2}, {"columns": {"q": "promt"}}, "did you mean `q: prompt`"),
        ({"q": 1, "r": 2}, {"columns": {"q": "prompt", "r": "prompt"}}, "twice"),
    ],
)
def test_what_cannot_be_recognised_is_refused_with_the_columns(
    fields: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        recognise([row(**fields)], **options)


def test_no_rows_cannot_be_recognised() -> None:
    with pytest.raises(DataError, match="no row"):
        recognise([])
