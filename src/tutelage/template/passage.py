"""A conversation through one assistant turn, and where that turn's own text stands in what the template writes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tutelage.records import Message, ToolCall
from tutelage.template import notes
from tutelage.template.chat import ChatTemplate
from tutelage.template.compare import difference, shared_prefix, shared_suffix
from tutelage.template.dialect import FIRST, SECOND
from tutelage.template.typed import Typed

Tools = tuple[Mapping[str, Any], ...]
Told = tuple[str, ...]


class InexactError(Exception):
    """A turn that cannot be made exact. `reason` is a fixed phrase, `detail` says what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Passage:
    """A conversation through the turn in question, its last message, and what it is rendered with."""

    template: ChatTemplate
    messages: tuple[Message, ...]
    tools: Tools = ()

    @property
    def answer(self) -> Message:
        """The turn in question."""
        return self.messages[-1]

    def prompt(self) -> str:
        """The generation prompt for the turn."""
        return self.template.render(self.messages[:-1], tools=self.tools, add_generation_prompt=True)

    def transcript(self, *following: Message) -> str:
        """The conversation through the turn, and further messages."""
        return self.template.render((*self.messages, *following), tools=self.tools)

    def answering(self, answer: Message) -> "Passage":
        """The same conversation with another last message."""
        return replace(self, messages=(*self.messages[:-1], answer))

    def masked(self, typed: Typed) -> "Passage":
        """The same conversation with words in place of the control tokens that are typed before its last message."""
        earlier = map(typed.mask, self.messages[:-1])
        return replace(self, messages=(*earlier, self.answer), tools=tuple(typed.mask_values(self.tools)))

    def reworded(self, word: str) -> "Passage":
        """The same conversation with `word` for all that the turn says: its content, its calls' names and arguments."""
        last = self.answer
        calls = tuple(ToolCall(word, {word: word}, call.id) for call in last.tool_calls)
        return self.answering(replace(last, content=last.content and word, tool_calls=calls))


@dataclass(frozen=True, slots=True)
class Located:
    """A transcript cut around a turn's content: `head + body + tail` is the whole text."""

    head: str
    body: str
    tail: str


def locate(passage: Passage) -> Located:
    """Head, body and tail of the last message.

    Raises:
        InexactError: the answer is not written exactly once, or changing it changes other text.
        TemplateError: the template raises.
    """
    first, second = (passage.reworded(word).transcript() for word in (FIRST, SECOND))
    written = passage.transcript()
    head = shared_prefix(first, second)
    tail = shared_suffix(first[len(head) :], second[len(head) :])
    if passage.answer.tool_calls:  # The calls' own syntax varies with their arguments: keep what all three share.
        head = shared_prefix(head, written)
        tail = shared_suffix(tail, written[len(head) :])
    elif first[len(head) : len(first) - len(tail)] != FIRST:
        raise InexactError(notes.LOST, "a changed answer changes the text at more than one place, or nowhere")
    body = written[len(head) : len(written) - len(tail)]
    if head + body + tail != written:
        raise InexactError(notes.LOST, f"around the answer the template writes {difference(written, head)}")
    return Located(head, body, tail)
