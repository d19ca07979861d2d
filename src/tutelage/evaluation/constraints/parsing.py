"""Constraints from what suites and data sets write."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeGuard

from tutelage.errors import DataError
from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.kinds import Argument
from tutelage.evaluation.constraints.registry import KINDS

_SHOWN = 80  # characters of a value in a message


def parsed(data: object, *, place: str = "") -> Constraint:
    """A constraint as a suite writes it: its id alone (`zh:title`), or a mapping with `id` and the arguments by name
    (`{"id": "zh:lines", "relation": "exactly", "count": 4}`). An argument that is null is as if absent.

    Raises:
        DataError: another form, an unknown id, an argument that is missing, unknown, or not what the kind takes.
    """
    if isinstance(data, str):
        return _made(data, {}, place=place)
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), str):
        raise _error(
            f"a constraint is {_shown(data)}", place=place, expected="an id, or a mapping with `id` and its arguments"
        )
    return _made(data["id"], {name: value for name, value in data.items() if name != "id"}, place=place)


def ifeval_constraints(row: Mapping[str, Any], *, place: str = "") -> list[Constraint]:
    """The constraints of a row as IFEval writes it: `instruction_id_list`, and for each its arguments in `kwargs`.

    Raises:
        DataError: a list that is missing or not as long as the other, or a constraint that `parsed` refuses.
    """
    ids, arguments = row.get("instruction_id_list"), row.get("kwargs")
    if not isinstance(ids, list) or not _are_arguments(arguments) or len(ids) != len(arguments):
        raise _error(
            f"the constraints are {_shown(ids)} with the arguments {_shown(arguments)}",
            place=place,
            expected="two lists of the same length, `instruction_id_list` and `kwargs` (mappings)",
        )
    return [parsed({**(given or {}), "id": name}, place=place) for name, given in zip(ids, arguments, strict=True)]


def _are_arguments(value: object) -> TypeGuard[list[Mapping[str, Any] | None]]:
    return isinstance(value, list) and all(one is None or isinstance(one, Mapping) for one in value)


def _made(name: str, arguments: Mapping[str, Any], *, place: str) -> Constraint:
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1, 0.5)
        remedy = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(KINDS)
        raise _error(f"unknown constraint `{name}`", place=place, remedy=remedy)
    taken = KINDS[name].arguments
    given = {key: value for key, value in arguments.items() if value is not None}
    for key in taken:
        if key not in given:
            raise _error(f"`{name}` lacks `{key}`", place=place, expected=taken[key].expected)
    for key, value in given.items():
        _judge(name, key, value=value, taken=taken, place=place)
    return Constraint(name, given)


def _judge(name: str, key: str, *, value: object, taken: Mapping[str, Argument], place: str) -> None:
    if key not in taken:
        takes = ", ".join(f"`{one}`" for one in taken) or "no arguments"
        raise _error(f"`{name}` has the unknown argument `{key}` ({_shown(value)})", place=place, expected=takes)
    if not taken[key].fits(value):
        raise _error(f"`{key}` of `{name}` is {_shown(value)}", place=place, expected=taken[key].expected)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _error(found: str, *, place: str, expected: str = "", remedy: str = "") -> DataError:
    return DataError(found, code="constraint", place=place, expected=expected, remedy=remedy)
