"""Capitals and small letters."""

import re
from collections.abc import Mapping

from tutelage.evaluation.constraints.kinds import COUNT, RELATION, Kind, holds
from tutelage.evaluation.constraints.languages import written_in

_TOKEN = re.compile(r"[^\s;@#$%&?!()\[\]{}<>\"“”«»]+")


def english_capital(answer: str) -> bool:
    """Whether an answer is English and has capital letters alone."""
    return answer.isupper() and written_in(answer.lower(), "en")


def english_lowercase(answer: str) -> bool:
    """Whether an answer is English and has small letters alone."""
    return answer.islower() and written_in(answer, "en")


def capital_word_frequency(answer: str, *, capital_relation: str, capital_frequency: int) -> bool:
    """Whether so many words are in capitals."""
    return holds(sum(map(str.isupper, _TOKEN.findall(answer))), capital_relation, bound=capital_frequency)


KINDS: Mapping[str, Kind] = {
    "change_case:english_capital": Kind(english_capital, "the answer is in English and in capital letters", {}),
    "change_case:english_lowercase": Kind(english_lowercase, "the answer is in English and in small letters", {}),
    "change_case:capital_word_frequency": Kind(
        capital_word_frequency,
        "{capital_relation} {capital_frequency} words are in capital letters",
        {"capital_relation": RELATION, "capital_frequency": COUNT},
    ),
}
