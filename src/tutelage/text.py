"""Text as people count it, in any language: words, language, and the form in which two texts are the same.

Where a script writes no spaces between words (Chinese, Japanese, Thai, ...) each character is a word; elsewhere a word
is a run of letters, marks and digits. Lengths, duplicates, relevance, coverage and metrics all count by it.
"""

from functools import cache
from unicodedata import normalize

import regex
from py3langid.langid import MODEL_FILE, LanguageIdentifier

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}]--[{_UNSPACED}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSPACED}]]*"
    rf"(?:['’][[\p{{L}}\p{{M}}]--[{_UNSPACED}]]+|(?<=\p{{N}})[.,]\p{{N}}+)*",
    regex.VERSION1,
)
_ASCII_WORD = regex.compile(r"[A-Za-z0-9]+(?:'[A-Za-z]+|(?<=[0-9])[.,][0-9]+)*")

# Languages that their script tells, in the order in which they are asked: Japanese and Korean write Han as well.
_SCRIPTS = {
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": regex.compile(r"\p{Hangul}"),
    "zh": regex.compile(r"\p{Han}"),
    "th": regex.compile(r"\p{Thai}"),
    "el": regex.compile(r"\p{Greek}"),
    "he": regex.compile(r"\p{Hebrew}"),
}
_OWN_SHARE = 0.2  # of the words: from here on a script tells the language, although names and code are written in Latin
_ASKED = 20  # words that an identifier needs; below, Latin letters without accents are taken for English
_CHARACTERS = 200  # from the start of a text, by which its language is told

# Full-width forms of ASCII, the ideographic space, and quotes that word processors put in.
_FOLDED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ", 0xA0: " ", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x3002: ".", 0x3001: ",",
}  # fmt: skip
_ENDS = " .!?…~"


def words(text: str) -> list[str]:
    """The words of a text in order, as they are written."""
    found: list[str] = (_ASCII_WORD if text.isascii() else _WORD).findall(text)
    return found


def count_words(text: str) -> int:
    """How many words a text has."""
    return len(words(text))


def normalised(text: str) -> str:
    """The form in which two texts count as the same: capitals, width of characters, kinds of quotes, runs of white
    space and the mark at the end do not matter. Marks within do: `C` and `C++`, 2³ and 23 are not the same.

    A text that is nothing but such marks stays what it is.
    """
    if not text.isascii():
        text = normalize("NFC", text).translate(_FOLDED)
    text = " ".join(text.casefold().split())
    return text.rstrip(_ENDS) or text


def language(text: str) -> str:
    """ISO 639-1 code of the language that a text is written in; `und` where it has no letters.

    By its script where that is telling. Latin, Cyrillic and Arabic letters are given to an identifier (py3langid), and
    it needs a sentence or two: shorter texts in plain Latin letters count as English.
    """
    text = text[:_CHARACTERS]
    if not text.isascii():
        count = count_words(text)
        for code, script in _SCRIPTS.items():
            if len(script.findall(text)) > _OWN_SHARE * count:
                return code
    letters = [word for word in words(text) if not word.isnumeric()]
    if not letters:
        return "und"
    if text.isascii() and len(letters) < _ASKED:
        return "en"
    return str(_identifier().classify(text)[0])


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE)
