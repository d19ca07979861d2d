"""What of a conversation a generation prompt does not write, found by substitution: a word that does not come out.

Nothing is done about it: inference sees the same prompt. It is told, and a turn whose very question is left out is
refused: it would be trained to answer what the model is not asked.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tutelage.errors import TemplateError
from tutelage.records import Message
from tutelage.template import notes
from tutelage.template.passage import InexactError, Passage, Told

# Digits come through filters that change case, quotes or markup.
_WORD, _NAME = "90317{:05}20719", "90319{:05}20719"
_OFFERED = _WORD.format(0)
_TOOL: Mapping[str, Any] = {
    "name": _OFFERED,
    "description": _OFFERED,
    "parameters": {"type": "object", "properties": {}, "required": []},
}


def left_out(passage: Passage) -> Told:
    """What is told about messages and names that the prompt of a turn does not hold.

    Raises:
        InexactError: the message that the turn answers is left out.
    """
    worded = tuple(_worded(message, number) for number, message in enumerate(passage.messages[:-1]))
    try:
        prompt = replace(passage, messages=(*worded, passage.answer)).prompt()
    except TemplateError:  # The template wants something particular of a message: it reads it.
        return ()
    told = []
    for number, message in enumerate(passage.messages[:-1]):
        if message.content.strip() and _WORD.format(number) not in prompt:
            told.append(notes.LEFT_OUT.format(role=message.role))
            if number == len(worded) - 1:
                raise InexactError(notes.UNASKED, f"it does not write the {message.role} message before the turn")
        elif worded[number].name != message.name and _NAME.format(number) not in prompt:
            told.append(notes.NAME_LEFT_OUT.format(role=message.role))
    return tuple(dict.fromkeys(told))


def _worded(message: Message, number: int) -> Message:
    """The message with words of its own for content and name. Names of tools repeat what their call says."""
    if not message.content.strip():
        return message
    word = _WORD.format(number)
    name = _NAME.format(number) if message.name and message.role != "tool" else message.name
    if message.input is None:
        return replace(message, content=word, name=name)
    return replace(message, content=f"{word}\n{word}", input=word, name=name)


def tools_left_out(passage: Passage) -> Told:
    """What is told where one more tool on offer changes nothing in the prompt."""
    more = replace(passage, tools=(*passage.tools, {"type": "function", "function": _TOOL}))
    try:
        written = _OFFERED in more.prompt()
    except TemplateError:  # The template reads what it is offered.
        written = True
    return () if written else (notes.TOOLS_LEFT_OUT,)
