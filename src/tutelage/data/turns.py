"""Turns of a conversation, as OpenAI (role, content) or ShareGPT (from, value) write them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tutelage.data.values import Unusable, json_of, optional_text, shown, text_of, tool_calls
from tutelage.records import Message, ToolCall

ROLES: Mapping[str, str] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "claude", "model", "bot", "ai"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
}
"""Role as written (in small letters) -> role; `call` is an assistant's turn whose text is a tool call in JSON."""

_PLAIN_TURN = {"role", "content", "from", "value"}  # most turns have nothing else
_REASONING = ("reasoning_content", "reasoning", "thinking")
_REASONING_PARTS = ("reasoning", "thinking")
_HEAVIEST = float(np.finfo(np.float32).max)  # weights are kept in float32


def messages_of(value: Any, name: str) -> tuple[Message, ...]:
    """The turns of a list of objects, or of such a list as JSON text.

    Raises:
        Unusable: with the reason and the turn (from 1) in the detail.
    """
    turns = json_of(value, name)
    if not isinstance(turns, (list, tuple)):
        raise Unusable("wrong type", f"{name} is {shown(turns)}, not a list of turns")
    return tuple(_message(turn, f"turn {number}") for number, turn in enumerate(turns, 1))


def check_turns(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The turns, if the last answer can be trained. Earlier answers that are blank are kept but not trained.

    Raises:
        Unusable: "no assistant turn", "empty answer", "empty instruction".
    """
    answers = [number for number, message in enumerate(messages) if message.role == "assistant"]
    if not answers:
        raise Unusable("no assistant turn", f"roles: {', '.join(message.role for message in messages) or 'none'}")
    if is_blank(messages[answers[-1]]):
        raise Unusable("empty answer", f"turn {answers[-1] + 1}")
    asked = [message.content for message in messages[: answers[-1]] if message.role == "user"]
    if asked and not any(text.strip() for text in asked):
        raise Unusable("empty instruction", "every user turn before the last answer is blank")
    blank = {number for number in answers if is_blank(messages[number])}
    return tuple(replace(m, train=False) if n in blank else m for n, m in enumerate(messages)) if blank else messages


def is_blank(message: Message) -> bool:
    """Whether an assistant says nothing and calls nothing."""
    return not message.content.strip() and not message.tool_calls


def _message(turn: Any, place: str) -> Message:
    if not isinstance(turn, Mapping):
        raise Unusable("wrong type", f"{place} is {shown(turn)}, not an object")
    role = _role(turn, place)
    if role != "call" and turn.keys() <= _PLAIN_TURN:
        text = turn.get("content", turn.get("value"))
        if isinstance(text, str):
            return Message(role, text)
    content, reasoning, calls = _content(turn, place)
    if role == "call":
        content, calls = "", (*calls, *tool_calls(content, place))
        if not calls:
            raise Unusable("tool call without a name", f"{place} is blank")
    weight = _weight(turn, place)
    return Message(
        role="assistant" if role == "call" else role,
        content=content,
        reasoning=reasoning or None,
        tool_calls=calls,
        name=optional_text(turn.get("name"), f"name of {place}") or None,
        tool_call_id=optional_text(turn.get("tool_call_id"), f"tool_call_id of {place}") or None,
        train=_train(turn, place, weight=weight),
        weight=weight,
        input=_input(turn, content),
    )


def _input(turn: Mapping[str, Any], content: str) -> str | None:
    """The input part of an instruction, where the turn names it and the content ends with it."""
    named = turn.get("input")
    return named if isinstance(named, str) and content.endswith(f"\n{named}") else None


def _role(turn: Mapping[str, Any], place: str) -> str:
    written = turn.get("role", turn.get("from"))
    role = ROLES.get(written.strip().lower()) if isinstance(written, str) else None
    if role is None:
        raise Unusable("unknown role", f"{place}: {shown(written)}")
    return role


def _content(turn: Mapping[str, Any], place: str) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Text, reasoning and calls of a turn, from its fields and from the parts of its content."""
    calls = tool_calls(turn.get("tool_calls"), place) or tool_calls(turn.get("function_call"), place)
    reasoning = next((optional_text(turn[key], key) for key in _REASONING if turn.get(key) is not None), "")
    value = turn.get("content", turn.get("value"))
    if isinstance(value, (list, tuple)):
        text, part_reasoning, part_calls = _parts(value, place)
        return text, reasoning + part_reasoning, (*calls, *part_calls)
    if value is None:
        if not calls:
            raise Unusable("missing content", place)
        return "", reasoning, calls
    return text_of(value, f"content of {place}"), reasoning, calls


def _parts(parts: Sequence[Any], place: str) -> tuple[str, str, tuple[ToolCall, ...]]:
    text, reasoning, calls = "", "", ()  # type: tuple[str, str, tuple[ToolCall, ...]]
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        kind = part.get("type", "text") if isinstance(part, Mapping) else None
        if kind == "text":
            text += text_of(part.get("text", part.get("value")), f"text in {place}")
        elif kind in _REASONING_PARTS:
            reasoning += text_of(part.get("value", part.get("text", part.get(kind))), f"{kind} in {place}")
        elif kind == "tool_call":
            calls += tool_calls(part.get("value", part.get("tool_call")), place)
        else:
            raise Unusable("content is not text", f"{place}: {shown(part)}")
    return text, reasoning, calls


def _weight(turn: Mapping[str, Any], place: str) -> float:
    value = turn.get("weight", turn.get("loss_weight"))
    if value is None:
        return 1.0
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _HEAVIEST:
        raise Unusable("wrong type", f"weight of {place} is {shown(value)}")
    return float(value)


def _train(turn: Mapping[str, Any], place: str, *, weight: float) -> bool | None:
    value = turn.get("train", turn.get("loss"))
    if value is not None and not isinstance(value, bool):
        raise Unusable("wrong type", f"train of {place} is {shown(value)}, not true or false")
    return False if weight == 0 else value
