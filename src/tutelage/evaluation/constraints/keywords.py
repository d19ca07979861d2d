"""Keywords: which words and letters occur, and how often. Capitals do not matter."""

from collections.abc import Mapping, Sequence

import regex

from tutelage.evaluation.constraints.kinds import CHARACTER, COUNT, RELATION, TEXT, TEXTS, Kind, holds

# Letters of words that stand between spaces or marks. Scripts without spaces have no such edges.
_LETTER = r"[\w--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"


def existence(answer: str, keywords: Sequence[str]) -> bool:
    """Whether every keyword occurs, within longer words too."""
    lowered = answer.lower()
    return all(keyword.lower() in lowered for keyword in keywords)


def frequency(answer: str, *, keyword: str, relation: str, frequency: int) -> bool:
    """Whether a keyword occurs so often, within longer words too; occurrences do not overlap."""
    return holds(answer.lower().count(keyword.lower()), relation, bound=frequency)


def forbidden_words(answer: str, forbidden_words: Sequence[str]) -> bool:
    """Whether none of the words occurs as a word of its own; `rock` does not forbid `rocket`."""
    return not any(_as_word(word).search(answer) for word in forbidden_words)


def letter_frequency(answer: str, *, letter: str, let_relation: str, let_frequency: int) -> bool:
    """Whether a character occurs so often."""
    return holds(answer.lower().count(letter.lower()), let_relation, bound=let_frequency)


def _as_word(word: str) -> regex.Pattern[str]:
    flags = regex.IGNORECASE | regex.VERSION1
    before = rf"(?<!{_LETTER})" if regex.match(_LETTER, word, flags) else ""
    after = rf"(?!{_LETTER})" if regex.match(_LETTER, word[-1], flags) else ""
    return regex.compile(before + regex.escape(word) + after, flags)


KINDS: Mapping[str, Kind] = {
    "keywords:existence": Kind(existence, "the answer holds the keywords {keywords}", {"keywords": TEXTS}),
    "keywords:frequency": Kind(
        frequency,
        "the keyword {keyword} occurs {relation} {frequency} times",
        {"keyword": TEXT, "relation": RELATION, "frequency": COUNT},
    ),
    "keywords:forbidden_words": Kind(
        forbidden_words, "none of the words {forbidden_words} occurs", {"forbidden_words": TEXTS}
    ),
    "keywords:letter_frequency": Kind(
        letter_frequency,
        "the character {letter} occurs {let_relation} {let_frequency} times",
        {"letter": CHARACTER, "let_relation": RELATION, "let_frequency": COUNT},
    ),
}
