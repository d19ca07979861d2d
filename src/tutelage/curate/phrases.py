"""Answers that do not answer: refusals, what assistants say of themselves, placeholders. The wording is in
`phrases.yaml`, by language; all languages are asked of every row, as refusals are often in another one."""

from functools import cache
from importlib.resources import files

import regex
import yaml

from tutelage.curate.doubts import MILD, Doubt, excerpt

_START = 240  # characters in which a refusal stands
_SHORT = 320  # characters; a longer answer goes on to say something
_REFUSED, _EMPTY = 0.7, 0.9  # costs
_TAGS = "<noinput>", "<nooutput>"
_FILLER = regex.compile(r"[.…_\-—*\s]{2,12}")


def phrase_doubts(prompt: str, answer: str) -> list[Doubt]:
    """Doubts about an answer as a whole: "placeholder answer", "refusal", "no input", "boilerplate".

    What the prompt says itself is quoted, no doubt.
    """
    text = answer.strip().replace("’", "'")
    if found := _placeholder(text):
        return [Doubt("placeholder answer", found, _EMPTY)]
    if found := _said("refusals", text[:_START], prompt, from_start=True):
        return [Doubt("refusal", found, _REFUSED)]
    short = len(text) <= _SHORT
    if short and (found := _said("no_input", text, prompt)):
        return [Doubt("no input", found, _REFUSED)]
    if found := _said("boilerplate", text[: 4 * _START], prompt):
        return [Doubt("boilerplate", found, _REFUSED if short and _declines(text) else MILD)]
    return []


def _placeholder(text: str) -> str:
    bare = text.strip(" .!。！…*_\"'`-—").lower()
    if not text or _FILLER.fullmatch(text) or (len(bare) < 60 and _patterns()["placeholders"].fullmatch(bare)):
        return excerpt(text) or "nothing"
    lowered = text[:_SHORT].lower() if "<" in text[:_SHORT] else ""
    return next((tag for tag in _TAGS if tag in lowered), "")


def _said(kind: str, text: str, prompt: str, *, from_start: bool = False) -> str:
    pattern = _patterns()[kind]
    match = pattern.match(text) if from_start else pattern.search(text)
    if match is None or match[0].lower() in prompt.replace("’", "'").lower():
        return ""
    return excerpt(match[0])


def _declines(text: str) -> bool:
    return _patterns()["declining"].search(text) is not None


@cache
def _patterns() -> dict[str, regex.Pattern[str]]:
    """Kind of phrase -> one pattern for all languages."""
    listed: dict[str, dict[str, list[str]]] = yaml.safe_load(
        files("tutelage.curate").joinpath("phrases.yaml").read_text(encoding="utf-8")
    )
    return {
        kind: regex.compile("|".join(f"(?:{one})" for of in by_language.values() for one in of), regex.IGNORECASE)
        for kind, by_language in listed.items()
    }
