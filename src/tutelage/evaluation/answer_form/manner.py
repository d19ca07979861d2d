"""How an answer carries itself: courtesies, talk of itself, emoji, refusals, and what leaked from its template."""

import regex

from tutelage.curate.doubts import excerpt
from tutelage.curate.phrases import phrase_doubts
from tutelage.evaluation.answer_form.wording import phrase

_HEAD, _TAIL = 120, 240  # characters in which courtesies stand
_EMOJI = regex.compile(r"[\p{Emoji_Presentation}\p{Extended_Pictographic}--©®™↔-↪①-⓿■-◿]", regex.VERSION1)
_TURNS = 20_000  # characters that are looked at for turns of others


def manner(prompt: str, answer: str) -> dict[str, str]:
    """What was found -> the words that show it: "opening", "closing", "self-mention", "emoji", "refusal", "leak".

    Courtesies do not count in letters and dialogues that the prompt asks for, nor emoji where the prompt has some.
    """
    text = answer.strip().replace("’", "'")
    to_somebody = phrase("addressed").search(prompt) or phrase("dialogue").search(prompt)
    found = {
        "opening": "" if to_somebody else _said("openings", text[:_HEAD], prompt, start=True),
        "closing": "" if to_somebody else _said("closings", text[-_TAIL:], prompt),
        "emoji": _emoji(prompt, text),
        "leak": leak(prompt, text),
    } | _of_itself(prompt, text)
    return {name: shown for name, shown in found.items() if shown}


def leak(prompt: str, answer: str) -> str:
    """The first control token, frame of a template or turn of another role in an answer; empty where there is none.

    What the prompt holds itself is quoted, and turns that it asks for (a dialogue) are the answer.
    """
    if found := _said("control", answer, prompt):
        return found
    if phrase("dialogue").search(prompt) or phrase("turns").search(prompt):
        return ""
    return _said("turns", answer[:_TURNS], prompt)


def _said(kind: str, text: str, prompt: str, *, start: bool = False) -> str:
    match = phrase(kind).match(text) if start else phrase(kind).search(text)
    if match is None or match[0].casefold() in prompt.casefold():
        return ""
    return excerpt(match[0])


def _emoji(prompt: str, text: str) -> str:
    match = _EMOJI.search(text)
    return match[0] if match and not _EMOJI.search(prompt) else ""


def _of_itself(prompt: str, text: str) -> dict[str, str]:
    names = {"refusal": "refusal", "boilerplate": "self-mention"}
    doubts = phrase_doubts(prompt, text) if text else []
    return {names[doubt.reason]: doubt.detail for doubt in doubts if doubt.reason in names}
