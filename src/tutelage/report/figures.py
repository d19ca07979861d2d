"""Pictures as inline SVG. Their colours are CSS variables of the page, so they follow light, dark and print.

No text from data enters a picture; labels are ours, and the browser sets them in the page's own font.
"""

import re
from collections.abc import Callable, Sequence
from io import StringIO

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tutelage.report.content import Curves, Lengths
from tutelage.report.wording import compact

# Colours that matplotlib writes -> variables of the page.
INK, MUTED, LINE, TUNED, BASE, HELD_OUT = "#010101", "#010102", "#010103", "#010104", "#010105", "#010106"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    TUNED: "var(--tuned)",
    BASE: "var(--base)",
    HELD_OUT: "var(--held-out)",
}
_WIDTH, _HEIGHT = 420.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 10.0, 36.0
_MOST_POINTS = 400

Values = npt.NDArray[np.float64]
Formatter = Callable[[float], str]


def loss_figure(curves: Curves) -> str:
    """Training loss (each step faint, running mean strong) and held-out loss over the steps."""
    figure, axes = _axes(_plain_number)
    steps, losses = _thin(curves.step), _thin(curves.loss)
    axes.plot(steps, losses, color=TUNED, linewidth=1, alpha=0.3, marker=_marker(steps))
    axes.plot(steps, running_mean(losses), color=TUNED, linewidth=1.8)
    if curves.held_out:
        at, held_out = zip(*curves.held_out, strict=True)
        axes.plot(at, held_out, color=HELD_OUT, linewidth=1.5, marker="o", markersize=3.5)
    return _svg(figure, "Training loss and held-out loss over the steps")


def rate_figure(curves: Curves) -> str:
    """Learning rate over the steps."""
    return _single(curves.step, curves.learning_rate, _scientific, "Learning rate over the steps")


def speed_figure(curves: Curves) -> str:
    """Tokens per second over the steps."""
    return _single(curves.step, curves.tokens_per_s, compact, "Tokens per second over the steps")


def norm_figure(curves: Curves) -> str:
    """Norm of the gradient before clipping, over the steps."""
    return _single(curves.step, curves.grad_norm, _plain_number, "Gradient norm over the steps")


def length_figure(lengths: Lengths) -> str:
    """Histogram of the examples' lengths, with max_length marked where it lies within reach of them."""
    figure, axes = _axes(compact, xlabel="tokens")
    widths = np.diff(lengths.edges)
    axes.bar(lengths.edges[:-1], lengths.counts, width=widths * 0.9, align="edge", color=BASE, linewidth=0)
    axes.set_xlim(left=0)
    if lengths.max_length <= 1.5 * lengths.edges[-1]:
        axes.axvline(lengths.max_length, color=HELD_OUT, linewidth=1.4, linestyle=(0, (4, 3)))
        axes.set_xlim(right=1.03 * max(lengths.max_length, lengths.edges[-1]))
        axes.annotate(
            "max_length",
            (lengths.max_length, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-5, -2),
            textcoords="offset points",
            ha="right",
            va="top",
            color=HELD_OUT,
        )
        axes.margins(y=0.18)
    return _svg(figure, "Histogram of the lengths of the examples in tokens")


def running_mean(values: Values) -> Values:
    """Centred mean over about a twentieth of the values; the window shrinks at both ends."""
    half = len(values) // 40
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    reach = np.minimum(half, np.minimum(at, len(values) - 1 - at))
    means: Values = (sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1)
    return means


def _thin(values: Sequence[float]) -> Values:
    """At most some hundred points: means of neighbours where there are more, so that a page stays small."""
    array = np.asarray(values, dtype=np.float64)
    parts = np.array_split(array, min(len(array), _MOST_POINTS))
    return np.asarray([part.mean() for part in parts])


def _single(steps: Sequence[int], values: Sequence[float], formatter: Formatter, title: str) -> str:
    figure, axes = _axes(formatter)
    thinned = _thin(steps)
    axes.plot(thinned, _thin(values), color=MUTED, linewidth=1.5, marker=_marker(thinned))
    axes.set_ylim(bottom=0)
    return _svg(figure, title)


def _marker(steps: Values) -> str:
    """A line through one point is invisible."""
    return "o" if len(steps) == 1 else ""


def _axes(formatter: Formatter, *, xlabel: str = "step") -> tuple[Figure, Axes]:
    """A figure with quiet axes: horizontal grid, no frame, few ticks."""
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


def _plain_number(value: float) -> str:
    return f"{value:.3g}"


def _scientific(value: float) -> str:
    return re.sub(r"e([-+])0*", r"e\1", f"{value:.2g}")


def _svg(figure: Figure, title: str) -> str:
    """The figure as an `<svg>` element that scales with its column and takes font and colours from the page."""
    file = StringIO()
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
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    opening = f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{title}" stroke-linejoin="round">'
    return re.sub(r"<svg[^>]*>", opening, text, count=1).strip()
