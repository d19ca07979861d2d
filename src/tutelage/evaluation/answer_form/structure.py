"""What an answer is built of: items, fences, tables, headings, JSON, paragraphs. Each is read by line, in one pass."""

import json

import regex

_MARKED = regex.compile(r"^[^\S\n]*(?:>[^\S\n]*)?[-*+•·●▪◦–—○■✓✔][^\S\n]+\S", regex.MULTILINE)
_NUMBERED = regex.compile(
    r"^[^\S\n]*(?:\*\*|__|#{1,6}[^\S\n]+)?(?:step[^\S\n]*|第)?[(（]?"
    r"(?:(?P<circled>[①-⑳])|(?:(?P<decimal>\d{1,3})|(?P<han>[一二三四五六七八九十]{1,3}))"
    r"(?:[.)、）．:：。](?!\d)|[步点条][,，、:：]))",
    regex.MULTILINE | regex.IGNORECASE,
)
_FENCE = regex.compile(r"^[^\S\n]*```", regex.MULTILINE)
_ROW = regex.compile(r"^[^\S\n]*\|.*\|[^\S\n]*$|^[^|\n]+\|[^|\n]+\|[^\n]*$", regex.MULTILINE)
_RULE = regex.compile(r"^[|+\s]*:?-{2,}:?[^\S\n]*(?:[|+][^\S\n]*:?-{2,}:?[^\S\n]*)+[|+]?[^\S\n]*$", regex.MULTILINE)
_HTML_TABLE = regex.compile(r"<table\b", regex.IGNORECASE)
_HEADING = regex.compile(
    r"^#{1,6}[^\S\n]+\S|^\*\*[^*\n]{1,80}\*\*[:：]?[^\S\n]*$|^[^\n]{1,80}\n(?:={3,}|-{3,})$", regex.MULTILINE
)
_FENCED = regex.compile(r"\A```\w*\n(?P<inside>.*?)\n?```\Z", regex.DOTALL)
_HAN = {character: number for number, character in enumerate("一二三四五六七八九", start=1)}
_BEFORE_CIRCLED = ord("①") - 1


def unified(text: str) -> str:
    """A text whose lines all end with a line feed alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def bullets(text: str) -> int:
    """How many lines begin with a bullet."""
    return len(_MARKED.findall(text))


def numbers(text: str) -> list[int]:
    """The numbers with which lines begin, in order: `1.`, `(2)`, `３、`, `第四点`, `⑤`, `Step 6:`."""
    return [_value(match) for match in _NUMBERED.finditer(text)]


def items(text: str) -> int:
    """How many items a list in the text has: bulleted or numbered lines, whichever are more; 0 where there is no list,
    which takes two."""
    most = max(bullets(text), len(numbers(text)))
    return most if most > 1 else 0


def skipped(text: str) -> int | None:
    """The number before which a numbered list has its only gap; None where it is numbered through.

    Lists may start anew, and all items may be 1, as Markdown allows. Several gaps are another way of counting, as of
    crosswords.
    """
    found = numbers(text)
    known, gaps = {0, *found[:1]}, list[int]()
    for number in found[1:]:
        if number - 1 not in known and number not in known:
            gaps.append(number)
        known.add(number)
    return gaps[0] if len(gaps) == 1 else None


def fenced(text: str) -> bool:
    """Whether there is a fenced block of code."""
    return len(_FENCE.findall(text)) > 1


def tabled(text: str) -> bool:
    """Whether there is a table: two rows at least between upright bars, with tabs, or in HTML."""
    if len(_ROW.findall(text)) > 1 or _RULE.search(text) or _HTML_TABLE.search(text):
        return True
    return sum(line.strip().count("\t") > 0 for line in text.split("\n")) > 1


def headed(text: str) -> bool:
    """Whether there is a heading: Markdown's, or a line that is bold as a whole."""
    return _HEADING.search(text) is not None


def json_of(text: str) -> object | None:
    """The object or array that a text is as a whole, bare or in one fence; None where it is none."""
    text = text.strip()
    if fence := _FENCED.match(text):
        text = fence["inside"].strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def paragraphs(text: str) -> int:
    """How many blocks of lines there are, with empty lines between."""
    return sum(1 for block in regex.split(r"\n[^\S\n]*\n", text) if block.strip())


def _value(match: regex.Match[str]) -> int:
    if match["decimal"]:
        return int(match["decimal"])
    if match["circled"]:
        return ord(match["circled"]) - _BEFORE_CIRCLED
    tens, ten, ones = match["han"].rpartition("十")
    return (_HAN.get(tens, 1) * 10 if ten else 0) + _HAN.get(ones, 0)
