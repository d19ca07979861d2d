"""What a template expects of its messages, found by trying: string or part-list content, how calls are spelled.

Templates differ in what they read. Some iterate over `content` as a list of parts, some concatenate a call's arguments
as a string. Each question is asked once, with words that must appear in the answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, Protocol

from tutelage.errors import TemplateError
from tutelage.records import Message, ToolCall

SPECIAL_NAMES = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")

# Words that no template writes by itself. They differ at both ends, so that two renderings show the exact borders.
FIRST, SECOND, THIRD = "1qxalpha2", "3qxomega4", "5qxgamma6"
_NINE = re.compile(r"[A-Za-z0-9]{9}")


class Writer(Protocol):
    """What a dialect is tried on."""

    def __call__(self, messages: Sequence[Mapping[str, Any]], dialect: "Dialect") -> str:
        """The template's text for messages given as dictionaries, with the variables that the dialect adds."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a template wants its messages.

    Attributes:
        parts: content is a list of text parts rather than a string.
        empty: special tokens that the tokenizer lacks and without which the template raises; written as nothing.
        arguments: a call's arguments as a mapping, or as JSON text.
        call_content: the content of a turn that only calls tools: empty text, or no such key (None).
        call_ids: the template demands an id for each call.
        tools: the template iterates over `tools` even where there are none: an empty list instead of None.
        inputs: the template writes `instruction` and `input` of a message apart, instead of its content.
    """

    parts: bool = False
    empty: tuple[str, ...] = ()
    arguments: Literal["mapping", "text"] = "mapping"
    call_content: Literal[""] | None = ""
    call_ids: bool = False
    tools: bool = False
    inputs: bool = False

    def all_fields(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """The messages as the dictionaries that the template reads."""
        return [self.fields(message) for message in (numbered(messages) if self.call_ids else messages)]

    def fields(self, message: Message) -> dict[str, Any]:
        """The message as the dictionary that the template reads. Nothing is filled in that the row does not have."""
        fields: dict[str, Any] = {"role": message.role}
        content = self._content(message)
        if content is not None:  # transformers takes keys without a value out
            fields["content"] = content
        if self.inputs and message.input is not None:
            fields |= {"instruction": message.instruction, "input": message.input}
        if message.reasoning is not None:
            # gpt-oss templates read `thinking`; all others the standard name.
            fields |= {"thinking": message.reasoning, "reasoning_content": message.reasoning}
        if message.tool_calls:
            fields["tool_calls"] = [self._call(call) for call in message.tool_calls]
        if message.name is not None:
            fields["name"] = message.name
        if message.tool_call_id is not None:
            fields["tool_call_id"] = message.tool_call_id
        return fields

    def _content(self, message: Message) -> Any:
        if message.tool_calls and not message.content:
            return self.call_content
        return [{"type": "text", "text": message.content}] if self.parts else message.content

    def _call(self, call: ToolCall) -> dict[str, Any]:
        function = {"name": call.name, "arguments": _arguments(call.arguments, self.arguments)}
        fields: dict[str, Any] = {"type": "function", "function": function}
        if call.id is not None:
            fields["id"] = call.id
        return fields


def numbered(messages: Sequence[Message]) -> list[Message]:
    """The messages with ids of nine digits where calls and results have none, or ids of another form.

    Mistral's templates raise on anything but nine alphanumeric characters. Numbers count from the first message, so
    that a call has the same id however long the conversation is.
    """
    renamed: dict[str, str] = {}
    waiting: list[str] = []
    changed, count = [], 0
    for message in messages:
        calls = []
        for call in message.tool_calls:
            own = call.id if call.id and _NINE.fullmatch(call.id) else f"{count:09d}"
            count += 1
            waiting.append(own)
            renamed[call.id or ""] = own
            calls.append(replace(call, id=own))
        answers = message.tool_call_id
        if message.role == "tool" and (answers in renamed or not _NINE.fullmatch(answers or "")):
            answers = renamed.get(answers or "", waiting[0] if waiting else f"{count:09d}")
        waiting = [one for one in waiting if one != answers]
        changed.append(replace(message, tool_calls=tuple(calls), tool_call_id=answers))
    return changed


def _arguments(arguments: Mapping[str, Any] | str, form: Literal["mapping", "text"]) -> Any:
    if form == "text":
        return arguments if isinstance(arguments, str) else json.dumps(plain(arguments), ensure_ascii=False)
    return decoded(arguments)


def decoded(arguments: Mapping[str, Any] | str) -> Any:
    """A call's arguments as a plain mapping; text that is no JSON object stays as it is."""
    if not isinstance(arguments, str):
        return plain(arguments)
    try:
        value = json.loads(arguments)
    except json.JSONDecodeError:
        return arguments
    return value if isinstance(value, dict) else arguments


def plain(value: Any) -> Any:
    """Nested mappings and sequences as the dicts and lists that `tojson` writes."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def probe(write: Writer) -> Dialect:
    """The dialect of a template, found on small conversations. A template that takes none of them gets the default."""
    candidates = [
        Dialect(parts=parts, empty=_missing_tokens(write, parts), tools=tools)
        for tools, parts in product((False, True), (False, True))
    ]
    for messages, words in ((_question(2), (FIRST, SECOND)), (_question(1), (FIRST,))):
        for dialect in candidates:
            if _shows(write, dialect, messages=messages, words=words):
                return replace(_with_calls(write, dialect), inputs=_writes_inputs(write, dialect))
    return candidates[0]


def _question(length: int) -> tuple[Message, ...]:
    return (Message("user", FIRST), Message("assistant", SECOND))[:length]


def _shows(write: Writer, dialect: Dialect, *, messages: Sequence[Message], words: Sequence[str]) -> bool:
    try:
        text = write(dialect.all_fields(messages), dialect)
    except TemplateError:
        return False
    return all(word in text for word in words)


def _writes_inputs(write: Writer, dialect: Dialect) -> bool:
    """Whether the template writes an instruction and its input instead of the content that holds both.

    Templates that write whole messages as JSON show all three; they are not given the two.
    """
    message = dialect.fields(Message("user", THIRD)) | {"instruction": FIRST, "input": SECOND}
    try:
        text = write([message], dialect)
    except TemplateError:
        return False
    return FIRST in text and SECOND in text and THIRD not in text


def _missing_tokens(write: Writer, parts: bool) -> tuple[str, ...]:
    """Special tokens without which the template raises (`bos_token + ...`), in the order in which it misses them."""
    missing: tuple[str, ...] = ()
    for _ in SPECIAL_NAMES:
        dialect = Dialect(parts=parts, empty=missing)
        try:
            write(dialect.all_fields(_question(2)), dialect)
        except TemplateError as error:
            named = [name for name in SPECIAL_NAMES if f"'{name}' is undefined" in error.found and name not in missing]
            if not named:
                return missing
            missing += (named[0],)
        else:
            return missing
    return missing


def _with_calls(write: Writer, dialect: Dialect) -> Dialect:
    """The first spelling of tool calls under which the template writes a call's name and its argument."""
    call = Message("assistant", "", tool_calls=(ToolCall(SECOND, {THIRD: FIRST}),))
    contents: tuple[Literal[""] | None, ...] = ("", None)
    forms: tuple[Literal["mapping", "text"], ...] = ("mapping", "text")
    for ids, form, content in product((False, True), forms, contents):
        candidate = replace(dialect, arguments=form, call_content=content, call_ids=ids)
        if _shows(write, candidate, messages=(Message("user", FIRST), call), words=(SECOND, THIRD)):
            return candidate
    return dialect
