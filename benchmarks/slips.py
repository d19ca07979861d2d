"""Slips of the pen, put into prompts: what deduplication must find again."""

import random
from collections.abc import Callable, Mapping

FILLERS = {"en": ("please", "just", "actually", "really", "also"), "zh": ("请", "麻烦", "那个", "嗯")}


def slip(text: str, kind: str, chance: random.Random) -> str | None:
    """The text with one slip of a kind; None where it cannot have it."""
    han = [place for place, letter in enumerate(text) if "\u4e00" <= letter <= "\u9fff"]
    latin = [place for place, letter in enumerate(text) if letter.isascii() and letter.isalpha()]
    is_chinese = len(han) > len(latin)
    places = han if is_chinese else latin
    if not places:
        return None
    changed = _SLIPS[kind](text, chance.choice(places), is_chinese, chance)
    return None if changed == text else changed


def _swapped(text: str, at: int, _: bool, __: random.Random) -> str:
    return text if not text[at + 1 : at + 2].isalpha() else text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _replaced(text: str, at: int, is_chinese: bool, chance: random.Random) -> str:
    letters = (
        [letter for letter in text if "\u4e00" <= letter <= "\u9fff"] if is_chinese else "abcdefghijklmnopqrstuvwxyz"
    )
    return text[:at] + chance.choice(letters) + text[at + 1 :]


def _marked(text: str, _: int, is_chinese: bool, chance: random.Random) -> str:
    return chance.choice([f"{text}!", f"{text}{'。' if is_chinese else '.'}", text.rstrip(".。？?!")])


def _filled(text: str, _: int, is_chinese: bool, chance: random.Random) -> str:
    if is_chinese:
        return f"{chance.choice(FILLERS['zh'])}{text}"
    words = text.split(" ")
    words.insert(chance.randrange(len(words) + 1), chance.choice(FILLERS["en"]))
    return " ".join(words)


def _spaced(text: str, at: int, _: bool, chance: random.Random) -> str:
    return chance.choice([f"{text[:at]} {text[at:]}", text.replace(" ", "  "), f" {text}"])


_SLIPS: Mapping[str, Callable[[str, int, bool, random.Random], str]] = {
    "drop": lambda text, at, *_: text[:at] + text[at + 1 :],
    "double": lambda text, at, *_: text[:at] + text[at] + text[at:],
    "swap": _swapped,
    "replace": _replaced,
    "case": lambda text, *_: text.swapcase(),
    "mark": _marked,
    "space": _spaced,
    "filler": _filled,
    "width": lambda text, *_: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
}
KINDS = tuple(_SLIPS)
