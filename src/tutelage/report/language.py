"""The language of a page: each of its texts is written in English where it stands, and `zh.yaml` has it in Chinese."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from tutelage.evaluation.answer_form.forms import FEATURES

Language = Literal["en", "zh"]
_SPOKEN: ContextVar[Language] = ContextVar("language of the page", default="en")


@contextmanager
def spoken(language: Language) -> Iterator[None]:
    """The pages that are made in this block speak it."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def language() -> Language:
    """What the pages speak here and now."""
    return _SPOKEN.get()


def t(sentence: str, **values: object) -> str:
    """A text of the page in its language, with the values in the places of their names in braces.

    Raises:
        KeyError: the catalogue has no such sentence.
    """
    return (sentence if language() == "en" else catalogue()[sentence]).format(**values)


def known(text: str) -> str:
    """A text that came with the content: in the page's language where the catalogue has it, else as it is."""
    return text if language() == "en" else catalogue().get(text, text)


@cache
def catalogue() -> Mapping[str, str]:
    """English -> Chinese; what answers are is told where the features of their form are."""
    labels = {feature.label: feature.label_zh for feature in FEATURES.values()}
    text = files("tutelage.report").joinpath("zh.yaml").read_text(encoding="utf-8")
    return labels | dict(yaml.safe_load(text))
