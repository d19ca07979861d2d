"""What a kind of constraint is: a check, the arguments that it takes, and the sentence that tells it."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_RELATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "exactly": operator.eq,
    "less than": operator.lt,
    "more than": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Argument:
    """A kind of value that an argument may have.

    Attributes:
        expected: the values in words, for the message about others.
        fits: whether a value is one of them.
    """

    expected: str
    fits: Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of constraint.

    Attributes:
        check: takes an answer and the arguments by name; tells whether the answer keeps to it.
        told: the constraint in a sentence, with `{name}` for arguments; Chinese for the Chinese kinds.
        arguments: name -> what it may be; each is required.
    """

    check: Callable[..., bool]
    told: str
    arguments: Mapping[str, Argument]


def holds(count: int, relation: str, *, bound: int) -> bool:
    """Whether a count stands in a relation ("at least", "at most", "exactly", "less than", "more than") to a bound."""
    return _RELATIONS[relation](count, bound)


def one_of(*choices: str) -> Argument:
    """An argument that is one of some texts."""
    return Argument("one of " + ", ".join(map(repr, choices)), lambda value: value in choices)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_text, value))


COUNT = Argument("a whole number, 0 or more", _is_count)
ORDINAL = Argument("a whole number, 1 or more", lambda value: _is_count(value) and value != 0)
TEXT = Argument("a text that is not blank", _is_text)
TEXTS = Argument("a list of texts, none of them blank", _is_texts)
CHARACTER = Argument("a single character", lambda value: isinstance(value, str) and len(value) == 1)
RELATION = one_of(*_RELATIONS)
