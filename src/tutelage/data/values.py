"""Single values of a row: text, JSON inside text, tool calls and tools. What cannot be used raises Unusable."""

import json
import math
import reprlib
from collections.abc import Mapping
from typing import Any

from tutelage.records import ToolCall

_SHOWN = 80
_DEEPEST = 64
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = _SHOWN


class Unusable(Exception):
    """A row that will not be trained.

    Args:
        reason: a fixed phrase that is counted.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def shown(value: Any) -> str:
    """The value, short enough for one line of the ledger."""
    text = _short.repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def text_of(value: Any, name: str) -> str:
    """Text as it is, a number as its digits.

    Raises:
        Unusable: "wrong type" for anything else (true and false, null, lists, objects, nan, infinity).
    """
    if isinstance(value, str):
        return value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise Unusable("wrong type", f"{name} is {shown(value)}, not text")


def optional_text(value: Any, name: str) -> str:
    """Text, or the empty string for null."""
    return "" if value is None else text_of(value, name)


def json_of(value: Any, name: str) -> Any:
    """What JSON inside text says; a value that is not text as it is; blank text as null.

    Raises:
        Unusable: "broken JSON".
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Unusable("broken JSON", f"{name} is {shown(value)}") from None


def tool_calls(value: Any, name: str) -> tuple[ToolCall, ...]:
    """Calls from one object, a list of objects, or either as JSON text.

    Each is OpenAI's `{"function": {"name", "arguments"}, "id"}` or the bare `{"name", "arguments"}`.

    Raises:
        Unusable: "tool call without a name", "broken JSON", "wrong type".
    """
    calls = json_of(value, name)
    if calls is None:
        return ()
    return tuple(_tool_call(json_of(call, name), name) for call in (calls if isinstance(calls, list) else [calls]))


def _tool_call(call: Any, name: str) -> ToolCall:
    if not isinstance(call, Mapping):
        raise Unusable("wrong type", f"{name} holds {shown(call)}, not a call")
    function = call["function"] if isinstance(call.get("function"), Mapping) else call
    called = function.get("name")
    if not isinstance(called, str) or not called.strip():
        raise Unusable("tool call without a name", f"{name} holds {shown(dict(call))}")
    identifier = call.get("id")
    arguments = _arguments(function.get("arguments", function.get("parameters")), name)
    return ToolCall(called, arguments, None if identifier is None else text_of(identifier, f"id of {called}"))


def _arguments(value: Any, name: str) -> Mapping[str, Any] | str:
    """An object, also one written as JSON text; other text stays text, for models are called with free text too."""
    if isinstance(value, Mapping):
        return value
    if value is None or value == "":
        return {}
    if not isinstance(value, str):
        raise Unusable("wrong type", f"arguments in {name} are {shown(value)}")
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, Mapping) else value


def tools_of(value: Any, name: str = "tools") -> tuple[Mapping[str, Any], ...]:
    """Tools on offer, each as `{"type": "function", "function": {...}}`; bare schemas are wrapped.

    Raises:
        Unusable: "broken JSON", "wrong type".
    """
    items = json_of(value, name)
    if items is None:
        return ()
    return tuple(_tool(json_of(item, name), name) for item in (items if isinstance(items, list) else [items]))


def _tool(item: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise Unusable("wrong type", f"{name} holds {shown(item)}, not a tool")
    return {"type": "function", "function": item} if "name" in item and "function" not in item else item


def is_too_deep(value: Any, room: int = _DEEPEST) -> bool:
    """Whether lists and objects are nested deeper than `room`: templates and hashes walk them recursively."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return False
    return room == 0 or any(is_too_deep(item, room - 1) for item in value)


def as_json(value: Any) -> bytes:
    """The value as JSON, with types that JSON does not know as text.

    Raises:
        UnicodeEncodeError: half of a surrogate pair in some text.
    """
    return json.dumps(value, ensure_ascii=False, default=str).encode()
