"""What is said of a key or a value that does not fit a recipe: in plain words, and with the nearest that would."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

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


class Share(Protocol):
    """A source, as far as it says what part of the mixture it is."""

    @property
    def weight(self) -> float | None:
        """Its share."""

    @property
    def rows(self) -> int | None:
        """Its rows in an epoch."""

    @property
    def role(self) -> str | None:
        """What it is for in a mode."""


def refuse_mixture(
    sources: Sequence[Share], held_out: Sequence[Share], *, mode: str | None, temperature: float | None, place: str
) -> None:
    """Refuse settings of a mixture that contradict each other, or that nothing would read.

    Args:
        sources, held_out: `data.sources` and `data.eval_sources`.
        mode, temperature: of the section `data`.
        place: of the recipe.

    Raises:
        RecipeError: naming the keys that do not go together, and which of them to remove.
    """
    for number, source in enumerate(sources):
        _refuse_contradiction(source, f"data.sources.{number}", mode=mode, temperature=temperature, place=place)
    for number, source in enumerate(held_out):
        for key, value in (("weight", source.weight), ("rows", source.rows), ("role", source.role)):
            if value is not None:
                name = f"data.eval_sources.{number}.{key}"
                found = f"`{name}` is set, but nothing would read it: held-out rows are not mixed"
                raise RecipeError(found, code="unread-key", place=place, remedy=f"remove {name}")
    missing = {"general", "domain"} if mode in ("mixed", "continual") else {mode}
    missing -= {source.role for source in sources}
    if sources and mode is not None and missing:
        role = min(map(str, missing))
        raise RecipeError(
            f"data.mode is {mode}, and no source has the role {role}",
            code="recipe-value",
            place=place,
            expected=f"a source with `role: {role}`",
            remedy="give the source its role, or choose another data.mode",
        )


def _refuse_contradiction(source: Share, name: str, *, mode: str | None, temperature: float | None, place: str) -> None:
    """Refuse what a single source says against itself or against the section."""
    faults = (
        (
            source.weight is not None and source.rows is not None,
            f"`{name}` has a weight ({source.weight:g}) and rows ({source.rows})" if source.weight else "",
            "remove one of them: rows is an exact number, weight a share of the rest",
        ),
        (
            source.weight is not None and temperature is not None,
            f"`{name}.weight` and `data.temperature` ({temperature}) both decide the shares",
            "remove the weights, or data.temperature",
        ),
        (
            source.role is not None and mode is None,
            f"`{name}.role` is set, but nothing would read it: data.mode is not set",
            "set data.mode (general, domain, mixed or continual), or remove the roles",
        ),
        (
            source.role is None and mode is not None,
            f"`{name}` has no role, and data.mode is {mode}",
            f"set `{name}.role` to general or domain, or remove data.mode",
        ),
        (
            source.rows is not None and source.role == "general" and mode == "continual",
            f"`{name}.rows` ({source.rows}) and data.replay_share both decide how much is replayed",
            f"remove `{name}.rows`, or use data.mode mixed",
        ),
    )
    for is_so, found, remedy in faults:
        if is_so:
            raise RecipeError(found, code="recipe-value", place=place, remedy=remedy)
