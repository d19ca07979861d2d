"""Whose text it is: which characters of a rendered text belong to which message, by its role.

As in `turns`, nothing is searched for: two renderings that differ only in one message's content show where it stands.
That costs two renderings per message, so only what people look at pays for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tutelage.errors import TemplateError
from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Dropped, Message, Rendered, Span, ToolCall
from tutelage.template.chat import ChatTemplate
from tutelage.template.compare import shared_prefix, shared_suffix
from tutelage.template.conversation import prepared, prompt, render_conversation
from tutelage.template.dialect import FIRST, SECOND

TEMPLATE, TEXT = "template", "text"

_Write = Callable[[Sequence[Message]], str]


@dataclass(frozen=True, slots=True)
class Region:
    """Characters [start, end) of a rendered text that belong to a message of this role; "text" for plain text."""

    start: int
    end: int
    role: str


def regions(
    rendered: Rendered, conversation: Conversation, *, template: ChatTemplate, policy: TemplateSection
) -> tuple[Region, ...]:
    """The regions of a text, in order; what belongs to none is the template's.

    A turn that is trained is the assistant's as a whole, from the end of its generation prompt through its stop token.
    Of other messages it is what they say (content, reasoning, calls). With `train_on: all`, every assistant turn is
    taken as a trained one. A message that cannot be located (its content is empty, or the template writes it nowhere
    or twice) has no region.

    Args:
        rendered: one of the texts that `render_conversation` made of the conversation under this policy.
    """
    if conversation.text is not None:
        return tuple(Region(span.start, span.end, TEXT) for span in rendered.spans)
    turns = _turns(rendered, conversation, template=template, policy=policy)
    if not turns:
        return ()
    found = [Region(span.start, span.end, conversation.messages[span.turn].role) for span in turns]
    earlier, write = _before(turns[-1], conversation, template=template, policy=policy)
    written = rendered.text[: turns[-1].start]
    if write(earlier) == written:
        shift = len(earlier) - turns[-1].turn
        known = {span.turn + shift for span in turns}
        found += [
            Region(*where, message.role)
            for at, message in enumerate(earlier)
            if at not in known and (where := _located(earlier, at, write=write, written=written))
        ]
    return tuple(_apart(found))


def _apart(found: Sequence[Region]) -> Iterator[Region]:
    """The regions in order without overlap: where a template writes a message into another one's turn (a tool's result
    between the call and what is said afterwards), the inner one has its part."""
    borders = sorted({border for region in found for border in (region.start, region.end)})
    for start, end in pairwise(borders):
        around = [region for region in found if region.start <= start and end <= region.end]
        if around:
            yield Region(start, end, min(around, key=lambda region: region.end - region.start).role)


def _turns(
    rendered: Rendered, conversation: Conversation, *, template: ChatTemplate, policy: TemplateSection
) -> tuple[Span, ...]:
    """The assistant turns that are known without looking. A text that is trained whole says nothing of its turns: they
    are those of the same text with only the assistant trained, or only the last turn where others are inexact."""
    if policy.train_on != "all":
        return rendered.spans
    messages = tuple(replace(message, train=None, weight=1.0) for message in conversation.messages[: rendered.turns])
    for train_on in ("assistant", "last"):
        section = policy.model_copy(update={"train_on": train_on})
        texts = render_conversation(replace(conversation, messages=messages), template, policy=section)
        for one in () if isinstance(texts, Dropped) else texts:
            if one.text == rendered.text:
                return one.spans
    return ()


def _before(
    last: Span, conversation: Conversation, *, template: ChatTemplate, policy: TemplateSection
) -> tuple[tuple[Message, ...], _Write]:
    """The messages before the last turn, a default system message among them, and how their prompt is written."""
    messages = conversation.messages[: last.turn + 1]
    if policy.system and messages[0].role != "system":
        messages = (Message("system", policy.system), *messages)
    section = policy.model_copy(update={"system": None})
    answer = prepared(messages, template, policy=section)[0][-1]

    def write(earlier: Sequence[Message]) -> str:
        reasoning = bool(answer.reasoning)
        return prompt(earlier, template, policy=section, tools=conversation.tools, reasoning=reasoning)

    return messages[:-1], write


def _located(messages: Sequence[Message], at: int, *, write: _Write, written: str) -> tuple[int, int] | None:
    """Where `written` holds what one message says; None where that cannot be told."""
    message = messages[at]
    try:
        first, second = (
            write((*messages[:at], _reworded(message, word), *messages[at + 1 :])) for word in (FIRST, SECOND)
        )
    except TemplateError:  # the template looks into this content: it writes the real one, but no other
        return None
    head = shared_prefix(first, second)
    tail = shared_suffix(first[len(head) :], second[len(head) :])
    if message.tool_calls or message.reasoning or message.input is not None:
        # Several words were put in, with markup between them that may vary: keep what all three share.
        head = shared_prefix(head, written)
        tail = shared_suffix(tail, written[len(head) :])
    elif first[len(head) : len(first) - len(tail)] != FIRST:
        return None
    start, end = len(head), len(written) - len(tail)
    return (start, end) if start < end and written.startswith(head) and written.endswith(tail) else None


def _reworded(message: Message, word: str) -> Message:
    """The message with `word` for each thing that it says; what is empty stays empty."""
    calls = tuple(ToolCall(word, {word: word}, call.id) for call in message.tool_calls)
    told = replace(message, reasoning=message.reasoning and word, tool_calls=calls)
    if message.input is not None:
        return replace(told, content=f"{word}\n{word}", input=word)
    return replace(told, content=message.content and word)
