"""The phrases of `phrases.yaml` as patterns: all languages are asked of every answer."""

from functools import cache
from importlib.resources import files
from typing import Any

import regex
import yaml


@cache
def phrase(kind: str) -> regex.Pattern[str]:
    """One pattern for all phrases of a kind."""
    listed: Any = _listed()[kind]
    every = listed if isinstance(listed, list) else [one for of in listed.values() for one in of]
    return regex.compile("|".join(f"(?:{one})" for one in every), regex.IGNORECASE | regex.MULTILINE)


@cache
def _listed() -> dict[str, Any]:
    text = files("tutelage.evaluation.answer_form").joinpath("phrases.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
