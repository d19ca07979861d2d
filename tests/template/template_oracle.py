"""An oracle for laws 2 and 3, independent of the code under test: transformers renders, plain string search judges.

Every content of the battery has words that occur nowhere else, so that "trained exactly once" and "never trained" can
be read off the text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

from tutelage.records import Conversation, Message, Place, Rendered, ToolCall
from tutelage.template import ChatTemplate
from tutelage.template.notes import REASONING_UNKNOWN

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
CONTROL = re.compile(
    r"<\|[^<>|\s']+\|>|<｜[^<>｜\s']+｜>|<\|?turn\|?>|<\|tool_response>|<(?:start|end)_of_turn>|<end_of_utterance>"
    r"|<extra_id_\d>|<reserved_\d+>|\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT|TOOL_CONTENT)\]"
)
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "weatherlookup",
            "description": "Tells the schemadescription of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "schemaproperty"}},
                "required": ["city"],
            },
        },
    },
)


def _m(role: str, content: str, **more: Any) -> Message:
    return Message(role, content, **more)


def battery() -> dict[str, tuple[Message, ...]]:
    """Conversations by name; all are what a chat model would see."""
    call = ToolCall("weatherlookup", {"city": "Callargumentville"}, "call12345")
    other = ToolCall("weatherlookup", {"city": "Secondargumentcity"}, "call67890")
    return {
        "single": (_m("user", "Questionone?"), _m("assistant", "Answerone.")),
        "multi": (
            _m("user", "Questionone?"),
            _m("assistant", "Answerone."),
            _m("user", "Questiontwo?"),
            _m("assistant", "Answertwo\n\nover lines."),
        ),
        "system": (
            _m("system", "Systemword rules."),
            _m("user", "Questionone?"),
            _m("assistant", "Answerone."),
            _m("user", "Questiontwo?"),
            _m("assistant", "Answertwo."),
        ),
        "input": (
            _m("user", "Instructionone:\nInputone, of one line", input="Inputone, of one line"),
            _m("assistant", "A1."),
        ),
        "inputs": (
            _m("system", "Systemword rules."),
            _m("user", "Instructionone:\nInputone\n\nover lines", input="Inputone\n\nover lines"),
            _m("assistant", "Answerone."),
            _m("user", "Questiontwo?"),
            _m("assistant", "Answertwo."),
            _m("user", "指令三：\n输入三 🙂", input="输入三 🙂"),
            _m("assistant", "Answerthree."),
        ),
        "late input": (
            _m("user", "Questionone?"),
            _m("assistant", "Answerone."),
            _m("user", "Instructiontwo\nover lines:\nInputtwo", input="Inputtwo"),
            _m("assistant", "Answertwo."),
        ),
        "chinese": (_m("user", "首都是哪里？"), _m("assistant", "答案是北京。")),
        "emoji": (_m("user", "Questionone 🙂?"), _m("assistant", "👩‍🚀🚀 Answerone 🎉")),
        "spaces": (_m("user", "  Questionone?"), _m("assistant", "  Answerone, indented\n")),
        "unanswered": (
            _m("user", "Questionone?"),
            _m("assistant", "Answerone."),
            _m("user", "Questiontwo?"),
        ),
        "reasoning": (
            _m("user", "Questionone?"),
            _m("assistant", "Answerone.", reasoning="Thoughtone first."),
            _m("user", "Questiontwo?"),
            _m("assistant", "Answertwo.", reasoning="Thoughttwo then."),
        ),
        "tools": (
            _m("user", "Questionone?"),
            _m("assistant", "", tool_calls=(call,)),
            _m("tool", "Toolresultword", name="weatherlookup", tool_call_id="call12345"),
            _m("assistant", "Answertwo."),
        ),
        "parallel tools": (
            _m("system", "Systemword rules."),
            _m("user", "Questionone?"),
            _m("assistant", "Letmelook.", tool_calls=(call, other)),
            _m("tool", "Toolresultword", name="weatherlookup", tool_call_id="call12345"),
            _m("tool", "Otherresultword", name="weatherlookup", tool_call_id="call67890"),
            _m("assistant", "Answertwo."),
            _m("user", "Questiontwo?"),
            _m("assistant", "Answerthree."),
        ),
    }


def chat_template(row: Mapping[str, str], control: frozenset[str] = frozenset()) -> ChatTemplate:
    """One of the real templates with plausible tokens: those of real tokenizers and those that it spells itself."""
    spelled = frozenset(CONTROL.findall(row["template"]))
    return ChatTemplate(row["name"], row["template"], SPECIAL, control | spelled)


def conversation(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Conversation:
    return Conversation(0, Place("battery", 1), tuple(messages), tuple(tools))


def reference_prompts(
    template: ChatTemplate, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Generation prompts by transformers, by how the messages were given; those that raise are left out.

    The first, "as given", is the plain call; any other way has to be told to the user.
    """
    prompts: dict[str, str] = {}
    for how, fields, arguments in _ways(messages):
        for extra in ({}, {"tools": []}, {"bos_token": ""}):
            values = {"tools": list(tools) or None, **template.special_tokens, **template.arguments, **arguments}
            try:
                texts, _ = render_jinja_template(
                    [fields], chat_template=template.source, add_generation_prompt=True, **{**extra, **_set(values)}
                )
            except (jinja2.TemplateError, TypeError, KeyError, AttributeError):
                continue
            prompts.setdefault(how, texts[0])
            break
    return prompts


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _ways(messages: Sequence[Message]) -> Iterator[tuple[str, list[dict[str, Any]], dict[str, bool]]]:
    """How messages can be given: contents and arguments in the spellings that templates know, then what is told."""
    merged = list(messages)
    if len(merged) > 1 and merged[0].role == "system":
        merged = [replace(merged[1], content=f"{merged[0].content}\n\n{merged[1].content}"), *merged[2:]]
    chosen = {"as given": messages, "system moved": merged}
    switches = ({}, {"enable_thinking": False}, {"enable_thinking": True}, {"thinking": False}, {"thinking": True})
    for how, arguments in product(chosen, switches):
        for parts, empty, text in product((False, True), ("", None), (False, True)):
            name = f"{how}{''.join(f', {key}={value}' for key, value in arguments.items())}"
            fields = [_fields(m, parts, empty, text) for m in chosen[how]]
            yield f"{name} [{parts=} {empty=} {text=}]", fields, arguments
            if any(m.input is not None for m in messages):
                bare = [{key: one[key] for key in one if key not in ("instruction", "input")} for one in fields]
                yield f"{name} [{parts=} {empty=} {text=} in one]", bare, arguments


