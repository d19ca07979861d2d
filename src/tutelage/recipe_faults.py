"""What is said of a key or a value that does not fit a recipe: in plain words, and with the nearest that would."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tutelage import yaml_values
from tutelage.errors import RecipeError


@dataclass(frozen=True)
class Known:
    """What a recipe may hold.

    Attributes:
        fields: of the whole recipe, sections among them.
        keys: dotted names of all keys and sections.
    """

    fields: Mapping[str, FieldInfo]
    keys: Sequence[str]


def explained(error: ValidationError, known: Known, *, place: str) -> RecipeError:
    """The first of pydantic's complaints as an error of ours."""
    first = error.errors()[0]
    names = [part for part in first["loc"] if isinstance(part, str)]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        near = _nearest(names, known.keys)
        hint = f"did you mean `{near}`?" if near else "see `tutelage init` for every key"
        return RecipeError(
            f"unknown key `{key}` (value {yaml_values.shown(first['input'])})",
            code="unknown-key",
            place=place,
            remedy=hint,
        )
    field = _field(names, known.fields)
    if field is None:
        return RecipeError(
            f"`{key}` is {yaml_values.shown(first['input'])}",
            code="recipe-value",
            place=place,
            expected=_in_words(first),
        )
    if first["type"] == "missing":
        found = f"`{key}` is missing in {yaml_values.shown(first['input'])}"
        return RecipeError(
            found, code="recipe-value", place=place, expected=field.description or "", remedy=f"set `{key}`"
        )
    if key.removesuffix(".str") in known.keys:
        key = key.removesuffix(".str")  # pydantic names the members of a union as well
    expected = "; ".join(part for part in (_in_words(first), field.description) if part)
    remedy = _mended(key, field, error=first)
    return RecipeError(
        f"`{key}` is {yaml_values.shown(first['input'])}",
        code="recipe-value",
        place=place,
        expected=expected,
        remedy=remedy,
    )


def _field(names: Sequence[str], fields: Mapping[str, FieldInfo]) -> FieldInfo | None:
    """The field of a key, or the one that holds it; None where there is none."""
    found = None
    for name in names:
        if name not in fields:
            break
        found = fields[name]
        fields = _below(found)
    return found


def _below(field: FieldInfo) -> Mapping[str, FieldInfo]:
    """The fields of a section, or of the sections in a list; none for a value."""
    for owned in (field.annotation, *get_args(field.annotation)):
        if isinstance(owned, type) and issubclass(owned, BaseModel):
            return owned.model_fields
    return {}


# What pydantic expects, in plain words: beginning of its error type -> words. Bounds and choices are plain as they are.
_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text",
    "dict": "a mapping of keys",
    "model": "a mapping of keys",
    "tuple": "a list",
}


def _in_words(error: ErrorDetails) -> str:
    return _WORDS.get(error["type"].split("_")[0]) or error["msg"].removeprefix("Input should be ")


def _mended(key: str, field: FieldInfo, *, error: ErrorDetails) -> str:
    """What to do about a wrong value."""
    below = next(iter(_below(field)), None)
    if below:
        return f"give `{key}` keys of its own, such as {{{below}: ...}}; see `tutelage init` for every key"
    choices = re.findall(r"'([^']*)'", error["msg"]) if error["type"] == "literal_error" else []
    near = difflib.get_close_matches(str(error["input"]), choices, 1, 0.5)
    if near:
        return f"did you mean `{near[0]}`?"
    if field.is_required():
        return f"mend `{key}`"
    if field.default is None:
        return f"mend `{key}`, or leave it out"
    default = yaml.safe_dump(field.default, default_flow_style=True, allow_unicode=True).splitlines()[0]
    return f"mend `{key}`, or leave it out: then it is {default}"


def _nearest(path: Sequence[str], known: Sequence[str]) -> str | None:
    """The known key or section that was probably meant: one with a like name beside it, or anywhere."""
    beside = [key for key in known if key.rpartition(".")[0] == ".".join(path[:-1])]
    for candidates, likeness in ((beside, 0.6), (known, 0.7)):
        names = {key.rpartition(".")[2]: key for key in candidates}
        near = difflib.get_close_matches(path[-1], names, 1, likeness)
        if near:
            return names[near[0]]
    return None
