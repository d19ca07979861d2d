"""How texts of rows, answers and files become part of a page: escaped, printable, folded or cut."""

import re
from functools import cache
from importlib.resources import files
from itertools import accumulate, takewhile
from typing import Any
from unicodedata import east_asian_width

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tutelage.report import wording
from tutelage.report.language import known, language, t

_LONG, _BEGINNING = 220, 150  # texts wider than that are folded, and show so much; a wide (CJK) character is two
_LONG_LINES = 6
_AROUND = 240  # characters shown on each side of a marked passage
_LONGEST_PASSAGE = 400
_SEARCHED = 50_000  # characters of a text in which a passage is looked for
# What a page cannot hold, as what it can: control characters as their pictures; halves of surrogate pairs, and what
# turns the direction of all that follows (an element does not contain it), as U+FFFD.
_PRINTABLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(
        [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)], 0xFFFD
    )
)


@cache
def environment() -> Environment:
    """The template engine of the pages: everything is escaped and printable, and an undefined name is an error."""
    engine = Environment(
        loader=FileSystemLoader(str(files("tutelage.report"))),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalised,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {
        "percent": wording.percent,
        "share_of": wording.share_of,
        "interval": wording.interval,
        "p_value": wording.p_value,
        "points": wording.points,
        "metric": wording.metric,
        "feature": wording.feature,
        "duration": wording.duration,
        "compact": wording.compact,
        "language": wording.language,
        "paired": wording.paired,
        "drift": wording.drift,
        "arithmetic": wording.arithmetic,
        "count": wording.count,
        "clipped": clipped,
        "label": wording.label,
        "marked": marked,
        "visible": visible,
        "known": known,
    }
    engine.globals |= {"t": t, "language": language}
    return engine


def _finalised(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def printable(text: str) -> str:
    """The text with signs for what a page cannot hold: control characters, halves of surrogate pairs, and what would
    turn the direction of all that follows."""
    return text.replace("\r\n", "\n").translate(_PRINTABLE)


def clipped(text: str, *, limit: int | None = None) -> Markup:
    """A text without outer white space, folded where it is long: its beginning is shown until it is opened.

    Args:
        limit: characters that the page holds at most; what is left out is counted.
    """
    whole = text.strip()
    if not whole:
        return Markup('<span class="empty">{}</span>').format(t("(empty)"))
    shown = printable(whole[:limit])
    if len(whole) <= len(whole[:limit]) and len(beginning(shown, width=_LONG)) == len(shown):
        return escape(shown)
    start = beginning(shown, width=_BEGINNING).rstrip()
    rest = _left_out(len(whole) - len(whole[:limit]))
    return Markup('<details class="long"><summary><span>{}</span>…</summary>{}{}</details>').format(start, shown, rest)


def marked(text: str, passage: str) -> Markup:
    """The part of a text that shares `passage`, with the passage marked; the passage alone where it is not found.

    The passage may be written otherwise than in the text: only its letters and digits are compared, without case.
    """
    found = _locate(text, passage)
    if found is None:
        return Markup("<mark>{}</mark>").format(printable(passage[:_LONGEST_PASSAGE]))
    start, end = max(0, found[0] - _AROUND), found[1] + _AROUND
    parts = (printable(part) for part in (text[start : found[0]], text[slice(*found)], text[found[1] : end]))
    around = Markup("{}<mark>{}</mark>{}").format(*parts)
    return Markup("…" if start else "") + around + _left_out(start + max(0, len(text) - end))


def _locate(text: str, passage: str) -> tuple[int, int] | None:
    letters = re.findall(r"[^\W_]", passage[:_LONGEST_PASSAGE])
    if not letters:
        return None
    pattern = r"[\W_]*+".join(map(re.escape, letters))  # possessive, so that no text makes it slow
    found = re.search(pattern, text[:_SEARCHED], re.IGNORECASE)
    return found.span() if found else None


def _left_out(characters: int) -> Markup:
    if not characters:
        return Markup()
    return Markup(' <span class="cut">{}</span>').format(t("… {n} characters left out", n=f"{characters:,}"))


def beginning(text: str, *, width: int) -> str:
    """As much of a text as is `width` columns wide (wide characters count twice) and few lines high."""
    columns = accumulate(2 if east_asian_width(character) in "WF" else 1 for character in text)
    fitting = sum(1 for _ in takewhile(lambda column: column <= width, columns))
    return "\n".join(text[:fitting].split("\n")[:_LONG_LINES])


def visible(text: str) -> Markup:
    """The text of a token with what is invisible made visible: ends of line and tabs."""
    shown = escape(text)
    return Markup(str(shown).replace("\n", '<i class="mark">↵</i>\n').replace("\t", '<i class="mark">⇥</i>\t'))