def _fields(m: Message, parts: bool, empty: str | None, text_arguments: bool) -> dict[str, Any]:
    content: Any = [{"type": "text", "text": m.content}] if parts else m.content
    fields: dict[str, Any] = {"role": m.role, "content": empty if m.tool_calls and not m.content else content}
    if fields["content"] is None:  # `apply_chat_template` takes keys without a value out
        del fields["content"]
    if m.input is not None:
        fields |= {"instruction": m.content[: -len(m.input) - 1], "input": m.input}
    if m.reasoning is not None:
        fields["reasoning_content"] = m.reasoning
    if m.tool_calls:
        fields["tool_calls"] = [
            {
                "type": "function",
                "id": c.id,
                "function": {
                    "name": c.name,
                    "arguments": json.dumps(c.arguments, ensure_ascii=False) if text_arguments else c.arguments,
                },
            }
            for c in m.tool_calls
        ]
    if m.name:
        fields["name"] = m.name
    if m.tool_call_id:
        fields["tool_call_id"] = m.tool_call_id
    return fields


def faults(case: Conversation, rendered: Sequence[Rendered], template: ChatTemplate) -> list[str]:
    """What is wrong with the training texts of a conversation; empty where the laws hold."""
    trained = [text.text[span.start : span.end] for text in rendered for span in text.spans]
    turns = [span.turn for text in rendered for span in text.spans]
    answers = [n for n, m in enumerate(case.messages) if m.role == "assistant"]
    found = [] if turns == answers else [f"turns {turns} trained, expected {answers}"]
    for text in rendered:
        found += _prompt_faults(case, text, template)
        if text.text[text.spans[-1].end :]:
            found.append("text after the last span")
    stops = template.control_tokens | {template.special_tokens["eos_token"]}
    found += [f"no stop at the end: {t!r}" for t in trained if not any(t.endswith(stop) for stop in stops)]
    for text in rendered:
        found += _reasoning_faults(case, text) + _typed_faults(case, text)
    return found + _content_faults(case, "\n".join(trained))


def _prompt_faults(case: Conversation, text: Rendered, template: ChatTemplate) -> list[str]:
    found = []
    for span in text.spans:
        prompts = reference_prompts(template, case.messages[: span.turn], case.tools)
        ways = [how for how, prompt in prompts.items() if prompt == text.text[: span.start]]
        if not ways:
            found.append(f"turn {span.turn}: prefix is no generation prompt: {text.text[: span.start][-60:]!r}")
        elif not any(how.startswith("as given [") for how in ways) and not text.notes:
            found.append(f"turn {span.turn}: not told that the prompt is {ways[0]}")
    return found


def _reasoning_faults(case: Conversation, text: Rendered) -> list[str]:
    """Reasoning that is lost without a word."""
    found = []
    for span in text.spans:
        reasoning = case.messages[span.turn].reasoning
        times = text.text[span.start : span.end].count(reasoning) if reasoning else 1
        if times > 1 or (times == 0 and REASONING_UNKNOWN not in text.notes):
            found.append(f"{reasoning!r} trained {times} times")
    return found


def _typed_faults(case: Conversation, text: Rendered) -> list[str]:
    """Marks of typed tokens that are too few, too many, or not on the token of the answer."""
    eos, found = SPECIAL["eos_token"], []
    for span in text.spans:
        answer = case.messages[span.turn].content.strip()
        at = text.text.index(answer, span.start) if answer else 0
        wanted = [(at + met.start(), at + met.end()) for met in re.finditer(re.escape(eos), answer)]
        marked = [mark for mark in text.typed if span.start <= mark[0] < span.end]
        if marked != wanted:
            found.append(f"turn {span.turn}: marked {marked}, typed at {wanted}")
    return found


def _content_faults(case: Conversation, trained: str) -> list[str]:
    """Answers trained other than once, anything else trained at all."""
    found = []
    for message in case.messages:
        for word in _words(message):
            times = trained.count(word)
            if message.role == "assistant" and times != 1:
                found.append(f"{word!r} trained {times} times")
            if message.role != "assistant" and times:
                found.append(f"{word!r} of {message.role} trained")
    return found + [
        f"{word} of the tools trained" for word in ("schemadescription", "schemaproperty") if word in trained
    ]


def _words(message: Message) -> list[str]:
    """The distinctive words of a message."""
    arguments = [str(value) for call in message.tool_calls for value in dict(call.arguments).values()]
    contents = [message.content] if message.input is None else [message.instruction, message.input]
    return [word for word in (*map(str.strip, contents), *arguments) if word]
