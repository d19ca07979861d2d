"""What is trained between the generation prompt and the answer, and what to do where the transcript opens otherwise.

The generation prompt always wins: it is what the model sees at inference. Each way of following it that a transcript
does not show literally is told.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import notes, thinking
from tutelage.template.chat import ChatTemplate
from tutelage.template.compare import difference, rest_after, shared_prefix, shared_suffix
from tutelage.template.dialect import FIRST, SECOND, THIRD
from tutelage.template.passage import InexactError, Passage, Told, locate

_Lead = tuple[str, Told]


def opening(passage: Passage, prompt: str, *, head: str) -> _Lead:
    """What is trained before the body. A turn that calls opens as an answer would, then writes the syntax of calls.

    Args:
        head: the transcript up to the body.

    Raises:
        InexactError: the head cannot be reconciled with the prompt.
        TemplateError: the template raises.
    """
    if passage.answer.tool_calls:
        plain = passage.answering(replace(passage.answer, content=THIRD, tool_calls=()))
        plain_head = locate(plain).head
        if head.startswith(plain_head):
            lead, told = _lead(plain, prompt, head=plain_head)
            return lead + head[len(plain_head) :], told
    return _lead(passage, prompt, head=head)


def _lead(passage: Passage, prompt: str, *, head: str) -> _Lead:
    """The rest of the head after the prompt, or what follows the prompt in its place."""
    found = _followed(passage, prompt, head=head) or _usual(passage, prompt)
    if found is None:
        raise InexactError(notes.DIVERGES, difference(prompt, head))
    return found


def _followed(passage: Passage, prompt: str, *, head: str) -> _Lead | None:
    """How the turn follows its prompt, as its own transcript shows it."""
    if head.startswith(prompt):
        return _continued(prompt, head[len(prompt) :], reasoning=(passage.answer.reasoning or "").strip())
    asked, written = _since_last_message(passage) if len(passage.messages) > 1 else (prompt, head)
    if not (prompt.endswith(asked) and head.endswith(written)):
        asked, written = prompt, head
    return (
        _around_block(passage, asked, written)
        or _after_history(passage, asked, written)
        or _template_closing(passage, asked, written)
    )


def _continued(prompt: str, lead: str, *, reasoning: str) -> _Lead:
    """The template's own lead, or the row's reasoning where the prompt opens a block and the template drops it."""
    closed = thinking.closing(prompt, reasoning)
    if closed is None:
        if reasoning and reasoning not in lead:
            return lead, (notes.REASONING_UNKNOWN,)
        return lead, (notes.THINK_WRITTEN_EMPTY,) if thinking.is_closed_block(lead) else ()
    told = (notes.REASONING_FILLED if reasoning else notes.THINK_EMPTY,)
    if reasoning in lead and thinking.closes_block(lead):
        return lead, told
    return closed + thinking.without_block(lead).lstrip(), told


def _around_block(passage: Passage, asked: str, written: str) -> _Lead | None:
    """Where the prompt ends in a think block: close it if it is open, and go on as the transcript does without it."""
    before = thinking.before_block(asked)
    rest = None if before is None else rest_after(before, written)
    if rest is None:
        return None
    rest = thinking.without_block(rest).lstrip()
    reasoning = (passage.answer.reasoning or "").strip()
    closed = thinking.closing(asked, reasoning)
    if closed is None:
        return rest, (notes.THINK_IN_PROMPT, *_dropped(passage))
    return closed + rest, (notes.REASONING_FILLED if reasoning else notes.THINK_EMPTY,)


def _after_history(passage: Passage, asked: str, written: str) -> _Lead | None:
    """Where both open the turn alike but for white space, or the prompt writes more before the opening."""
    if written.startswith(asked):
        return written[len(asked) :], (notes.PROMPT_WINS_HISTORY, *_dropped(passage))
    rest = rest_after(asked, written)
    if rest is not None:
        return rest.lstrip(), (notes.PROMPT_WINS_SPACE, *_dropped(passage))
    both = shared_suffix(asked, written)
    inserted = len(shared_prefix(asked, written)) + len(both) >= len(written)
    if inserted and (passage.template.control.search(both) or (both == written and both.strip())):
        return "", (notes.PROMPT_WINS_HISTORY, *_dropped(passage))
    return None


def _template_closing(passage: Passage, asked: str, written: str) -> _Lead | None:
    """Where the prompt opens a block without a tag: the transcript of a turn with reasoning shows how it is closed."""
    if passage.answer.tool_calls or len(passage.messages) < 2:
        return None
    reasoned = passage.answering(replace(passage.answer, reasoning=THIRD))
    before, word, closing = _since_last_message(reasoned)[1].rpartition(THIRD)
    if not (word and closing.strip() and asked.startswith(before) and written.startswith(before)):
        return None
    reasoning = (passage.answer.reasoning or "").strip()
    return reasoning + closing, (notes.REASONING_FILLED if reasoning else notes.THINK_EMPTY,)


def _usual(passage: Passage, prompt: str) -> _Lead | None:
    """Where the prompt ends as before any answer, though the transcript joins the turn to what stands before."""
    usual = None if passage.answer.tool_calls else _usual_opening(passage.template)
    if usual is None or not prompt.endswith(usual.prompts):
        return None
    return usual.lead, (notes.PROMPT_WINS_HISTORY, *usual.told, *_dropped(passage))


@dataclass(frozen=True, slots=True)
class _Usual:
    """How a prompt ends before an ordinary answer (either of `prompts`), and how the answer follows it."""

    prompts: tuple[str, ...]
    lead: str
    told: Told


@lru_cache(maxsize=256)
def _usual_opening(template: ChatTemplate) -> _Usual | None:
    """What `add_generation_prompt` adds after a question, and what stands between the question and its answer."""
    passage = Passage(template, (Message("user", THIRD), Message("assistant", FIRST)))
    try:
        without = template.render(passage.messages[:-1])
        prompt = passage.prompt()
        found = _followed(passage, prompt, head=locate(passage).head)
    except (InexactError, TemplateError):
        return None
    added = prompt[len(without) :] if prompt.startswith(without) else ""
    ends = tuple(end for end in (added, prompt.rpartition(THIRD)[2]) if end.strip())
    return _Usual(ends, *found) if found and ends else None


def _dropped(passage: Passage) -> Told:
    return (notes.REASONING_UNKNOWN,) if passage.answer.reasoning else ()


def _since_last_message(passage: Passage) -> tuple[str, str]:
    """What follows the content of the message before the turn: in the prompt, and in the transcript's head."""
    *earlier, previous, answer = passage.messages
    prompts, heads = [], []
    for word in (FIRST, SECOND):
        other = replace(previous, content=word, input=None)
        changed = replace(passage, messages=(*earlier, other, answer)).reworded(THIRD)
        prompts.append(changed.prompt())
        heads.append(locate(changed).head)
    return shared_suffix(*prompts), shared_suffix(*heads)
