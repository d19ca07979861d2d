"""Tool calls are written in full, or the row is refused with the part that is missing."""

from typing import Any

import pytest
from test_conversation import CONTROL, PROMPT, SPECIAL, TWO, chat, refusal, render, trained

from tutelage.records import Message, ToolCall
from tutelage.template import ChatTemplate, notes, stop_tokens

HEAD = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
TAIL = "<|end|>{% endfor %}" + PROMPT
JSON = HEAD + "{% for c in m.tool_calls %}<|call|>{{ c.function | tojson }}<|/call|>{% endfor %}" + TAIL
XML = (
    HEAD + "{% for c in m.tool_calls %}<{{ c.function.name }}>{% for k, v in c.function.arguments | items %}"
    "<{{ k }}>{{ v if v is string else v | tojson }}</{{ k }}>{% endfor %}</{{ c.function.name }}>{% endfor %}" + TAIL
)
ASCII = JSON.replace("tojson", "tojson(ensure_ascii=true)")
PYTHON = JSON.replace("c.function | tojson", "c.function.name ~ c.function.arguments")
NESTED: dict[str, Any] = {
    "city": '北京 "x" \\ \n é',
    "none": None,
    "deep": {"list": [1, 2.5, True, "<b>", []], "empty": {}},
    "nothing": "",
    "big": 10**20,
}


def calling(*arguments: Any, content: str = "") -> tuple[Message, ...]:
    calls = tuple(ToolCall("lookup", one) for one in arguments)
    return (TWO[0], Message("assistant", content, tool_calls=calls), Message("tool", "result"), TWO[3])


@pytest.mark.parametrize("source", [JSON, XML, ASCII, PYTHON])
@pytest.mark.parametrize("arguments", [NESTED, {}, '{"x": 1}', {"x": 3}])
def test_any_syntax_that_writes_everything_is_trained(source: str, arguments: Any) -> None:
    first, last = trained(render(chat(source), calling(arguments, content="Let me see.")))
    assert first.startswith("Let me see.")
    assert first.count("lookup") == (2 if source == XML else 1)
    assert last == "a2<|end|>"


FIRST_ONLY = JSON.replace("in m.tool_calls", "in (m.tool_calls or [])[:1]")
TEXTS_ONLY = XML.replace("| items %}", "| items if v is string %}")
NO_NULLS = JSON.replace(
    "c.function |", "{'name': c.function.name, 'x': c.function.arguments.values() | select | list} |"
)


@pytest.mark.parametrize(
    ("source", "arguments", "missing"),
    [
        (FIRST_ONLY, ({"x": 1}, {"x": 1}), "the call of 'lookup'"),
        (FIRST_ONLY, ({"x": "rome"}, {"x": "rome", "y": 2}), "argument 'y' of 'lookup'"),
        (TEXTS_ONLY, ({"x": "rome", "y": 2},), "argument 'y' of 'lookup'"),
        (NO_NULLS, ({"verbose": None},), "argument 'verbose' of 'lookup'"),
        (JSON.replace("c.function |", "c.function.arguments |"), ({"x": 1},), "'lookup'"),
        (XML.replace("v if v is string", "v[:3] if v is string"), ({"x": "rome"},), "the value 'rome' in argument 'x'"),
        (XML.replace("v | tojson", "'%.1f' | format(v)"), ({"x": 2.71828},), "the value 2.71828 in argument 'x'"),
    ],
)
def test_what_is_missing_is_named(source: str, arguments: tuple[Any, ...], missing: str) -> None:
    dropped = refusal(chat(source), calling(*arguments))
    assert dropped.reason == notes.LOST
    assert missing in dropped.detail


def test_a_call_may_end_with_the_token_that_begins_its_result() -> None:
    unended = JSON.replace("<|end|>", "")
    own = ChatTemplate("test", unended, SPECIAL, CONTROL)
    first, last = trained(render(own, calling({"x": 1})))
    assert first.endswith("<|/call|>")
    plain = ChatTemplate("test", unended.replace("<|call|>", "<c>").replace("<|/call|>", "</c>"), SPECIAL, CONTROL)
    first, last = trained(render(plain, calling({"x": 1})))
    assert first.endswith("</c><|tool|>")
    assert last == "a2<|user|>"
    assert stop_tokens(plain) == ("<|user|>", "<|tool|>", "</s>")


def test_the_syntax_after_a_call_is_trained_before_an_added_end() -> None:
    call = "{% for c in m.tool_calls %}<c>{{ c.function | tojson }}</c>{% endfor %}"
    bare = f"{{% for m in messages %}}{{{{ m.role }}}}: {{{{ m.content }}}}{call}\n{{% endfor %}}assistant: "
    own = ChatTemplate("test", bare, SPECIAL, CONTROL)
    texts = render(own, calling({"x": 1}))
    assert trained(texts) == ['<c>{"name": "lookup", "arguments": {"x": 1}}</c></s>', "a2</s>"]
    assert notes.STOP_ADDED in texts[0].notes
