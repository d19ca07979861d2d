"""How much one rendering of a template may do: one budget, counted in characters, from which everything is paid.

A character that is built costs 1, so the budget bounds the memory of a rendering and its time. Nothing is timed: a row
gets the same verdict on every machine. An operation is paid for before it runs, by one rule: the sum of the sizes of
its operands, or their product, if it is one of those that repeat what they are given. Every function here raises
`ExceededError` where the budget is used up; `metered` says where in a template they are called.
"""

import re
from collections.abc import Iterator, Sequence, Sized
from contextvars import ContextVar
from typing import Any

import jinja2

CHARACTERS = 2**28  # for one rendering; an honest one takes some three to six times the length of its conversation
STEP = 2  # an expression, in time: some 30 ns
ITEM = 16  # a place in a list, with a small object in it and the time to look at it
CALL = 128  # of a macro or a function; and a mapping, in memory
_READ = 5  # 2**5 characters are compared or searched in the time of a character that is built
_BITS = 2**14  # of a whole number

_CONTAINERS = frozenset(map(type, ([], (), {}, set(), frozenset(), {}.keys(), {}.values(), {}.items(), range(0))))

# Filters and methods that write an operand as often as another is long, or large if it is a number; or that compare
# every character with every character of what they look for.
_REPEATING = frozenset(
    ("batch", "center", "expandtabs", "indent", "join", "ljust", "replace", "rjust", "round", "slice", "tojson")
) | {"translate", "zfill", "lstrip", "rfind", "rindex", "rpartition", "rstrip", "strip"}
# Filters that look at the items of a list, not into them; and those that take a text for a list of its characters.
_ITEM_BY_ITEM = frozenset(("list", "map", "reject", "rejectattr", "reverse", "select", "selectattr"))
_LETTER_BY_LETTER = _ITEM_BY_ITEM | {"groupby", "max", "min", "sort", "splitlines", "unique", "wordcount"}
_ITERATING = _LETTER_BY_LETTER | {"batch", "join", "slice"}
FORMATTING = frozenset(("format", "format_map"))
_SPLITTING = frozenset(("split", "rsplit"))
_LARGE_WIDTH = re.compile(r"%(\([^)]*\))?[-+ #0-9.]*(\*|\d{4})|(?<!\{)(\{\{)*\{[^{}]*:[^{}]*(\{|\d{4})")


class ExceededError(jinja2.TemplateRuntimeError):
    """A limit that a rendering went beyond. The message says what it did, `expected` names the limit."""

    def __init__(self, found: str, expected: str) -> None:
        self.expected = expected
        super().__init__(found)


class Budget:
    """What is left of `characters` for the rendering in the `with` block that it opens."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def __enter__(self) -> None:
        self._before = _budget.set(self)

    def __exit__(self, *raised: object) -> None:
        _budget.reset(self._before)


_budget: ContextVar[Budget] = ContextVar("template budget")  # of the rendering in this thread


def spend(characters: int) -> bool:
    """Take from the budget. True, so that it can stand in a condition."""
    budget = _budget.get()
    budget.left -= characters
    if budget.left < 0:
        found = "the template does not come to an end, or builds too much"
        raise ExceededError(found, f"work worth at most {CHARACTERS:,} characters for one conversation")
    return True


def size(value: Any) -> int:
    """About how many characters it takes to write a value; walking a list is paid for here.

    A list that holds another twice counts it twice, as Python does when it writes, compares or hashes it.
    """
    kind = type(value)
    if kind in _CONTAINERS:
        spend(ITEM * len(value))
        return ITEM * len(value) + sum(map(size, [*value, *value.values()] if kind is dict else value))
    if isinstance(value, (str, bytes)):
        return len(value)
    return value.bit_length() if kind is int else 1


def _outer_size(value: Any) -> int:
    return ITEM * len(value) if type(value) in _CONTAINERS else size(value)


def read(value: Any) -> Any:
    """The value itself, after a charge for reading all of it."""
    spend(size(value) >> _READ)
    return value


def searched(value: Any) -> Any:
    """The value itself, after a charge for looking for something in it. A mapping finds it at once."""
    return value if type(value) is dict else read(value)


def copied(value: Any) -> Any:
    """The value itself, after a charge for a copy of it, or of a part of it."""
    spend(_outer_size(value))
    return value


def written(value: Any) -> str:
    """A value as text, after a charge for that text and for what it becomes a part of."""
    text = value if isinstance(value, str) else str(read(value))
    spend(ITEM + 2 * len(text))
    return text


def gathered(name: str, value: Any) -> Any:
    """A list in place of an iterator that the filter or method `name` goes through; its items were paid for before."""
    return list(value) if name in _ITERATING and isinstance(value, Iterator) else value


def before_operation(operator: str, left: Any, *, right: Any) -> None:
    """Pay for `left operator right`. Numbers have a limit of their own."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
        if bits > _BITS:
            raise ExceededError("the template computes too large a number", f"whole numbers of at most {_BITS:,} bits")
    elif operator == "*":
        spend(_product(right, left) if isinstance(left, int) else _product(left, right))
    elif operator == "%" and isinstance(left, str):
        spend(_formatted(left, (right,)))
    else:
        spend(_outer_size(left) + _outer_size(right))


def is_by_sum(name: str) -> bool:
    """Whether a filter, test or method costs no more than the sizes of what it is given."""
    return name not in _REPEATING | _LETTER_BY_LETTER | FORMATTING | _SPLITTING


def before(name: str, value: Any, *, given: Sequence[Any]) -> None:
    """Pay for a filter, test or method `name` of `value` with the arguments `given`."""
    if name in _REPEATING:
        cost = _product(value, *given)
    elif name in _LETTER_BY_LETTER and isinstance(value, str):
        cost = 2 * ITEM * len(value)  # each becomes a text
    elif name in _ITEM_BY_ITEM:
        cost = ITEM * len(value) if isinstance(value, Sized) else 0
    elif name in FORMATTING and isinstance(value, str):
        cost = _formatted(value, given)
    elif name in _SPLITTING and isinstance(value, str):
        cost = len(value) + ITEM * (value.count(given[0]) if given and given[0] else len(value) // 2)
    else:  # methods of a mapping do not go through it, or not into its values
        cost = (_outer_size(value) if type(value) is dict else size(value)) + sum(map(size, given))
    spend(ITEM + cost)


def _product(value: Any, *given: Any) -> int:
    times = (abs(one) if isinstance(one, int) else size(one) for one in given)
    return max(1, size(value)) * max(1, *times, 1)


def _formatted(text: str, given: Sequence[Any]) -> int:
    """Every field may write all that is given. How wide it is made has to be read in the text."""
    if _LARGE_WIDTH.search(text):
        raise ExceededError("the template asks for too wide a field", "widths and precisions of at most 999, as digits")
    return len(text) + (text.count("%") + text.count("{")) * (sum(map(size, given)) + 1000)
