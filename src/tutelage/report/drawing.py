"""How every picture is drawn: as inline SVG whose colours are CSS variables of the page, so that it follows light, dark
and print.

No text from data is drawn; labels are ours, and the browser sets them in the page's own font and language (matplotlib
draws them in English, for which it has glyphs anywhere).
"""

import re
from collections.abc import Callable
from html import unescape
from io import StringIO

import matplotlib
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tutelage.report.language import known
from tutelage.report.markup import printable
from tutelage.report.wording import compact

# Colours that matplotlib writes -> variables of the page.
INK, MUTED, LINE, TUNED, BASE, HELD_OUT = "#010101", "#010102", "#010103", "#010104", "#010105", "#010106"
BAD, SPECIAL = "#010107", "#010108"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    TUNED: "var(--tuned)",
    BASE: "var(--base)",
    HELD_OUT: "var(--held-out)",
    BAD: "var(--bad)",
    SPECIAL: "var(--special-ink)",
}
_WIDTH, _HEIGHT = 420.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 10.0, 36.0

Formatter = Callable[[float], str]


def quiet_axes(formatter: Formatter, *, xlabel: str = "step") -> tuple[Figure, Axes]:
    """A figure with quiet axes: horizontal grid, no frame, few ticks; `formatter` words the ticks of the y axis. Labels
    are in English here: `svg` translates them."""
    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    size = (_WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
    axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, size[0] / _WIDTH, size[1] / _HEIGHT))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=MUTED, labelsize=10.5, pad=5)
    axes.set_xlabel(xlabel, color=MUTED, fontsize=10.5, labelpad=3)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formatter(value)))
    return figure, axes


def svg(figure: Figure, title: str) -> str:
    """The figure as an `<svg>` element that scales with its column and takes font and colours from the page.

    Args:
        title: for those who do not see it; two pictures of a page have different ones, for their ids come from it.
    """
    title, file = printable(title), StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)  # its selector would reach the whole page
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    text = re.sub(r"(?<=>)[^<>]+(?=</text>)", lambda label: str(escape(known(unescape(label[0])))), text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    opening = f'<svg viewBox="{box}" role="img" aria-label="{escape(title)}" stroke-linejoin="round">'
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1).strip()
