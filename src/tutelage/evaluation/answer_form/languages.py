"""The language that a prompt wants its answer in, and whether an answer is in it."""

from functools import cache
from importlib.resources import files
from typing import Any

import regex
import yaml

from tutelage.curate.form import form, is_code
from tutelage.text import count_words, language, words

_LOOKED_AT = 1_000  # characters of a prompt, from its start and from its end
_FEWEST = 6  # words of an answer; below, names and formulas are written alike in many languages
_SURE = 30  # such words from which languages of the same script are told apart
_TOLD_BY_SCRIPT = frozenset({"zh", "ja", "ko", "th", "el", "he"})
_FOREIGN = 0.1  # share of a prompt's words in another script from which on it says nothing of the answer's language
_LATIN = regex.compile(r"[A-Za-z]{2,}")
_HAN = regex.compile(r"\p{Han}")


def demanded_language(prompt: str) -> tuple[str, str]:
    """Code and wording of the only language that a prompt demands; two empty texts where none or several are."""
    names, demands, _ = _patterns()
    found = {names[match["name"].casefold()]: match[0] for match in demands.finditer(_part(prompt))}
    return next(iter(found.items())) if len(found) == 1 else ("", "")


def wrong_language(prompt: str, answer: str) -> str:
    """The code of the language of an answer that should be in another one; empty where it is right or cannot be told.

    The right one is the demanded one, else the prompt's own. It cannot be told where a prompt speaks of languages or is
    mixed, of code and few words, nor for languages of one script in short answers.
    """
    demanded, _ = demanded_language(prompt)
    wanted = demanded or _own(prompt)
    count = sum(len(word) > 2 or not word.isascii() for word in words(answer))
    if wanted in ("", "und") or count < _FEWEST or form(answer) not in ("text", "short"):
        return ""
    given = language(answer)
    if given in (wanted, "und", "zxx"):
        return ""
    by_script = (given in _TOLD_BY_SCRIPT) != (wanted in _TOLD_BY_SCRIPT) or {given, wanted} <= _TOLD_BY_SCRIPT
    return given if by_script or count >= _SURE else ""


def _own(prompt: str) -> str:
    """The language of a prompt that is in one language and speaks of none; empty otherwise."""
    _, demands, spoken_of = _patterns()
    text = _part(prompt)
    if spoken_of.search(text) or demands.search(text) or is_code(text):
        return ""
    code, count = language(prompt), max(count_words(text), 1)
    foreign = _LATIN if code in _TOLD_BY_SCRIPT else _HAN
    if len(foreign.findall(text)) > _FOREIGN * count:
        return ""
    return code if code in _TOLD_BY_SCRIPT or len(words(text)) >= _FEWEST else ""


def _part(prompt: str) -> str:
    return prompt if len(prompt) <= 2 * _LOOKED_AT else f"{prompt[:_LOOKED_AT]}\n{prompt[-_LOOKED_AT:]}"


@cache
def _patterns() -> tuple[dict[str, str], regex.Pattern[str], regex.Pattern[str]]:
    """Names in small letters -> codes; what demands a language; what speaks of one."""
    text = files("tutelage.evaluation.answer_form").joinpath("languages.yaml").read_text(encoding="utf-8")
    listed: dict[str, Any] = yaml.safe_load(text)
    names = {name.casefold(): code for code, of in listed["names"].items() for name in of}
    every = "|".join(sorted(map(regex.escape, names), key=len, reverse=True))
    demands = "|".join(one.replace("{name}", f"(?P<name>{every})") for one in listed["demanded"])
    bounded = "|".join(rf"\b{name}\b" if name.isascii() else name for name in names)
    spoken = "|".join([*listed["spoken_of"], bounded])
    return names, regex.compile(demands, regex.IGNORECASE | regex.MULTILINE), regex.compile(spoken, regex.IGNORECASE)
