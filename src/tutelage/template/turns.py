"""One trained turn: the generation prompt before it and the text that is trained (laws 2 and 3).

A turn is found by rendering the conversation twice with only that turn's content changed: what both have in common
before it is the head, after it the tail. Where the transcript's head is not the generation prompt, the prompt wins and
the difference is told; where that cannot be made exact, the turn is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tutelage.errors import TemplateError
from tutelage.records import Message, ToolCall
from tutelage.template import notes, thinking
from tutelage.template.chat import ChatTemplate
from tutelage.template.compare import difference, shared_prefix, shared_suffix
from tutelage.template.dialect import FIRST, SECOND, THIRD

Tools = tuple[Mapping[str, Any], ...]
Told = tuple[str, ...]


class InexactError(Exception):
    """A turn that cannot be made exact. `reason` is a fixed phrase, `detail` says what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Turn:
    """A trained turn. The model sees `prompt` and is trained on `completion`, which ends in the stop token's text."""

    prompt: str
    completion: str
    stop: str
    notes: Told = ()


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


def turn(template: ChatTemplate, messages: Sequence[Message], *, tools: Tools = ()) -> Turn:
    """The last of `messages`, an assistant's, as a trained turn.

    Raises:
        InexactError: the template loses the answer, its transcript diverges from its prompt, or nothing ends the turn.
        TemplateError: the template raises.
    """
    passage = Passage(template, tuple(messages), tools)
    if not passage.answer.content.strip() and not passage.answer.tool_calls:
        raise InexactError(notes.EMPTY_ANSWER)
    prompt = passage.prompt()
    located = locate(passage)
    body, body_notes = _body(located, passage.answer)
    lead, lead_notes = _opening(passage, prompt, head=located.head)
    ending, stop, stop_notes = _ending(passage, located.tail)
    if passage.answer.tool_calls and stop in body and stop not in passage.answer.content:
        raise InexactError(notes.LOST, f"the template writes the stop {stop!r} in the middle of the turn")
    return Turn(prompt, lead + body + ending, stop, (*lead_notes, *body_notes, *stop_notes))


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


def _body(located: Located, answer: Message) -> tuple[str, Told]:
    """The content as the template writes it, with what it changed."""
    if answer.tool_calls:
        lost = [call.name for call in answer.tool_calls if call.name not in located.body]
        if lost or answer.content.strip() not in located.body:
            raise InexactError(notes.LOST, f"the template does not write {(lost or [answer.content])[0]!r}")
        return located.body, ()
    if located.body == answer.content:
        return located.body, ()
    if located.body.strip() == answer.content.strip():
        return located.body, (notes.CONTENT_TRIMMED,)
    raise InexactError(notes.LOST, f"the template writes {difference(located.body, answer.content)}")


def _opening(passage: Passage, prompt: str, *, head: str) -> tuple[str, Told]:
    """What is trained before the body. A turn that calls opens as an answer would, then writes the syntax of calls."""
    if passage.answer.tool_calls:
        plain = passage.answering(replace(passage.answer, content=THIRD, tool_calls=()))
        plain_head = locate(plain).head
        if head.startswith(plain_head):
            lead, told = _lead(plain, prompt, head=plain_head)
            return lead + head[len(plain_head) :], told
    return _lead(passage, prompt, head=head)


def _lead(passage: Passage, prompt: str, *, head: str) -> tuple[str, Told]:
    """The rest of the head after the prompt, or what closes the think block that the prompt opens."""
    reasoning = (passage.answer.reasoning or "").strip()
    if head.startswith(prompt):
        return _continued(prompt, head[len(prompt) :], reasoning=reasoning)
    closed = thinking.closing(prompt, reasoning)
    if closed is not None and not passage.answer.tool_calls:
        return closed, (notes.REASONING_FILLED if reasoning else notes.THINK_EMPTY,)
    return _reconciled(passage, prompt, head=head)


def _continued(prompt: str, lead: str, *, reasoning: str) -> tuple[str, Told]:
    """The template's own lead, or the row's reasoning where the prompt opens a block and the template drops it."""
    closed = thinking.closing(prompt, reasoning)
    if reasoning and reasoning not in lead:
        return (lead, (notes.REASONING_UNKNOWN,)) if closed is None else (closed, (notes.REASONING_FILLED,))
    if closed is not None:
        return lead or closed, (notes.REASONING_FILLED if reasoning else notes.THINK_EMPTY,)
    return lead, (notes.THINK_WRITTEN_EMPTY,) if thinking.is_closed_block(lead) else ()


