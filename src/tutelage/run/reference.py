"""Generation prompts as a server makes them: by transformers' `apply_chat_template`; nothing of ours renders here.

A template may need its messages in another spelling than the usual one, or an argument. All ways are tried, those that
ask least of the caller first, and the first that gives the ids in question is what a caller has to do.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from transformers import PreTrainedTokenizerBase

from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Message
from tutelage.template.environment import FAILURES

_SWITCHES = ("enable_thinking", "thinking")
_TOKEN_NAMES = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation as it is sent.

    Attributes:
        messages: in the spelling of the OpenAI interface, or in another one that `asked` names.
        arguments: of `apply_chat_template`: tools, switches, tokens.
        shift: messages fewer than the conversation has.
        asked: what a caller must do besides sending the conversation; empty for the usual call.
    """

    messages: tuple[Mapping[str, Any], ...]
    arguments: Mapping[str, Any]
    shift: int = 0
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a message is written as a dictionary."""

    parts: bool = False
    text_arguments: bool = False
    bare_calls: bool = False
    inputs: bool = False

    @property
    def asked(self) -> tuple[str, ...]:
        """Where it differs from the usual spelling."""
        words = {
            "contents as lists of text parts": self.parts,
            "arguments of calls as JSON text": self.text_arguments,
            "no content in turns that only call": self.bare_calls,
            "keys instruction and input beside the content": self.inputs,
        }
        return tuple(word for word, differs in words.items() if differs)

    def fields(self, message: Message) -> dict[str, Any]:
        """The message as it is sent."""
        content = [{"type": "text", "text": message.content}] if self.parts else message.content
        fields: dict[str, Any] = {"role": message.role, "content": content}
        if message.tool_calls:
            fields["tool_calls"] = [self._call(call.name, call.arguments, ident=call.id) for call in message.tool_calls]
            if not message.content:
                fields["content"] = None if self.bare_calls else ""
        if self.inputs and message.input is not None:
            fields |= {"instruction": message.content[: -len(message.input) - 1], "input": message.input}
        rest = {
            "reasoning_content": message.reasoning,
            "name": message.name,
            "tool_call_id": message.tool_call_id,
        }
        return fields | {key: value for key, value in rest.items() if value is not None}

    def _call(self, name: str, arguments: Mapping[str, Any] | str, *, ident: str | None) -> dict[str, Any]:
        sent = json.dumps(arguments, ensure_ascii=False) if self.text_arguments else arguments
        return {"type": "function", "id": ident, "function": {"name": name, "arguments": sent}}


@dataclass(frozen=True)
class Server:
    """What answers requests: a tokenizer of transformers with a chat template.

    Attributes:
        arguments: further variables of the template, from the recipe.
    """

    tokenizer: PreTrainedTokenizerBase
    chat_template: str
    arguments: Mapping[str, Any]

    def prompt_ids(self, request: Request, turn: int) -> list[int] | None:
        """Ids of the generation prompt for message `turn` of the conversation; None where the template raises."""
        rendered = self._apply(request, turn - request.shift, add_generation_prompt=True, return_dict=False)
        return None if rendered is None else list(rendered)

    def transcript(self, request: Request, turn: int) -> str | None:
        """The conversation through message `turn` as text; None where the template raises."""
        rendered = self._apply(request, turn + 1 - request.shift, tokenize=False)
        return None if rendered is None else str(rendered)

    def _apply(self, request: Request, count: int, **options: bool) -> Any:
        try:
            return self.tokenizer.apply_chat_template(
                [dict(message) for message in request.messages[:count]],
                chat_template=self.chat_template,
                **options,
                **{**request.arguments, **self.arguments},
            )
        except FAILURES:
            return None

    def requests(self, conversation: Conversation, policy: TemplateSection) -> list[Request]:
        """All ways to send a conversation, those that ask least of the caller first."""
        return sorted(self._requests(conversation, policy), key=lambda request: len(request.asked))

    def _requests(self, conversation: Conversation, policy: TemplateSection) -> Iterator[Request]:
        tools = [dict(tool) for tool in conversation.tools]
        for (messages, moved), spelling, (arguments, argued) in product(
            _system_moves(_under(policy, conversation.messages)),
            _spellings(conversation.messages),
            self._argument_choices(bool(tools)),
        ):
            yield Request(
                messages=tuple(spelling.fields(message) for message in messages),
                arguments={"tools": tools or None, **arguments},
                shift=len(conversation.messages) - len(messages),
                asked=(*moved, *spelling.asked, *argued),
            )

    def _argument_choices(self, has_tools: bool) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Arguments that templates know, with how the caller is told of them."""
        known = [name for name in _SWITCHES if name in self.chat_template and not set(_SWITCHES) & set(self.arguments)]
        switches: list[dict[str, Any]] = [{}, *({name: value} for name in known for value in (False, True))]
        absent = [name for name in _TOKEN_NAMES if name not in self.tokenizer.special_tokens_map]
        absent = [name for name in absent if name in self.chat_template]
        empties: list[dict[str, Any]] = [{}, dict.fromkeys(absent, "")] if absent else [{}]
        lists: list[dict[str, Any]] = [{}] if has_tools else [{}, {"tools": []}]
        for switch, empty, listed in product(switches, empties, lists):
            given = {**switch, **empty, **listed}
            yield given, tuple(f"{name}={json.dumps(value)}" for name, value in given.items())


def _under(policy: TemplateSection, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with what a recipe decides for training and inference alike: its system message, no reasoning."""
    kept = messages if policy.train_reasoning else [replace(message, reasoning=None) for message in messages]
    if policy.system and messages[0].role != "system":
        return [Message("system", policy.system), *kept]
    return kept


def _spellings(messages: Sequence[Message]) -> list[_Spelling]:
    """The spellings in which these messages differ."""
    calls = {False, any(message.tool_calls for message in messages)}
    inputs = {False, any(message.input is not None for message in messages)}
    return [_Spelling(*chosen) for chosen in product((False, True), calls, calls, inputs)]


def _system_moves(messages: Sequence[Message]) -> Iterator[tuple[Sequence[Message], tuple[str, ...]]]:
    """The messages as they are, and with the system message at the front of the first question."""
    yield messages, ()
    if messages[0].role == "system" and len(messages) > 1:
        first = replace(messages[1], content=f"{messages[0].content}\n\n{messages[1].content}")
        yield (first, *messages[2:]), ("system message inside the first question",)
