"""Turns by substitution: most templates write every conversation of the same shape alike but for the contents.

The shape of a conversation is its roles, and which of its messages have an input. The first time a shape is seen it is
rendered with words in place of the contents; later rows are those texts with their own contents put in. A shape is used
only after its first rows came out equal to the real rendering, and only for contents that hold nothing the template
looks for, and no control token.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import environment
from tutelage.template.chat import ChatTemplate
from tutelage.template.passage import InexactError, Tools
from tutelage.template.turns import Turn, turn

# For each message its role, and whether it has an input.
_Shape = tuple[tuple[str, bool], ...]

_CHECKED_ROWS = 8
_LONGEST = 32

# A slot holds everything that a filter might change: case, quotes, line breaks, double spaces, markup, wide characters.
# Where one of them is changed the slot is not found, and the shape has no pattern.
_RICH = " \"'\\ \n\n\t<b>&amp;  é中文🙂.,"
_SLOT = re.compile(rf"1Slot(\d+){re.escape(_RICH)}Word2")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A turn with slots: texts alternate with the numbers of the contents that stand between them."""

    prompt: tuple[str, ...]
    completion: tuple[str, ...]
    turn: Turn

    def fill(self, contents: Sequence[str]) -> Turn:
        """The turn with the `contents` of all messages in its slots."""
        prompt, completion = _filled(self.prompt, contents), _filled(self.completion, contents)
        return Turn(prompt, completion, self.turn.stop, self.turn.notes)


def _filled(pieces: tuple[str, ...], contents: Sequence[str]) -> str:
    return "".join(contents[int(piece)] if n % 2 else piece for n, piece in enumerate(pieces))


def _contents(message: Message) -> tuple[str, ...]:
    """The texts of a message that a template writes apart."""
    return (message.content,) if message.input is None else (message.instruction, message.input)


class Shapes:
    """The patterns of one template, learned as rows come by."""

    def __init__(self, template: ChatTemplate) -> None:
        sought, self._constants = environment.constants(template.source, template.name)
        patterns = (*map(re.escape, sorted(sought)), template.control.pattern)
        self._sought = re.compile("|".join(patterns))
        self._template = template
        self._patterns: dict[_Shape, _Pattern | None] = {}
        self._checked: Counter[_Shape] = Counter()

    def turn(self, messages: Sequence[Message], *, tools: Tools = (), whole: bool = False) -> Turn:
        """As `turns.turn`, from the pattern of the conversation's shape where there is one.

        Raises:
            InexactError, TemplateError: as `turns.turn`.
        """
        if tools or len(messages) > _LONGEST or not all(self._is_plain(message) for message in messages):
            return turn(self._template, messages, tools=tools, whole=whole)
        shape = tuple((message.role, message.input is not None) for message in messages)
        if shape not in self._patterns:
            self._patterns[shape] = self._pattern(shape)
        pattern = self._patterns[shape]
        filled = pattern.fill([text for message in messages for text in _contents(message)]) if pattern else None
        if filled is not None and self._checked[shape] >= _CHECKED_ROWS:
            return filled
        real = turn(self._template, messages)
        self._checked[shape] += 1
        if real != filled:
            self._patterns[shape] = None
        return real

    def _is_plain(self, message: Message) -> bool:
        if message.tool_calls or message.reasoning or message.name or message.tool_call_id:
            return False
        texts = (message.content,) if message.input is None else (message.content, *_contents(message))
        for text in texts:
            if not text or text[0].isspace() or text[-1].isspace() or text in self._constants:
                return False
        return self._sought.search(message.content) is None

    def _pattern(self, shape: _Shape) -> _Pattern | None:
        slots = (f"1Slot{n}{_RICH}Word2" for n in count())
        messages = [_slotted(role, slots, has_input=has_input) for role, has_input in shape]
        try:
            found = turn(self._template, messages)
        except (InexactError, TemplateError):
            return None
        return _Pattern(tuple(_SLOT.split(found.prompt)), tuple(_SLOT.split(found.completion)), found)


def _slotted(role: str, slots: Iterator[str], *, has_input: bool) -> Message:
    """A message of the next slot, or of the next two where it has an input."""
    slot = next(slots)
    if not has_input:
        return Message(role, slot)
    second = next(slots)
    return Message(role, f"{slot}\n{second}", input=second)


@lru_cache(maxsize=64)
def shapes(template: ChatTemplate) -> Shapes:
    """The patterns learned so far for this template."""
    return Shapes(template)
