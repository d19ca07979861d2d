"""One trained turn: the generation prompt before it and the text that is trained (laws 2 and 3).

A turn is found by rendering the conversation twice with only that turn's content changed: what both have in common
before it is the head, after it the tail. Where the transcript's head is not the generation prompt, the prompt wins and
the difference is told; where that cannot be made exact, the turn is refused.

A control token that the turn's own text spells is replaced by a word while the turn is found, and put back afterwards.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tutelage.errors import TemplateError
from tutelage.records import Message, ToolCall
from tutelage.template import notes
from tutelage.template.asked import left_out
from tutelage.template.calls import missing
from tutelage.template.chat import ChatTemplate
from tutelage.template.compare import difference, shared_prefix, shared_suffix
from tutelage.template.dialect import FIRST, SECOND, THIRD
from tutelage.template.opening import opening
from tutelage.template.passage import InexactError, Located, Passage, Told, Tools, locate
from tutelage.template.typed import Typed


@dataclass(frozen=True, slots=True)
class Turn:
    """A trained turn. The model sees `prompt` and is trained on `completion`, which ends in the stop token's text.

    Attributes:
        typed: characters [start, end) of `prompt + completion` where a trained text of the row spells a control token.
    """

    prompt: str
    completion: str
    stop: str
    notes: Told = ()
    typed: tuple[tuple[int, int], ...] = ()


def turn(template: ChatTemplate, messages: Sequence[Message], *, tools: Tools = (), whole: bool = False) -> Turn:
    """The last of `messages`, an assistant's, as a trained turn.

    Args:
        whole: the prompt will be trained as well; it matters for control tokens that the earlier messages spell.

    Raises:
        InexactError: the template loses the answer, its transcript diverges from its prompt, or nothing ends the turn.
        TemplateError: the template raises.
    """
    passage = Passage(template, tuple(messages), tools)
    typed = Typed(template.control)
    asked = passage.masked(typed)
    told = (notes.TYPED_SEEN,) if typed and not whole else ()
    if not whole:
        asked, typed = passage, Typed(template.control)
    masked = asked.answering(typed.mask(passage.answer))
    found = _turn(masked)
    if typed:
        found = _restored(found, passage, masked=masked, typed=typed)
    return replace(found, notes=(*told, *found.notes))


def _restored(found: Turn, passage: Passage, *, masked: Passage, typed: Typed) -> Turn:
    """The turn found with words in place of control tokens, with the tokens.

    Raises:
        InexactError: the template writes the tokens otherwise than the words.
    """
    for real, worded in ((passage.prompt(), masked.prompt()), (passage.transcript(), masked.transcript())):
        expected, _ = typed.restore(worded)
        if real != expected:
            raise InexactError(notes.LOST, f"around a typed control token it writes {difference(real, expected)}")
    prompt, _ = typed.restore(found.prompt)
    text, ranges = typed.restore(found.prompt + found.completion)
    return replace(
        found, prompt=prompt, completion=text[len(prompt) :], typed=ranges, notes=(notes.TYPED_TRAINED, *found.notes)
    )


def _turn(passage: Passage) -> Turn:
    """The turn of a passage in which no trained text spells a control token."""
    if not passage.answer.content.strip() and not passage.answer.tool_calls:
        raise InexactError(notes.EMPTY_ANSWER)
    prompt = passage.prompt()
    located = locate(passage)
    body, body_notes = _body(passage, located)
    asked_notes = left_out(passage)
    lead, lead_notes = opening(passage, prompt, head=located.head)
    ending, stop, stop_notes = _ending(passage, located.tail)
    if passage.answer.tool_calls and stop in body:
        raise InexactError(notes.LOST, f"the template writes the stop {stop!r} in the middle of the turn")
    return Turn(prompt, lead + body + ending, stop, (*asked_notes, *lead_notes, *body_notes, *stop_notes))


def _body(passage: Passage, located: Located) -> tuple[str, Told]:
    """The content as the template writes it, with what it changed."""
    answer = passage.answer
    if answer.tool_calls:
        lost = repr(answer.content) if answer.content.strip() not in located.body else missing(passage, located.body)
        if lost:
            raise InexactError(notes.LOST, f"the template does not write {lost}")
        return located.body, ()
    if located.body == answer.content:
        return located.body, ()
    if located.body.strip() == answer.content.strip():
        return located.body, (notes.CONTENT_TRIMMED,)
    raise InexactError(notes.LOST, f"the template writes {difference(located.body, answer.content)}")


def _ending(passage: Passage, tail: str) -> tuple[str, str, Told]:
    """Text from the end of the content through the stop token, the stop, and how it was found."""
    template = passage.template
    found = _last_stop(template, tail) if passage.answer.tool_calls else _closing_stop(passage, tail)
    if found:
        return tail[: found.end()], found[0], ()
    following = _before_next_message(passage)
    both = len(shared_prefix(tail, following))
    found = template.control.search(following, both)
    between = tail[both:] + following[both : found.start()] if found else ""
    if found and not between.strip() and not _is_bos(template, found[0]):
        return following[: found.end()], found[0], (notes.STOP_FROM_NEXT,)
    eos = template.special_tokens.get("eos_token")
    if not eos:
        raise InexactError(notes.NO_STOP, "ordinary text ends the turn, and the tokenizer has no eos_token")
    return _closing_text(tail, following or tail) + eos, eos, (notes.STOP_ADDED,)


def _closing_text(tail: str, following: str) -> str:
    """Ordinary text that closes the turn, at the end of a transcript and in history alike; whole lines of it."""
    shared = shared_prefix(tail, following)
    if shared != tail and "\n" in shared:
        shared = shared[: shared.rindex("\n")]
    return shared.rstrip()


def _closing_stop(passage: Passage, tail: str) -> re.Match[str] | None:
    """The token that ends the turn. Of several, the eos token if it ends turns in history too; else the last one, or
    the first where the tail holds more than what closes a turn (a further prompt, an end of the transcript)."""
    matches = list(passage.template.control.finditer(tail))
    if len(matches) < 2:
        return matches[0] if matches else None
    closing = shared_prefix(tail, _before_next_message(passage))
    eos = passage.template.special_tokens.get("eos_token")
    ends = (match for match in matches if match[0] == eos and match.end() <= len(closing))
    return next(ends, matches[-1] if closing == tail else matches[0])


def _last_stop(template: ChatTemplate, text: str) -> re.Match[str] | None:
    """The turn's stop after tool calls, whose own closing tags may be special tokens as well."""
    usual = answer_stop(template)
    matches = list(template.control.finditer(text))
    return next((match for match in matches if match[0] == usual), matches[-1] if matches else None)


def _before_next_message(passage: Passage) -> str:
    """What stands between the turn's content and that of the message that follows it: a tool's result after calls, a
    user's otherwise. Nothing where the template refuses it."""
    calls = passage.answer.tool_calls
    following = Message("tool", THIRD, tool_call_id=calls[0].id) if calls else Message("user", THIRD)
    try:
        first, second = (passage.reworded(word).transcript(following) for word in (FIRST, SECOND))
        tail = shared_suffix(first, second)
        if calls:  # As in `locate`: the calls' own syntax varies with their arguments.
            tail = shared_suffix(tail, passage.transcript(following))
    except TemplateError:
        return ""
    return tail.split(THIRD, 1)[0]


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
