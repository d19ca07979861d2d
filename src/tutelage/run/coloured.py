"""Tokens in the terminal: trained ones on green and underlined, seen ones grey; without colour, in brackets.

Neighbouring tokens differ in shade, so that their borders are seen. Every colour is legible on light and dark ground:
trained tokens bring a ground of their own, seen ones are of middling brightness.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.run.readback import ReadRow, RoleCount

# What a terminal would obey, or hide: control characters, marks of direction, blanks without width.
_INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]")
_LINE_END, _TAB, _SPACE, _PART = "\u23ce", "\u21e5", "\u2423", "\u22ef"
_LABELS = ("token", "id", "position", "weight")
_MARGIN, _GAP = max(map(len, _LABELS)) + 2, 2  # columns


@dataclass(frozen=True, slots=True)
class Look:
    """Styles of tokens, two of each kind for neighbours.

    Attributes:
        control, control_trained: of control tokens.
        brackets: around what is trained, where style alone would not tell.
    """

    trained: tuple[str, str]
    seen: tuple[str, str]
    control_trained: tuple[str, str]
    control: tuple[str, str]
    weight: str
    brackets: tuple[str, str]

    def of(self, row: ReadRow, at: int, *, shade: int) -> str:
        """The style of a token."""
        trained = row.weights[at] > 0
        if row.control[at]:
            return (self.control_trained if trained else self.control)[shade % 2]
        return (self.trained if trained else self.seen)[shade % 2]


_COLOUR = Look(
    trained=("underline #000000 on #a5e3a5", "underline #000000 on #6cc36c"),
    seen=("#808080", "#5f87af"),
    control_trained=("bold underline #000000 on #d9b8f5", "bold underline #000000 on #bb8fe0"),
    control=("bold #a067c8", "bold #8a63d2"),
    weight="bold #000000 on #ffc850",
    brackets=("", ""),
)
_PLAIN = Look(
    trained=("bold underline", "underline"),
    seen=("dim", ""),
    control_trained=("bold underline reverse", "underline reverse"),
    control=("dim reverse", "reverse"),
    weight="bold reverse",
    brackets=("\u27e6", "\u27e7"),
)


def look_of(console: Console) -> Look:
    """Colours, or brackets where the console has none (NO_COLOR, a file)."""
    return _PLAIN if console.no_color or console.color_system is None else _COLOUR


def legend(look: Look) -> Text:
    """What the styles mean, with the styles."""
    left, right = look.brackets
    return Text.assemble(
        (f"{left}trained", look.trained[0]),
        (f" tokens{right}", look.trained[1]),
        "  ",
        ("only", look.seen[0]),
        (" seen", look.seen[1]),
        "  ",
        ("<control>", look.control[0]),
        " ",
        (f"{left}<control>{right}", look.control_trained[0]),
        "  ",
        ("x0.5", look.weight),
        " weight other than 1",
    )


def readable(text: str) -> str:
    """The text with what a terminal would obey or hide made visible; ends of line are marked and kept."""
    return _INVISIBLE.sub(_visible, text).replace("\n", f"{_LINE_END}\n")


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\t":
        return f"{_TAB} "
    return character.encode("ascii", "backslashreplace").decode() if character >= "\x80" else f"\\x{ord(character):02x}"


def running(row: ReadRow, look: Look) -> Text:
    """A row as text that is read from left to right; a weight stands before the tokens that have it."""
    text, shade, before = Text(), 0, 0.0
    opening, closing = look.brackets
    for at, (piece, weight) in enumerate(zip(row.pieces, row.weights, strict=True)):
        if before > 0 and not weight > 0:
            text.append(closing)
        if weight > 0 and not before > 0:
            text.append(opening)
        if weight > 0 and weight != (before or 1.0):
            text.append(f"x{weight:g}", look.weight)
            text.append(" ")
        text.append(readable(piece), look.of(row, at, shade=shade))
        shade += bool(piece)
        before = weight
    return text.append(closing if before > 0 else "")


def interlinear(row: ReadRow, look: Look, *, width: int) -> Iterator[Text]:
    """A row as lines of tokens, and below each token its id, its position in the row and its weight.

    Args:
        width: columns of the terminal.
    """
    cells = [_cell(row, at) for at in range(len(row.token_ids))]
    widths = [max(cell_len(token), *map(len, below)) for token, *below in cells]
    for start, end in _lines(widths, width - _MARGIN):
        if start:
            yield Text()
        line = Text.assemble((f"{_LABELS[0]:<{_MARGIN}}", "dim"))
        for at in range(start, end):
            token = cells[at][0]
            line.append(token, look.of(row, at, shade=at))
            line.append(" " * (widths[at] - cell_len(token) + _GAP if at + 1 < end else 0))
        yield line
        for number, label in enumerate(_LABELS[1:], 1):
            values = (cells[at][number].ljust(widths[at] + _GAP) for at in range(start, end))
            yield Text.assemble((f"{label:<{_MARGIN}}", "dim"), "".join(values).rstrip())


def _cell(row: ReadRow, at: int) -> tuple[str, str, str, str]:
    """Token, id, position and weight as they stand below each other; blanks at the token's ends are marked."""
    shown = readable(row.pieces[at]).replace("\n", "") or _PART
    shown = shown if cell_len(shown) else shown.encode("ascii", "backslashreplace").decode()  # as a joiner of emoji
    inner = shown.strip(" ")
    left = len(shown) - len(shown.lstrip(" ")) if inner else 0
    marked = _SPACE * left + inner + _SPACE * (len(shown) - left - len(inner))
    weight = row.weights[at]
    return marked, str(row.token_ids[at]), str(row.positions[at]), f"{weight:g}" if weight > 0 else "\u00b7"


def _lines(widths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Cells [start, end) that fit into a line, at least one."""
    start, used = 0, 0
    for at, width in enumerate(widths):
        if at > start and used + width > room:
            yield start, at
            start, used = at, 0
        used += width + _GAP
    if widths:
        yield start, len(widths)


def role_table(counts: Iterable[RoleCount]) -> Table:
    """Trained and seen tokens by role, with their sums."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("tokens of")
    for name in ("trained", "only seen"):
        table.add_column(name, justify="right")
    trained = seen = 0
    for one in counts:
        table.add_row(Text(one.role), f"{one.trained:,}", f"{one.seen:,}")
        trained, seen = trained + one.trained, seen + one.seen
    table.add_row("all", f"{trained:,}", f"{seen:,}", style="bold")
    return table
