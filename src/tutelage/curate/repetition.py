"""Text that repeats itself: characters, words, sentences, lines, as models do that have lost their way."""

import re
import zlib
from collections import Counter

import regex

from tutelage.curate.doubts import GRAVE, MILD, Doubt, excerpt
from tutelage.text import words

_HEAVY = GRAVE + 0.1
# Letters and marks that nobody writes so often in a row; rules (---, ===, ___), dots and zeros are drawn so.
_RUN = re.compile(r"([^\s\d\-=_*#.~+·…。|/\\<>─━])\1{9,}")
_UNIT = regex.compile(r"[^\n。！？.!?]*[\n。！？.!?]+|[^\n。！？.!?]+$")
_ASKED = regex.compile(
    r"\b(?:repeat(?:s|ed|ing|edly|ition)?|repetiti\w+|refrain|chorus|times|copies|lyrics|song|poem|chant"
    r"|pattern|duplicates?)\b"
    r"|重复|反复|遍|次|复述|歌|诗|回文|绕口令|排比",
    regex.IGNORECASE,
)
_LONG_UNIT = 12  # characters of a sentence or line that can be told from a set phrase; a Chinese one counts double
_FEW_WORDS = 24  # below, grams tell nothing
_SPACED, _UNSPACED = 3, 5  # words of a gram; a Chinese character is a word
_WORD_RUN = re.compile(r"\b([^\W\d_]+)(?:[\s,，、]+\1\b){4,}", re.IGNORECASE)
_LOOPED, _DOUBTFUL = 0.5, 0.4  # shares of text and of grams that stood before
_PACKED = 0.5  # of its bytes that are left when a text is packed, from which on nothing much in it can stand twice


def repetition_doubts(prompt: str, answer: str, *, code: bool) -> list[Doubt]:
    """A grave doubt where an answer mostly repeats itself, a mild one where it does so in part.

    Measured: runs of ten equal letters or marks, a word five times in a row, the share of text in sentences and lines
    that stood before, and the share of runs of three words (five where characters are words) that stood before.
    Nothing where the prompt asks for repetition or
    for verse; code and tables repeat by nature.
    """
    if code or answer.count("|") > 8:
        return []
    doubt = _run_doubt(answer) or _loop_doubt(answer)
    return [doubt] if doubt and not _ASKED.search(prompt) else []


def _run_doubt(answer: str) -> Doubt | None:
    if run := _RUN.search(answer):
        return Doubt("repetition", excerpt(run[0]), _HEAVY if len(run[0]) > len(answer) / 4 else MILD)
    if run := _WORD_RUN.search(answer):
        return Doubt("repetition", excerpt(run[0]), _HEAVY)
    return None


def _loop_doubt(answer: str) -> Doubt | None:
    written = answer.encode(errors="replace")
    if len(zlib.compress(written, 1)) > _PACKED * len(written):
        return None
    share, unit = _repeated_units(answer)
    share = max(share, _repeated_grams(answer))
    if share < _DOUBTFUL:
        return None
    found = f"{share:.0%} stood before" + (f": {excerpt(unit)}" if unit else "")
    return Doubt("repetition", found, _HEAVY if share >= _LOOPED else MILD)


def _repeated_units(answer: str) -> tuple[float, str]:
    """The share of characters in sentences and lines that stood before, and the most frequent of them."""
    units = Counter(unit for one in _UNIT.findall(answer) if _weight(unit := one.strip().casefold()) >= _LONG_UNIT)
    again = sum(len(unit) * (count - 1) for unit, count in units.items())
    top = units.most_common(1)
    return again / max(len(answer), 1), top[0][0] if top and top[0][1] > 1 else ""


def _weight(unit: str) -> int:
    return len(unit) if unit.isascii() else 2 * len(unit)


def _repeated_grams(answer: str) -> float:
    """The share of runs of words that stood before; numbers are left out."""
    found = [word for word in words(answer.casefold()) if not word.isdecimal()]
    if len(found) < _FEW_WORDS:
        return 0.0
    size = _UNSPACED if len(answer) < 3 * len(found) else _SPACED
    grams = [tuple(found[start : start + size]) for start in range(len(found) - size + 1)]
    return 1 - len(set(grams)) / len(grams)
