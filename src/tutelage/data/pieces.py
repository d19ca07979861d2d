"""What the readers of single files hand to `sources.read`: pieces, each with the line on which it begins."""

from dataclasses import dataclass
from typing import Any

Piece = tuple[int, Any]
"""(line, value): the 1-based line (or row number) and the decoded value, or Malformed."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line or element that does not parse.

    Attributes:
        found: the problem, with the text around it.
        expected: what would have been right.
        remedy: how to mend it.
    """

    found: str
    expected: str = "a JSON object"
    remedy: str = "mend the line"


_WIDTH = 40


def around(text: str, position: int) -> str:
    """The text around a position, on one line and without control characters, the position marked by `>>>`."""
    start, end = max(0, position - _WIDTH), position + _WIDTH
    before, after = text[start:position], text[position:end]
    shown = ("..." if start else "") + before + ">>>" + after + ("..." if end < len(text) else "")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in " ".join(shown.split()))
