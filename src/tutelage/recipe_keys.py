"""The keys of a recipe, as `section.key`: all of them, those that were given, and their values."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def flat(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """All keys with their values as JSON types, as {"train.learning_rate": 1e-4}; sources stay lists of mappings."""
    found: dict[str, Any] = {}
    for name, value in section:
        if isinstance(value, BaseModel):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = section.model_dump(mode="json", include={name})[name]
    return found


def described(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """All keys with their descriptions, as ("train.learning_rate", "peak learning rate of AdamW")."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from described(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description or ""


def given(section: BaseModel, prefix: str = "") -> Iterator[str]:
    """The keys that were set, whatever their values."""
    for name, value in section:
        if name not in section.model_fields_set:
            continue
        if isinstance(value, BaseModel):
            yield from given(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of nested mappings, two levels deep."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and not prefix:
            yield from leaves(value, f"{key}.")
        else:
            yield f"{prefix}{key}"
