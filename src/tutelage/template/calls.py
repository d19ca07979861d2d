"""Whether a template writes a turn's tool calls in full: every name, every key, every value.

Templates were seen that write only the first of several calls, or leave out what is no text. A call that lacks an
argument would be trained as it is, so each row is checked.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tutelage.records import ToolCall
from tutelage.template.dialect import decoded
from tutelage.template.passage import Passage

# Digits, so that a number can be replaced by a number.
_WORD = "90327{:04}20719"


def missing(passage: Passage, body: str) -> str | None:
    """The first part of the turn's calls that the template does not write into `body`, in words; None if all is there.

    Raises:
        TemplateError: the template raises.
    """
    for call in passage.answer.tool_calls:
        arguments = decoded(call.arguments)
        for what, value in ((f"the call of {call.name!r}", call.name), *_parts(arguments, f"of {call.name!r}")):
            if not any(form in body for form in _forms(value)):
                return what
    return _unwritten(passage)


def _unwritten(passage: Passage) -> str | None:
    """The same by substitution, which also tells apart parts that are alike: each text or number gets its own word."""
    named: list[str] = []
    calls = tuple(
        ToolCall(
            _word(f"the call of {call.name!r}", named),
            _worded(decoded(call.arguments), f"of {call.name!r}", named),
            call.id,
        )
        for call in passage.answer.tool_calls
    )
    written = passage.answering(replace(passage.answer, tool_calls=calls)).transcript()
    return next((what for number, what in enumerate(named) if _WORD.format(number) not in written), None)


def _word(what: str, named: list[str]) -> str:
    """The next word; `named` remembers what it stands for."""
    named.append(what)
    return _WORD.format(len(named) - 1)


def _worded(value: Any, where: str, named: list[str]) -> Any:
    """A JSON value with a word in place of each text and number; keys, truth values and nulls stay."""
    if isinstance(value, Mapping):
        return {key: _worded(item, f"in argument {key!r} {where}", named) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_worded(item, where, named) for item in value]
    if value is None or isinstance(value, bool):
        return value
    word = _word(f"the value {value!r} {where}", named)
    return word if isinstance(value, str) else type(value)(word)


def _parts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Keys and single values of arguments, each with the words that name it. An empty list or mapping has none."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"argument {key!r} {where}", key
            yield from _parts(item, f"in argument {key!r} {where}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item, where)
    else:
        yield f"the value {value!r} {where}", value


def _forms(value: Any) -> set[str]:
    """The spellings of a single value: as JSON, as JSON inside JSON text, as Python, or as it is."""
    if not isinstance(value, str):
        return {json.dumps(value, default=str), str(value)}
    once = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)}
    twice = {json.dumps(form, ensure_ascii=False)[1:-1] for form in once}
    return {value, repr(value)[1:-1], *once, *twice}
