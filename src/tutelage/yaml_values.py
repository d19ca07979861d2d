"""YAML as plain values: whatever a text is, it ends in values that can be walked, kept and read back, or is refused."""

from collections.abc import Mapping
from typing import Any

import yaml

from tutelage.errors import RecipeError

_SHOWN = 120  # characters of a value in a message
_LONGEST = 2**20  # characters of a recipe
_MOST, _DEEPEST = 100_000, 64  # values in a recipe, and how deep they may be nested
_PLAIN = (str, bool, int, float, type(None))


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a date is text, as in YAML 1.2: templates take dates as text, and recipes are kept as JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed(text: str, place: str) -> Any:
    """What a YAML text says.

    Raises:
        RecipeError: not YAML, or values that `check` refuses; with the line or the key.
    """
    try:
        tree = loaded(text)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        problem = error.problem if isinstance(error, yaml.MarkedYAMLError) and error.problem else str(error)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(
            f"not valid YAML: {problem}", code="recipe-file", place=place + line, remedy="mend the line"
        ) from None
    check(tree, place)
    return tree


def loaded(text: str) -> Any:
    """What a YAML text says, unchecked.

    Raises:
        yaml.YAMLError: it is too long or no YAML, or Python has no such value (`!!int ''`, `0b`).
    """
    if len(text) > _LONGEST:
        raise yaml.YAMLError(f"{len(text):,} characters, at most {_LONGEST:,} are read")
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as error:  # PyYAML's constructors
        raise yaml.YAMLError(f"a value that cannot be read: {error}") from None


def check(tree: Any, place: str) -> None:
    """Refuse values that anchors make contain themselves or multiply, and those that a saved recipe cannot give back.

    Raises:
        RecipeError: too many or too deep values, or one that is neither text nor number nor a list or mapping of such.
    """
    waiting: list[tuple[Any, tuple[str, ...]]] = [(tree, ())]
    count = 0
    while waiting:
        value, keys = waiting.pop()
        count += 1
        if count > _MOST or len(keys) > _DEEPEST:
            expected = f"at most {_MOST:,} values, nested at most {_DEEPEST} deep"
            raise RecipeError(
                "too many values, or nested too deeply", code="recipe-file", place=place, expected=expected
            )
        if isinstance(value, Mapping):
            for key, item in value.items():
                _refuse_unwritable(key, (*keys, str(key)), place, is_key=True)
                waiting.append((item, (*keys, str(key))))
        elif isinstance(value, (list, tuple)):
            waiting += [(item, (*keys, str(number))) for number, item in enumerate(value)]
        else:
            _refuse_unwritable(value, keys, place)


def _refuse_unwritable(value: Any, keys: tuple[str, ...], place: str, *, is_key: bool = False) -> None:
    wanted = "text as a key (put it in quotes)" if is_key else "text, a number, true, false, null, a list or a mapping"
    is_plain = isinstance(value, str if is_key else _PLAIN)
    if isinstance(value, str):
        is_plain, wanted = _is_writable(value), "text without null characters and halves of surrogate pairs"
    if not is_plain:
        found = f"`{shown('.'.join(keys))[1:-1]}` is {shown(value)}"
        raise RecipeError(found, code="recipe-value", place=place, expected=wanted, remedy="mend it")


def _is_writable(text: str) -> bool:
    """Whether a text has no half of a surrogate pair and no null character, which no file and no path can hold."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def shown(value: Any) -> str:
    """A value as it is quoted in a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def apply(tree: dict[str, Any], override: str) -> None:
    """Set a key of nested mappings, in place, as `section.key=value` says; the value is YAML, or else text.

    Raises:
        RecipeError: no key, no value, or a section that is none.
    """
    key, equals, text = override.partition("=")
    place = f"--set {override[:100]}"
    if not equals or not key.strip():
        found = "no key" if equals else "no value"
        raise RecipeError(
            found,
            code="recipe-value",
            place=place,
            expected="section.key=value",
            remedy="--set train.learning_rate=1e-4",
        )
    *parents, last = key.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise RecipeError(
                f"`{parent}` is not a section", code="unknown-key", place=place, expected="a key of a section"
            )
    try:
        tree[last] = loaded(text)
    except yaml.YAMLError:
        tree[last] = text
