"""What a text is about: its words without the small ones and without those by which people ask."""

from functools import cache
from importlib.resources import files

import regex
import yaml

from tutelage.curate.fillers import wording
from tutelage.text import words

LOOKED_AT = 20_000  # characters of a text
_HAN = regex.compile(r"\p{Han}+")


def topic(text: str) -> str:
    """The telling words of a text in small letters, with spaces between; of Chinese, the runs of characters that are
    left between its small words."""
    english, chinese = _small()
    kept = chinese.sub(" ", text[:LOOKED_AT].casefold())
    return " ".join(part for run in kept.split() for part in _parts(run) if part not in english)


def terms(text: str) -> set[str]:
    """The words of a topic, and of Chinese each two characters that stand together."""
    found = set[str]()
    for part in topic(text).split():
        found |= {part[place : place + 2] for place in range(len(part) - 1)} if _HAN.match(part) else {part}
    return found


def _parts(run: str) -> list[str]:
    """Words of a run without spaces; Chinese characters stay together."""
    parts, place = list[str](), 0
    for match in _HAN.finditer(run):
        parts += [*words(run[place : match.start()]), match[0]]
        place = match.end()
    return [*parts, *words(run[place:])]


@cache
def _small() -> tuple[frozenset[str], regex.Pattern[str]]:
    """Small words of English; a pattern of those of Chinese, the longest first."""
    listed = yaml.safe_load(files("tutelage.evaluation.following").joinpath("topic.yaml").read_text(encoding="utf-8"))
    known = wording()
    english = f"{listed['en']} {known['fillers']['en']} {known['function']['en']} {known['denials']['en']}"
    chinese = sorted(set(listed["zh"].split()), key=lambda word: (-len(word), word))
    return frozenset(english.split()), regex.compile("|".join(map(regex.escape, chinese)))
