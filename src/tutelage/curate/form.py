"""The form of an answer: code, a calculation, a short answer or other text. Different forms are judged differently."""

import re
from typing import Literal

from tutelage.text import count_words

Form = Literal["code", "maths", "short", "text"]

_CODE = re.compile(
    r"```|^[^\S\n]*(?:def \w+\("
    r"|class \w+[:({]|import [\w.]+;?$|from [\w.]+ import |#include\b|(?:public|private|static) \w"
    r"|function \w*\s*\(|(?:const|let|var) \w+ ?=|for ?\(|while ?\(|if ?\(|return\b.*;$|print(?:f|ln)?\(|<\?php"
    r"|(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|ALTER TABLE)\b|</?[a-z][a-z\d]*(?: [^>\n]*)?>"
    r"|\w+(?:\.\w+)+\(.*\);?$|[\w.\[\]]+ = [\w.]+\(.*\);?$)|[;{}]$",
    re.MULTILINE,
)
_CALCULATION = re.compile(r"[\d)a-z] ?[-+*/×÷^=<>≤≥] ?[-(√\d]", re.IGNORECASE)
_SHORT = 6  # words
_STEP = 120  # characters of text for which a calculation has a step


def form(answer: str) -> Form:
    """What kind of text an answer is.

    `code` where lines of it are written in a programming or markup language, `maths` where calculations run through
    it, `short` up to six words (a label, a number, a name), else `text`.
    """
    if is_code(answer):
        return "code"
    if len(answer) <= _SHORT * 40 and count_words(answer) <= _SHORT:
        return "short"
    if len(_CALCULATION.findall(answer)) * _STEP >= len(answer):
        return "maths"
    return "text"


def is_code(text: str) -> bool:
    """Whether lines of a text are written in a programming or markup language."""
    return _CODE.search(text) is not None
