"""The noun: a constraint, as a kind and its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is asked of an answer. Made by `parsing`, which knows what each kind takes.

    Attributes:
        id: the kind (`keywords:existence`, `zh:title`).
        arguments: name -> value.
    """

    id: str
    arguments: Mapping[str, Any]
