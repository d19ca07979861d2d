"""The language that an answer is written in."""

from collections.abc import Mapping

import regex

from tutelage import text
from tutelage.evaluation.constraints.kinds import Argument, Kind

# ISO 639-1 codes of the languages that can be told apart.
CODES = frozenset({
    "af", "am", "an", "ar", "as", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "cs", "cy", "da", "de", "el",
    "en", "eo", "es", "et", "eu", "fa", "fi", "fo", "fr", "fy", "ga", "gd", "gl", "gu", "ha", "he", "hi", "hr",
    "ht", "hu", "hy", "id", "ig", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "ku", "ky", "la", "lb",
    "lg", "ln", "lo", "lt", "lv", "mg", "mk", "ml", "mn", "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc",
    "om", "or", "pa", "pl", "ps", "pt", "qu", "ro", "ru", "rw", "sa", "se", "si", "sk", "sl", "sn", "so", "sq",
    "sr", "st", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "ug", "uk", "ur", "uz", "vi", "vo",
    "wa", "xh", "yo", "zh", "zu",
})  # fmt: skip
_TELLS_NOTHING = regex.compile(r"_|(?<![\p{L}\p{M}'’])\p{Latin}(?![\p{L}\p{M}'’])")
_PART = 200  # characters by which a language is told
_MOST = 16  # parts of a long answer that are read
LANGUAGE = Argument(
    "an ISO 639-1 code of a language (`en`, `zh`, `zh-cn`)",
    lambda value: isinstance(value, str) and _base(value) in CODES,
)


def written_in(answer: str, language: str) -> bool:
    """Whether an answer is written in a language, given by its ISO 639-1 code; a region (`zh-cn`) does not matter.

    It is where more than two thirds of its parts are, of at most 200 characters each and up to 16 of them, evenly
    spread. An answer of one part may be in more than one language as far as can be told, and is in the one asked for if
    that is among them. Single Latin letters and `_` tell no language, and an answer in which nothing tells is in any.
    """
    wanted, squeezed = _base(language), " ".join(_TELLS_NOTHING.sub(" ", answer).split())
    short = len(squeezed) <= _PART
    told = [code for code in map(text.language, _repeated(squeezed) if short else _parts(squeezed)) if code != "und"]
    if not told:
        return True
    return wanted in told if short else 3 * told.count(wanted) > 2 * len(told)


def _repeated(squeezed: str) -> list[str]:
    """A short text as it is, where plain letters count as English, and as if it went on, where an identifier tells."""
    return [squeezed, f"{squeezed} " * _PART]


def _parts(squeezed: str) -> list[str]:
    """Parts of a text that is longer than one: all of it, or evenly spread from its start to its end."""
    count = min(_MOST, -(-len(squeezed) // _PART))
    size = min(_PART, -(-len(squeezed) // count))
    starts = ((len(squeezed) - size) * index // (count - 1) for index in range(count))
    return [squeezed[start : start + size] for start in starts]


def _base(code: str) -> str:
    return code.lower().split("-")[0]


KINDS: Mapping[str, Kind] = {
    "language:response_language": Kind(
        written_in, "the answer is written in the language {language}", {"language": LANGUAGE}
    ),
}
