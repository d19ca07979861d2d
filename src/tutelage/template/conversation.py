"""A conversation as training text: which turns are trained, and the generation prompts of inference.

Training and inference go through the same preparation (`prepared`, `variant`), so that they agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tutelage.errors import TemplateError
from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Dropped, Message, Rendered, Span
from tutelage.template import notes, thinking
from tutelage.template.asked import tools_left_out
from tutelage.template.chat import ChatTemplate
from tutelage.template.dialect import FIRST, SECOND, THIRD, numbered
from tutelage.template.passage import InexactError, Passage, Told, locate
from tutelage.template.shapes import shapes
from tutelage.template.turns import Turn, answer_stop, call_stop

# Names under which templates let their caller turn reasoning on and off.
_SWITCHES = ("enable_thinking", "thinking")


@dataclass(frozen=True, slots=True)
class _Trained:
    """A trained turn with its place (`index` among the conversation's own messages) and weight."""

    index: int
    weight: float
    turn: Turn


def render_conversation(
    conversation: Conversation, template: ChatTemplate, *, policy: TemplateSection
) -> tuple[Rendered, ...] | Dropped:
    """The conversation as the template writes it, with the characters that are trained (laws 2 and 3).

    One text with several spans where history is stable; one per trained turn where the template rewrites it. With
    `train_on: all` the one span begins after the bos token and ends with the last assistant turn.

    Returns:
        The texts in order of their turns, or why the conversation is not trained.
    """
    try:
        if conversation.text is not None:
            return (_plain_text(conversation, conversation.text, template=template),)
        trained, told = _trained_turns(conversation, template, policy=policy)
    except InexactError as refusal:
        return Dropped(conversation.row, conversation.place, refusal.reason, refusal.detail)
    except TemplateError as error:
        return Dropped(conversation.row, conversation.place, notes.REFUSED, f"{error.place}: {error.found}")
    told = (*told, *_template_notes(conversation, template))
    if policy.train_on == "all":
        return (_whole(conversation, trained[-1], template=template, told=told),)
    return tuple(_merged(conversation, chain, told=told) for chain in _chains(trained))


def _template_notes(conversation: Conversation, template: ChatTemplate) -> Told:
    """What the template does to every conversation, or to this one's tool calls."""
    told = [notes.TOKEN_EMPTY.format(name=name) for name in template.dialect.empty]
    if "strftime_now" in template.variables:
        told.append(notes.DATE_TODAY)
    if template.dialect.call_ids and numbered(conversation.messages) != list(conversation.messages):
        told.append(notes.CALLS_NUMBERED)
    return tuple(told)


def prompt(
    messages: Sequence[Message],
    template: ChatTemplate,
    *,
    policy: TemplateSection,
    tools: Sequence[Mapping[str, Any]] = (),
    reasoning: bool = False,
) -> str:
    """The generation prompt for the next assistant turn, prepared as in training.

    Args:
        reasoning: whether the model was trained on turns with reasoning; it chooses the template arguments under which
            such turns were trained.

    Raises:
        TemplateError: the template raises.
    """
    ready, _ = prepared(messages, template, policy=policy)
    chosen, _ = variant(template, reasoning)
    return chosen.render(ready, tools=tuple(tools), add_generation_prompt=True)


def stop_tokens(template: ChatTemplate) -> tuple[str, ...]:
    """Texts at which generation stops: after an answer, after a tool call, and the tokenizer's own eos token."""
    chosen, _ = variant(template, False)
    stops = [answer_stop(chosen), call_stop(chosen), template.special_tokens.get("eos_token")]
    return tuple(dict.fromkeys(stop for stop in stops if stop))


def prepared(
    messages: Sequence[Message], template: ChatTemplate, *, policy: TemplateSection
) -> tuple[tuple[Message, ...], Told]:
    """The messages that the template is given, and what was done to them.

    A default system message is added; a system message is put before the first user message where the template has no
    such role; reasoning is taken out, or out of the answer's text, where policy and template ask for it.
    """
    ready, told = list(messages), []
    if policy.system and not (ready and ready[0].role == "system"):
        ready.insert(0, Message("system", policy.system))
    if ready and ready[0].role == "system" and len(ready) > 1 and not takes_system(template):
        ready = _without_system(ready)
        told.append(notes.SYSTEM_MOVED)
    inline = any(thinking.split_inline(message) for message in ready)
    if inline and not (policy.train_reasoning and keeps_inline_thinking(template)):
        ready = [_split(message) for message in ready]
        told.append(notes.REASONING_SPLIT)
    if not policy.train_reasoning and any(message.reasoning for message in ready):
        ready = [replace(message, reasoning=None) for message in ready]
        told.append(notes.REASONING_LEFT_OUT)
    return tuple(ready), tuple(told)


def _without_system(messages: list[Message]) -> list[Message]:
    system, *others = messages
    first = next((n for n, message in enumerate(others) if message.role == "user"), None)
    if first is None:
        return messages
    others[first] = replace(others[first], content=f"{system.content}\n\n{others[first].content}")
    return others


def _split(message: Message) -> Message:
    found = thinking.split_inline(message)
    return replace(message, reasoning=found[0], content=found[1]) if found else message


@lru_cache(maxsize=256)
def takes_system(template: ChatTemplate) -> bool:
    """Whether the template writes a system message before a user's."""
    try:
        text = template.render((Message("system", FIRST), Message("user", SECOND)), add_generation_prompt=True)
    except TemplateError:
        return False
    return FIRST in text.lower()  # some templates write it in capitals


@lru_cache(maxsize=256)
def keeps_inline_thinking(template: ChatTemplate) -> bool:
    """Whether an answer that begins with a think block is written as it is, also in history, after a plain prompt."""
    answer = f"<think>\n{FIRST}\n</think>\n\n{SECOND}"
    messages = (Message("user", FIRST), Message("assistant", answer), Message("user", THIRD))
    try:
        opened = thinking.closing(template.render(messages[:1], add_generation_prompt=True)) is not None
        return not opened and all(answer in template.render(messages[:length]) for length in (2, 3))
    except TemplateError:
        return True


@lru_cache(maxsize=512)
def variant(template: ChatTemplate, reasoning: bool) -> tuple[ChatTemplate, Told]:
    """The template with the arguments under which turns with (or without) reasoning are written exactly.

    Hybrid models write an empty think block into turns without reasoning, or open a block in the generation prompt.
    Where the template knows a switch for it and the user has not set it, such turns are rendered with thinking off.
    """
    if _fits(template, reasoning):
        return template, ()
    for switch in _SWITCHES:
        if switch in template.variables and not set(_SWITCHES) & set(template.arguments):
            switched = replace(template, arguments={**template.arguments, switch: reasoning})
            if _fits(switched, reasoning):
                which = "with" if reasoning else "without"
                return switched, (notes.SWITCHED.format(switch=switch, value=str(reasoning).lower(), which=which),)
    return template, ()


def _fits(template: ChatTemplate, reasoning: bool) -> bool:
    """Whether the turn follows its prompt directly or, with reasoning, the reasoning is written after the prompt."""
    messages = (Message("user", FIRST), Message("assistant", SECOND, reasoning=THIRD if reasoning else None))
    try:
        start = template.render(messages[:1], add_generation_prompt=True)
        head = locate(Passage(template, messages)).head
    except (InexactError, TemplateError):
        return False
    if reasoning:
        return (head.startswith(start) and THIRD in head[len(start) :]) or thinking.closing(start) is not None
    return thinking.closing(start) is None and (not head.startswith(start) or not head[len(start) :].strip())


def _trained_turns(
    conversation: Conversation, template: ChatTemplate, *, policy: TemplateSection
) -> tuple[list[_Trained], Told]:
    """The trained turns in order, with what was done to the conversation before them."""
    messages, told = prepared(conversation.messages, template, policy=policy)
    shift = len(conversation.messages) - len(messages)
    chosen, untrained = _chosen(messages, policy)
    trained = []
    for index in chosen:
        own, switched = variant(template, bool(messages[index].reasoning))
        done = shapes(own).turn(messages[: index + 1], tools=conversation.tools, whole=policy.train_on == "all")
        if switched:
            done = replace(done, notes=(*switched, *done.notes))
        trained.append(_Trained(index + shift, messages[index].weight, done))
    told += untrained
    if conversation.tools:
        told += tools_left_out(Passage(template, messages[: chosen[-1] + 1], conversation.tools))
    return trained, told


def _chosen(messages: Sequence[Message], policy: TemplateSection) -> tuple[list[int], Told]:
    """Positions of the turns that the policy trains, and what is told about others.

    Raises:
        InexactError: there is no assistant turn, or none that may be trained.
    """
    answers = [n for n, message in enumerate(messages) if message.role == "assistant"]
    if not answers:
        raise InexactError(notes.NO_ASSISTANT)
    wanted = answers if policy.train_on == "assistant" else answers[-1:]
    if policy.train_on != "all":
        wanted = [n for n in answers if (n in wanted if messages[n].train is None else messages[n].train)]
        wanted = [n for n in wanted if messages[n].weight > 0]
    if not wanted:
        raise InexactError(notes.NOTHING_TRAINED, "every assistant turn has train: false or weight 0")
    # No server asks a model without any message; most templates cannot either.
    asked = [n for n in wanted if n > 0]
    if not asked:
        raise InexactError(notes.NOTHING_TRAINED, "the only turn begins the conversation: nothing asks for it")
    return asked, (notes.GREETING,) if len(asked) < len(wanted) else ()


def _chains(trained: Sequence[_Trained]) -> list[list[_Trained]]:
    """Runs of turns that share one text: each prompt continues the text through the turn before it.

    A turn with typed control tokens ends its text: later prompts see them as servers read them.
    """
    chains: list[list[_Trained]] = []
    for one in trained:
        before = chains[-1][-1].turn if chains else None
        if before and not before.typed and one.turn.prompt.startswith(before.prompt + before.completion):
            chains[-1].append(one)
        else:
            chains.append([one])
    return chains


def _merged(conversation: Conversation, chain: Sequence[_Trained], *, told: Told) -> Rendered:
    spans, every = [], list(told)
    for one in chain:
        start = len(one.turn.prompt)
        spans.append(Span(start, start + len(one.turn.completion), one.weight, one.index))
        every += one.turn.notes
    last = chain[-1]
    return Rendered(
        conversation.row,
        conversation.place,
        last.turn.prompt + last.turn.completion,
        tuple(spans),
        turns=last.index + 1,
        typed=last.turn.typed,
        notes=tuple(dict.fromkeys(every)),
    )


def _whole(conversation: Conversation, last: _Trained, *, template: ChatTemplate, told: Told) -> Rendered:
    """Every token trained, from after the bos token through the last assistant turn's stop."""
    rendered = _merged(conversation, [last], told=told)
    bos = template.special_tokens.get("bos_token") or ""
    start = len(bos) if rendered.text.startswith(bos) else 0
    return replace(rendered, spans=(Span(start, len(rendered.text), 1.0, last.index),))


def _plain_text(conversation: Conversation, text: str, *, template: ChatTemplate) -> Rendered:
    """Plain text between bos and eos; all but the bos is trained.

    Raises:
        InexactError: there is no text, or the tokenizer has no eos token.
    """
    if not text.strip():
        raise InexactError(notes.EMPTY_ANSWER, "the text is empty")
    bos, eos = (template.special_tokens.get(name) or "" for name in ("bos_token", "eos_token"))
    if not eos:
        raise InexactError(notes.NO_STOP, "plain text ends in eos_token, which the tokenizer lacks")
    whole = bos + text + eos
    told = (notes.TYPED_PLAIN,) if template.control.search(text) else ()
    return Rendered(conversation.row, conversation.place, whole, (Span(len(bos), len(whole)),), notes=told)
