"""Whether an answer was cut off before its end."""

import regex

from tutelage.curate.doubts import GRAVE, MILD, Doubt, excerpt

_CUT = GRAVE + 0.1
_TAIL = 1_500  # characters, from the end, that are looked at
# What may follow the mark at the end: closing quotes and brackets, footnotes, emphasis, emoji.
_CLOSERS = "\"'*_`~ \\p{Pe}\\p{Pf}\\p{Pi}\\p{So}\\p{Sk}\\p{Extended_Pictographic}\\p{M}\\p{Cf}"
_TERMINATED = regex.compile(rf"(?:[\p{{Sentence_Terminal}}…⋯～；;]|\.\.|[!?.]\[\d+\])[{_CLOSERS}]*$", regex.VERSION1)
_SENTENCES = regex.compile(
    rf"[。！？](?=.)|(?<!\b(?:\p{{L}}|\d|Mr|Mrs|Ms|Dr|St|vs|etc|e\.g|i\.e|No))[.!?।۔؟][{_CLOSERS}]*(?=\s+\p{{Lu}}|\s+\p{{Lo}})",
    regex.VERSION1,
)
# A sentence does not end with these: they wait for what follows.
_WAITING = regex.compile(
    r"(?:\s(?:and|or|but|nor|the|an|of|with|from|into|than|because|although|while|whose|their|your|our|its|as|"
    r"such as|including|between|which|that the|is a|is an|is the|are the|to the|for the|in the|on the|by the)"
    r"|[和与及或而但]|因为|所以|以及|例如|比如|包括|并且|而且|或者|如果|通过|其中|对于|关于)$",
    regex.IGNORECASE,
)
_WAITING_ITEM = regex.compile(
    r"(?:\s(?:and|or|but|the|an|of)|[和与及或]|因为|所以|以及|例如|比如|包括)$", regex.IGNORECASE
)
_HASHTAGS = regex.compile(r"(?:\s*[#＃][^\s#＃]+#?)+$")
_CLOSED = regex.compile(r"[\p{Pe}\p{Pf}\"]$")  # a remark in brackets, a quotation
_ATTRIBUTION = regex.compile(r"(?:^|[\"\p{Pf}\p{Pe}])\s*[-–—~]")  # "...", - George Eliot
_OPEN = regex.compile(r"[,，、\-–—(（\[【「『“《/&]$")
_ITEM = regex.compile(
    r"^\s*(?:[-*•·●▪◦–]\s*|\(?\d{1,3}[.)、:：．](?!\d)\s*|[（(]?[一二三四五六七八九十]{1,3}[)）、.．]\s*|[a-zA-Z][.)]\s+|\|)"
)
_NOT_PROSE = regex.compile(
    r"[`|}{\]>=;$\\#]$|^\s*[`|<{#@]|https?://\S*$|\S+@\S+$|^\s{4}|^\W*$|[\d%°]$|\b\w+\([^)]*\)$|[:：]\s*\S{1,40}$"
)
_WORD = regex.compile(r"\p{Han}|[\p{L}\p{N}'’]+")
_NO_MARKS = frozenset({"th", "lo", "km", "bo"})  # written without marks at the end of sentences
_PROSE = 8  # words of a line that may be a sentence
_FRAGMENT = 2  # words: a rest of so few after a sentence may be a name, if it is written as one


def ending_doubts(answer: str, *, language: str, code: bool) -> list[Doubt]:
    """A doubt where an answer was cut off: it stops at a word or mark that waits for more, or its last sentence has no
    end while those before it do. Lists of short items, labels, titles, verse, tables and code need no mark.

    Answers without a single complete sentence get a mild doubt ("no mark at the end") where they look like prose.
    """
    text = _HASHTAGS.sub("", answer[-_TAIL:]).rstrip()
    if code or language in _NO_MARKS or not text or _TERMINATED.search(text[-60:]):
        return []
    lines = [line for line in text.split("\n") if line.strip()]
    last = lines[-1]
    words = len(_WORD.findall(last))
    if words < 2 or _CLOSED.search(last) or _NOT_PROSE.search(last):
        return []
    found = "…" + excerpt(text[-40:])
    if _waits(last, lines, words):
        return [Doubt("cut off", found, _CUT)]
    if _ITEM.match(last):
        return _item_doubts(lines, words, found)
    return _prose_doubts(lines, words, found)


def _waits(last: str, lines: list[str], words: int) -> bool:
    if _OPEN.search(last):
        verse_or_letter = len(lines) > 1 and sum(line.rstrip()[-1] in ",，" for line in lines) > 1
        return words > 3 and not verse_or_letter
    waiting = _WAITING_ITEM if _ITEM.match(last) else _WAITING
    return words > 4 and waiting.search(last) is not None


def _item_doubts(lines: list[str], words: int, found: str) -> list[Doubt]:
    """The last of several items that are sentences is one too."""
    before = [line for line in lines[:-1] if _ITEM.match(line)]
    ended = sum(_TERMINATED.search(line.rstrip()[-60:]) is not None for line in before)
    if len(before) >= 2 and ended == len(before) and words >= 3:
        return [Doubt("cut off", found, _CUT)]
    return []


def _prose_doubts(lines: list[str], words: int, found: str) -> list[Doubt]:
    last = lines[-1]
    inside = list(_SENTENCES.finditer(last))
    if inside:
        rest = last[inside[-1].end() :]
        after = _WORD.findall(rest)
        goes_on = len(after) > _FRAGMENT or (bool(after) and not after[-1][0].isupper())
        return [Doubt("cut off", found, _CUT)] if goes_on and not _ATTRIBUTION.search(rest) else []
    prose = [line for line in lines[:-1] if len(_WORD.findall(line)) >= _PROSE]
    ended = sum(_TERMINATED.search(line.rstrip()[-60:]) is not None for line in prose)
    if words >= _PROSE and len(prose) >= 2 and ended == len(prose) and len(prose) >= 0.6 * (len(lines) - 1):
        return [Doubt("cut off", found, _CUT)]
    if words >= _PROSE and len(lines) == 1:
        return [Doubt("no mark at the end", found, MILD / 2)]
    return []
