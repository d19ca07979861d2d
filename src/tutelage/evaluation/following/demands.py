"""What a prompt surely demands of the form of its answer, read by the rules of `demands.yaml`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any

import regex
import yaml

from tutelage.evaluation.answer_form.languages import demanded_language

_START, _END = 1_500, 500  # characters of a prompt in which demands stand
_BEFORE, _AFTER = 24, 18  # characters around a match in which it is denied or meant of each part
_NUMBERS = {
    "a single": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "a hundred": 100,
}  # fmt: skip
_NUMBERS |= {f"{name} hundred": 100 * number for name, number in list(_NUMBERS.items())[:10] if number < 10}
_HAN = {character: number for number, character in enumerate("一二三四五六七八九", start=1)} | {"两": 2}
_NUMBER = rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,5}}|\b(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b|[一二三四五六七八九十百千两]{{1,5}})"  # noqa: E501


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand of a prompt on the form of its answer.

    Attributes:
        kind: of form ("json", "yes_no", "language", ...), or what is counted ("words", "sentences", ...).
        wording: the words of the prompt.
        low, high: bounds of a count, both included; 1 and infinity for what is not counted.
        about: the bounds are rough.
        language: code of a demanded language, else empty.
    """

    kind: str
    wording: str
    low: float = 1
    high: float = inf
    about: bool = False
    language: str = ""


def demands(prompt: str) -> tuple[Demand, ...]:
    """The demands that are surely there, in a fixed order.

    What is demanded twice with different counts is dropped: the counts are of parts. Looked at are the first 1,500
    and the last 500 characters, without what stands in quotation marks.
    """
    text = prompt if len(prompt) <= _START + _END else f"{prompt[:_START]}\n{prompt[-_END:]}"
    text = _rules()["quoted"].sub("…", text)
    forms = list(_forms(text))
    single = any(one.kind == "one_word" for one in forms)
    found = [*forms, *(one for one in _counts(text) if not (single and one.kind == "words"))]
    code, wording = demanded_language(text)
    return (*found, Demand("language", wording, language=code)) if code else tuple(found)


def _forms(text: str) -> Iterator[Demand]:
    for kind, pattern in _rules()["forms"].items():
        if match := next(_meant(pattern, text), None):
            yield Demand(kind, match[0])


def _counts(text: str) -> Iterator[Demand]:
    for unit, bounds in _rules()["counts"].items():
        every, taken = list[Demand](), list[tuple[int, int]]()
        for bound, pattern in bounds.items():
            for match in _meant(pattern, text):
                if not any(match.start() < end and start < match.end() for start, end in taken):
                    taken.append(match.span())
                    every.append(_count(unit, bound, match=match))
        if len({(one.low, one.high) for one in every}) == 1:
            yield every[0]


def _count(unit: str, bound: str, *, match: regex.Match[str]) -> Demand:
    if bound == "between":
        low, high = sorted((_value(match["low"]), _value(match["high"])))
        return Demand(unit, match[0], low, high)
    number = _value(match["n"])
    low = 1 if bound == "at_most" else number
    return Demand(unit, match[0], low, inf if bound == "at_least" else number, about=bound == "about")


def _meant(pattern: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    """Matches that are neither denied nor about each part of an answer."""
    for match in pattern.finditer(text):
        before, after = text[max(match.start() - _BEFORE, 0) : match.start()], text[match.end() :][:_AFTER]
        if not _rules()["denied"].search(before) and not _rules()["of_parts"].search(f"{before}{match[0]}{after}"):
            yield match


def _value(written: str) -> int:
    written = written.casefold().replace(",", "")
    if written.isdecimal():
        return int(written)
    if written in _NUMBERS:
        return _NUMBERS[written]
    value, digit = 0, 0
    for character in written:
        if power := {"十": 10, "百": 100, "千": 1000}.get(character):
            value, digit = value + (digit or 1) * power, 0
        else:
            digit = _HAN[character]
    return value + digit


@cache
def _rules() -> Mapping[str, Any]:
    """The rules, compiled: `forms` by kind, `counts` by unit and bound, and single patterns by name."""
    text = files("tutelage.evaluation.following").joinpath("demands.yaml").read_text(encoding="utf-8")
    listed: dict[str, Any] = yaml.safe_load(text)
    counts = {
        unit: {
            bound: _compiled([_filled(one, names) for one in of])
            for bound, of in listed["bounds"].items()
            if unit not in listed["limits_alone"] or bound not in ("exactly", "about")
        }
        for unit, names in listed["units"].items()
    }
    single = {name: _compiled([listed[name]]) for name in ("denied", "of_parts", "quoted")}
    return {"forms": {kind: _compiled(of) for kind, of in listed["forms"].items()}, "counts": counts, **single}


def _filled(rule: str, names: list[str]) -> str:
    for name in ("n", "low", "high"):
        rule = rule.replace(f"{{{name}}}", f"(?P<{name}>{_NUMBER})")
    return rule.replace("{unit}", f"(?:{'|'.join(names)})")


def _compiled(rules: list[str]) -> regex.Pattern[str]:
    return regex.compile("|".join(f"(?:{one})" for one in rules), regex.IGNORECASE | regex.MULTILINE | regex.DOTALL)
