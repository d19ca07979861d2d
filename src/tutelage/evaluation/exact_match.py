"""Exact match: an answer counts when it is a reference, but for case, width, outer punctuation and white space."""

import re
import unicodedata
from collections.abc import Sequence

_OUTER = re.compile(r"^[\s\"'“”‘’「」『』()（）]+|[\s\"'“”‘’「」『』()（）.。!！?？,，;；:：]+$")
_CJK = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LATIN_WORD = re.compile("[A-Za-z\u00c0-\u024f]+")


def normalise(text: str) -> str:
    """Case folded, full-width forms narrowed (NFKC), white space runs made one space, outer punctuation removed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _OUTER.sub("", re.sub(r"\s+", " ", folded)).strip()


def exact_match(answer: str, references: Sequence[str]) -> bool:
    """Whether a normalised answer equals a normalised reference. An empty answer never matches."""
    given = normalise(answer)
    return bool(given) and any(given == normalise(reference) for reference in references)


def language(text: str) -> str:
    """ "zh" where a text holds more CJK characters than Latin words, else "en": the rough split reports show."""
    return "zh" if len(_CJK.findall(text)) > len(_LATIN_WORD.findall(text)) else "en"
