"""Words that may be put into a question or left out of it, in Chinese and English: what is asked stays the same."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from tutelage.text import words

Words = tuple[str, ...]


def without_fillers(text: Sequence[str]) -> Words:
    """The words of a text without its fillers."""
    single, several = _fillers()
    if single.isdisjoint(text) and several.keys().isdisjoint(text):
        return tuple(text)
    kept, skip = list[str](), 0
    for place, word in enumerate(text):
        if skip:
            skip -= 1
        elif word in several and (length := _length(text, place, several[word])):
            skip = length - 1
        elif word not in single:
            kept.append(word)
    return tuple(kept)


def _length(text: Sequence[str], place: int, fillers: Sequence[Words]) -> int:
    """How many words the longest of some fillers takes that stands at a place; 0 where none does."""
    return next((len(one) for one in fillers if tuple(text[place : place + len(one)]) == one), 0)


@cache
def _fillers() -> tuple[frozenset[str], dict[str, tuple[Words, ...]]]:
    """Fillers of one word; those of several, longest first, by their first word."""
    every = {tuple(words(filler)) for part in wording()["fillers"].values() for filler in part.split()}
    several: dict[str, tuple[Words, ...]] = {}
    for filler in sorted(every, key=lambda one: (-len(one), one)):
        if len(filler) > 1:
            several[filler[0]] = (*several.get(filler[0], ()), filler)
    return frozenset(filler[0] for filler in every if len(filler) == 1), several


@cache
def wording() -> dict[str, Any]:
    """`wording.yaml`: fillers, contrasts and telling characters."""
    text = resources.files("tutelage.curate").joinpath("wording.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
