"""Turns by substitution: most templates write every conversation of the same shape alike but for the contents.

The shape of a conversation is its roles. The first time a shape is seen it is rendered with words in place of the
contents; later rows are those texts with their own contents put in. A shape is used only after its first rows came out
equal to the real rendering, and only for contents that hold nothing the template looks for.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import environment
from tutelage.template.chat import ChatTemplate
from tutelage.template.turns import InexactError, Tools, Turn, turn

_CHECKED_ROWS = 8
_LONGEST = 32

# A slot holds everything that a filter might change: case, quotes, line breaks, double spaces, markup, wide characters.
# Where one of them is changed the slot is not found, and the shape has no pattern.
_RICH = " \"'\\ \n\n\t<b>&amp;  é中文🙂.,"
_SLOT = re.compile(rf"1Slot(\d+){re.escape(_RICH)}Word2")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A turn with slots: texts alternate with the numbers of the messages whose contents stand between them."""

    prompt: tuple[str, ...]
    completion: tuple[str, ...]
    turn: Turn

    def fill(self, contents: Sequence[str]) -> Turn:
        """The turn with `contents`, one per message, in its slots."""
        return replace(self.turn, prompt=_filled(self.prompt, contents), completion=_filled(self.completion, contents))


def _filled(pieces: tuple[str, ...], contents: Sequence[str]) -> str:
    return "".join(contents[int(piece)] if n % 2 else piece for n, piece in enumerate(pieces))


class Shapes:
    """The patterns of one template, learned as rows come by."""

    def __init__(self, template: ChatTemplate) -> None:
        sought, self._constants = environment.constants(template.source, template.name)
        self._sought = re.compile("|".join(map(re.escape, sorted(sought))) or "(?!)")
        self._template = template
        self._patterns: dict[tuple[str, ...], _Pattern | None] = {}
        self._checked: Counter[tuple[str, ...]] = Counter()

    def turn(self, messages: Sequence[Message], *, tools: Tools = ()) -> Turn:
        """As `turns.turn`, from the pattern of the conversation's shape where there is one.

        Raises:
            InexactError, TemplateError: as `turns.turn`.
        """
        if tools or len(messages) > _LONGEST or not all(self._is_plain(message) for message in messages):
            return turn(self._template, messages, tools=tools)
        shape = tuple(message.role for message in messages)
        if shape not in self._patterns:
            self._patterns[shape] = self._pattern(shape)
        pattern = self._patterns[shape]
        filled = pattern.fill([message.content for message in messages]) if pattern else None
        if filled is not None and self._checked[shape] >= _CHECKED_ROWS:
            return filled
        real = turn(self._template, messages)
        self._checked[shape] += 1
        if real != filled:
            self._patterns[shape] = None
        return real

    def _is_plain(self, message: Message) -> bool:
        content = message.content
        return (
            content != ""
            and not (message.tool_calls or message.reasoning or message.name or message.tool_call_id)
            and content == content.strip()
            and content not in self._constants
            and self._sought.search(content) is None
        )

    def _pattern(self, shape: tuple[str, ...]) -> _Pattern | None:
        messages = [Message(role, f"1Slot{n}{_RICH}Word2") for n, role in enumerate(shape)]
        try:
            found = turn(self._template, messages)
        except (InexactError, TemplateError):
            return None
        return _Pattern(tuple(_SLOT.split(found.prompt)), tuple(_SLOT.split(found.completion)), found)


@lru_cache(maxsize=64)
def shapes(template: ChatTemplate) -> Shapes:
    """The patterns learned so far for this template."""
    return Shapes(template)