def _reconciled(passage: Passage, prompt: str, *, head: str) -> tuple[str, Told]:
    """The lead where transcript and prompt differ: compared from the end of the message before the turn."""
    after_prompt, after_head = _since_last_message(passage)
    if not (prompt.endswith(after_prompt) and head.endswith(after_head)):
        after_prompt, after_head = prompt, head
    dropped = (notes.REASONING_UNKNOWN,) if passage.answer.reasoning else ()
    if after_head.startswith(after_prompt):
        return after_head[len(after_prompt) :], (notes.PROMPT_WINS_HISTORY, *dropped)
    if "".join(after_prompt.split()) == "".join(after_head.split()):
        return "", (notes.PROMPT_WINS_SPACE, *dropped)
    shared = len(shared_prefix(after_prompt, after_head))
    if thinking.is_closed_block(after_prompt[shared:]) and not after_head[shared:].strip():
        return "", (notes.THINK_IN_PROMPT, *dropped)
    raise InexactError(notes.DIVERGES, difference(after_prompt, after_head))


def _since_last_message(passage: Passage) -> tuple[str, str]:
    """What follows the content of the message before the turn: in the prompt, and in the transcript's head."""
    if len(passage.messages) < 2:
        return "", ""
    *earlier, previous, answer = passage.messages
    prompts, heads = [], []
    for word in (FIRST, SECOND):
        other = replace(previous, content=word, input=None)
        changed = replace(passage, messages=(*earlier, other, answer)).reworded(THIRD)
        prompts.append(changed.prompt())
        heads.append(locate(changed).head)
    return shared_suffix(*prompts), shared_suffix(*heads)


def _ending(passage: Passage, tail: str) -> tuple[str, str, Told]:
    """Text from the end of the content through the stop token, the stop, and how it was found."""
    template = passage.template
    found = _last_stop(template, tail) if passage.answer.tool_calls else _stops(template).search(tail)
    if found:
        return tail[: found.end()], found[0], ()
    following = _before_next_message(passage)
    found = _stops(template).search(following)
    if found and not following[: found.start()].strip() and not _is_bos(template, found[0]):
        return following[: found.end()], found[0], (notes.STOP_FROM_NEXT,)
    eos = template.special_tokens.get("eos_token")
    if not eos:
        raise InexactError(notes.NO_STOP, "ordinary text ends the turn, and the tokenizer has no eos_token")
    return eos, eos, (notes.STOP_ADDED,)


def _last_stop(template: ChatTemplate, text: str) -> re.Match[str] | None:
    """The turn's stop after tool calls, whose own closing tags may be special tokens as well."""
    usual = answer_stop(template)
    matches = list(_stops(template).finditer(text))
    return next((match for match in matches if match[0] == usual), matches[-1] if matches else None)


def _before_next_message(passage: Passage) -> str:
    """What stands between the turn's content and that of a user message that follows it."""
    following = Message("user", THIRD)
    tail = shared_suffix(*(passage.reworded(word).transcript(following) for word in (FIRST, SECOND)))
    return tail.split(THIRD, 1)[0]


@lru_cache(maxsize=256)
def _stops(template: ChatTemplate) -> re.Pattern[str]:
    """Matches every special token; the longest first, as tokenizers do."""
    known = {token for token in (*template.control_tokens, *template.special_tokens.values()) if token}
    return re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))) or "(?!)")


def _is_bos(template: ChatTemplate, token: str) -> bool:
    tokens = template.special_tokens
    return token == tokens.get("bos_token") and token != tokens.get("eos_token")


@lru_cache(maxsize=256)
def answer_stop(template: ChatTemplate) -> str | None:
    """The stop after an answer without calls; None where the template cannot write one."""
    return _probed_stop(template, Message("assistant", SECOND))


@lru_cache(maxsize=256)
def call_stop(template: ChatTemplate) -> str | None:
    """The stop after a tool call; None where the template cannot write one."""
    return _probed_stop(template, Message("assistant", "", tool_calls=(ToolCall(SECOND, {THIRD: FIRST}),)))


def _probed_stop(template: ChatTemplate, answer: Message) -> str | None:
    try:
        return turn(template, (Message("user", THIRD), answer)).stop
    except (InexactError, TemplateError):
        return None
