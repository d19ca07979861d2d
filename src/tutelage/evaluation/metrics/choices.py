"""Which option of a multiple choice an answer chooses, and which label of a classification it gives.

Told only where the answer is clear: one that names none, or several without concluding, gives None. Readings of a
choice, the surest first; the first that finds anything decides:

1. nothing but a letter: `B`, `(B)`, `**B.**`, `选B`, also full-width
2. a final answer: `\\boxed{B}`, `<answer>B`, `Final answer: B`, `最终答案：B`
3. a conclusion: `The answer is B`, `I choose (B)`, `B is correct`, `答案是B`, `选B`, `B正确`
4. a first or last line that is nothing but a letter
5. lines that open with a letter: `B. text of the option`, `(B) text`, `B、`
6. a letter pointed at: `option B`, `(B)`, `选项B`, `B项`, unless it is called wrong
7. the text of an option, as words, unless `not` or `不` stands before it

2 and 3 are also read with the text of an option in place of its letter. The article of `A cat sat` is no letter.
What stands before `</think>` is not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize

import regex

from tutelage.evaluation.exact_match import exact_match
from tutelage.text import normalised, words

LONGEST = 20_000  # characters of an answer that are read: its last ones, where conclusions stand
_LINE = 300  # characters after "the answer is" in which the text of an option is looked for

_STYLE = regex.compile(
    r"[*`$]|__|~~|^[^\S\n]*(?:\#+|>)[^\S\n]?|\\(?:text\w*|math\w+|rm|bf)\b|\\(?=[()\[\]])", regex.MULTILINE
)
_OPEN = r"[\s\"'“‘(\[{<【「『《]{0,6}"  # bounded, as all that follows: no answer may take long
_CALLED = rf"{_OPEN}(?:(?:the\s+)?(?i:option|choice|answer|letter)\b|选项)?{_OPEN}"
_NOT = (
    r"(?<!(?i:\b(?:not|never|cannot|\w{2,6}n['’]t))\s(?:\w{1,20}\s)?)(?<![不别勿没非未][^。,;\n]{0,2})"  # before a verb
)
_IS = (
    r"(?:is|was|would\sbe|should\sbe|must\sbe|has\sto\sbe|will\sbe)"
    r"(?:\s*:|,?\s(?:therefore|thus|clearly|definitely|probably|(?:most\s)?likely|simply|indeed)\b,?)?"
)
_FINAL = (
    rf"(?i:\\f?boxed\s*\{{|<answer>|\bfinal\s(?:answer|choice)(?:\s{_IS}|\s*[:=])?|最终的?(?:答案|选择)[是为选]?:?)"
)
_STATED = (
    rf"(?i:\b(?:answer|option|choice|response)(?:\s(?:to|for|of)\s[^.\n:]{{0,80}}?)?\s{_IS}"
    r"|\banswer[\"']?\s*(?:[:=>→,]|-+>?)|\b(?:correct|right|best)\s(?:answer|option|choice)[\"']?\s*(?:[:=>→]|-+>?)"
    r"|(?<!回)答案?(?:应该|应当|应|就|可能|显然)?[是为选:]:?|正确的?(?:选项|选择|说法)?(?:应该|应|就)?[是为:]:?)"
)
_CHOSEN = (
    rf"(?i:{_NOT}\b(?:choose|chose|pick|picked|select|selected|go\swith|going\swith|opt\sfor)\b"
    rf"|{_NOT}(?:\bit\sis|\bit['’]s|\bthat\sis|\bthat['’]s|\bmust\sbe|(?:\bwould|['’]d)\ssay)\b|\banswer\s|(?<!回)答案?\s?|{_NOT}应[该当]?是"
    rf"|{_NOT}选(?!项)(?:择|取|定)?(?:的是|的|了|是|为)?:?)"
)
_CLOSE = r"\s?[)\]】}\"'”’」』]{0,4}\s{0,2}"
_CORRECT = (
    rf"{_CLOSE}(?:(?i:(?:is|seems|looks|would\sbe|must\sbe)\s(?:(?:the|most|likely|clearly)\s)*"
    r"(?:correct|right|best|true|answer))\b|(?:选?项)?(?:才?是|为|最)?(?:正确|对的|合适|符合题意))"
)
_WRONG = (
    rf"{_CLOSE}(?:(?i:(?:is|are|was|seems|looks)(?:n['’]t|\s(?:\w{{1,20}}\s)?(?:not|wrong|incorrect|false)))\b"
    r"|(?:选?项)?(?:[是为]?[错不假]|说法错|有误|排除))"
)
# Words that go on after the letter A. Before any other word it is taken for an article.
_ON = r"(?:because|since|as|for|due|which|that|and|n?or|is|was|seems|looks|would|must|if|with|but|by)\b"
_SEVERAL = r"\s{0,2}(?:,|/|&|、|和|或|与|及|(?:,\s)?\b(?:and|n?or)\b)\s{0,2}"
_NOT_IN_SENTENCE = r"(?:not|never|\S+n't|不|非|没)(?: (?:a|an|the|really|very|是|属 于))?"  # between words


def chosen(answer: str, options: Mapping[str, str]) -> str | None:
    """The letter of the option that an answer chooses; None where it names none, or several.

    Args:
        answer: its last 20,000 characters are read.
        options: letter (a capital of A to Z) -> text of the option, empty where that is not known.
    """
    readings = _readings(_plain(answer), options)
    found = next((letters for letters in readings if letters), set()) if options else set()
    return found.pop() if len(found) == 1 else None


def choice_accuracy(answer: str, right: str, *, options: Mapping[str, str]) -> float:
    """1 where an answer chooses the right letter, else 0."""
    return float(chosen(answer, options) == right)


def label_of(answer: str, labels: Sequence[str]) -> str | None:
    """The one label that an answer equals (as exact match compares), or else the only one that it names; None where it
    names none, or several.

    A label is named by its words in order; a longer one covers a shorter one within it (`not spam`, `spam`), and after
    `not`, `isn't` or `不` it is not named. Of an answer the last 20,000 characters are read.
    """
    found = _given(answer, labels)
    return labels[found.pop()] if len(found) == 1 else None


def label_accuracy(answer: str, right: str, *, labels: Sequence[str]) -> float:
    """1 where an answer gives the right label, else 0."""
    return float(label_of(answer, labels) == right)


def _plain(answer: str) -> str:
    """Without reasoning and marks of style, full-width forms narrow."""
    said = answer[-LONGEST:].rpartition("</think>")[2]
    return str(_STYLE.sub("", normalize("NFKC", said))).strip()


def _readings(text: str, options: Mapping[str, str]) -> Iterator[set[str]]:
    """The letters that each reading finds, the surest reading first."""
    letters = _patterns("".join(options))
    lines = text.splitlines()
    yield letters.found(letters.alone, text)
    yield letters.found(letters.final, text)
    yield _texts_after(_FINAL, text, options=options)
    yield letters.found(letters.concluded, text) | letters.found(letters.correct, text)
    yield _texts_after(_STATED, text, options=options)
    yield {letter for line in lines[:1] + lines[-1:] for letter in letters.found(letters.alone, line)}
    yield letters.found(letters.opening, text)
    yield letters.found(letters.pointed, text)
    yield _texts(text, options)


def _texts_after(phrase: str, text: str, *, options: Mapping[str, str]) -> set[str]:
    tails = (text[match.end() :].lstrip()[:_LINE].partition("\n")[0] for match in regex.finditer(phrase, text))
    return {letter for tail in tails for letter in _texts(tail, options)}


def _texts(text: str, options: Mapping[str, str]) -> set[str]:
    letters = list(options)
    return {letters[place] for place in _given(text, list(options.values()))}


@dataclass(frozen=True, slots=True)
class _Letters:
    """What is looked for in an answer, for one set of letters. Each pattern has the letters in its groups `x`."""

    alone: regex.Pattern[str]
    final: regex.Pattern[str]
    concluded: regex.Pattern[str]
    correct: regex.Pattern[str]
    opening: regex.Pattern[str]
    pointed: regex.Pattern[str]

    def found(self, pattern: regex.Pattern[str], text: str) -> set[str]:
        """All letters of all places, as capitals."""
        return {letter.upper() for match in pattern.finditer(text) for letter in match.captures("x")}


@lru_cache(maxsize=64)
def _patterns(letters: str) -> _Letters:
    capital, either = f"[{letters}]", f"[{letters}{letters.lower()}]"
    bare = rf"(?P<x>{capital})(?![A-Za-z0-9_'’+#]|-\w)(?!(?<=[AI])[^\S\n]+(?!{_ON})[A-Za-z])"
    one = rf"(?:\(\s*(?P<x>{either})\s*\)|{bare}|(?P<x>{either})(?=\s*(?:[.)\]}}:;,!?。<]|$)))"
    several = rf"{one}(?>(?:{_SEVERAL}{_CALLED}{one}(?!{_WRONG})){{0,25}})"
    begins = r"(?<![A-Za-z0-9_'’.+#-])"
    single = (
        rf"(?!\.?[^\S\n]?[A-Za-z]\.|[^\n]{{0,300}}[^\S\n]{capital}(?:[):、]|\.[^\S\n]+\S))"  # not a list in one line
    )
    mark = r"[^\w+#]*+"
    return _Letters(
        alone=regex.compile(
            rf"\A{mark}(?:(?i:(?:the\s)?(?:option|choice|answer)\b|选项|选择?|答案){mark})?(?P<x>{either})(?:选?项)?{mark}\Z"
        ),
        final=regex.compile(_FINAL + _CALLED + several),
        concluded=regex.compile(rf"(?:{_STATED}|{_CHOSEN}){_CALLED}{several}"),
        correct=regex.compile(begins + several + _CORRECT),
        opening=regex.compile(
            rf"^[^\w\n+#]*(?:(?<=[(\[【])(?P<x>{either})\s?[)\]】]|{bare}(?>(?:{_SEVERAL}{one}){{0,25}})\s?(?:[.):,、。]|[-–—]\s|(?:because|since|due)\b|因|由于){single}"
            rf"|(?P<x>{either})[.)](?=\s){single})",
            regex.MULTILINE,
        ),
        pointed=regex.compile(
            rf"(?:(?i:\b(?:option|choice)\s|选项){_OPEN}{several}|[(\[【](?P<x>{capital})[)\]】]|{begins}{bare}(?=选?项))"
            rf"(?!{_WRONG})"
        ),
    )


def _given(text: str, phrases: Sequence[str]) -> set[int]:
    """Places of the phrases that a text equals, or else names."""
    equal = {place for place, phrase in enumerate(phrases) if exact_match(text, [phrase])}
    return equal or _named(text, phrases)


def _named(text: str, phrases: Sequence[str]) -> set[int]:
    """Places of the phrases whose words stand in a text, not denied and not within a longer phrase."""
    folded = [" ".join(words(normalised(phrase))) for phrase in phrases]
    longest_first = sorted({phrase for phrase in folded if phrase}, key=len, reverse=True)
    if not longest_first:
        return set()
    named = rf"(?<!\S)(?:{_NOT_IN_SENTENCE} )??(?P<x>{'|'.join(map(regex.escape, longest_first))})(?!\S)"
    matches = regex.finditer(named, " ".join(words(normalised(text[-LONGEST:]))))
    present = {match["x"] for match in matches if match.start() == match.start("x")}
    return {place for place, phrase in enumerate(folded) if phrase in present}
