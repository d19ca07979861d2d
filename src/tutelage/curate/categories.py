"""Tags for review, by lexicons of words and phrases. A tag is a reason to look at a row, never one to delete it.

What to expect: of the 250 safe prompts of XSTest 19 % carry a tag of harm, of the 200 unsafe ones 32 %; of Alpaca
3 % of the rows carry any. Words do not tell harm from talk about it.

Lexicons: `lexicons/en.yaml` and `lexicons/zh.yaml`. English terms are whole words in any case, and do not run over the
end of a clause; Chinese terms are substrings. A text is read once, and at each place the longest term wins: phrases of
the section `neutral` (killing time) win over the words in them and carry no tag. Rows in other languages carry the tags
of what they say in these.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tutelage.text import normalised

HARMS = ("violence", "weapons", "drugs", "self-harm", "sexual", "hate", "crime", "hacking", "privacy")
TOPICS = ("medical", "legal", "finance", "politics")  # not harmful; where advice and opinions want a second look
_NEUTRAL = "neutral"

Trie = dict[str, Any]  # character -> the terms that go on with it; "" where a term ends

_WORD_OR_MARK = re.compile(r"[a-z0-9]+|[.,;:!?]")


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The terms of both languages.

    Attributes:
        english, chinese: term -> its category.
        longest: first word of an English term -> how many words the longest term has that begins with it.
        pattern: of the Chinese terms.
    """

    english: dict[str, str]
    longest: dict[str, int]
    chinese: dict[str, str]
    pattern: re.Pattern[str]


def tags(text: str) -> tuple[str, ...]:
    """The categories of HARMS and TOPICS whose terms stand in a text, each once, in that order."""
    lexicon, form = _lexicon(), normalised(text)
    found = set(_in_english(form, lexicon))
    if not form.isascii():
        found |= {lexicon.chinese[term] for term in lexicon.pattern.findall(form)}
    return tuple(name for name in (*HARMS, *TOPICS) if name in found) if found else ()


def _in_english(form: str, lexicon: _Lexicon) -> Iterator[str]:
    said, read = _WORD_OR_MARK.findall(form), 0
    for at in [at for at, word in enumerate(said) if word in lexicon.longest]:
        for length in range(lexicon.longest[said[at]] if at >= read else 0, 0, -1):
            name = lexicon.english.get(" ".join(said[at : at + length]))
            if name is not None:
                read = at + length
                yield name
                break


@cache
def _lexicon() -> _Lexicon:
    english = {" ".join(_WORD_OR_MARK.findall(term)): name for term, name in _terms("en").items()}
    longest = dict[str, int]()
    for first, *others in map(str.split, english):
        longest[first] = max(longest.get(first, 0), 1 + len(others))
    chinese = _terms("zh")
    return _Lexicon(english, longest, chinese, re.compile(_pattern(chinese)))


def _terms(language: str) -> dict[str, str]:
    """Term, normalised -> its category."""
    lexicon = yaml.safe_load((files("tutelage.curate") / "lexicons" / f"{language}.yaml").read_text(encoding="utf-8"))
    assert lexicon.keys() == {*HARMS, *TOPICS, _NEUTRAL}
    by_category = {name: [term for line in lines for term in line.split(", ")] for name, lines in lexicon.items()}
    return {normalised(term): name for name, of_category in by_category.items() for term in of_category}


def _pattern(terms: Iterable[str]) -> str:
    """A pattern of the terms with each common beginning written once, so that a place is looked at once."""
    trie: Trie = {}
    for term in terms:
        at = trie
        for character in term:
            at = at.setdefault(character, {})
        at[""] = {}
    return _alternatives(trie)


def _alternatives(trie: Trie) -> str:
    branches = [re.escape(character) + _alternatives(rest) for character, rest in trie.items() if character]
    if not branches:
        return ""
    joined = branches[0] if len(branches) == 1 and "" not in trie else f"(?:{'|'.join(branches)})"
    return f"{joined}?" if "" in trie else joined
