"""The pictures of a run, as inline SVG (see `drawing`)."""

import re
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from tutelage.report.content import Curves, Lengths, Points
from tutelage.report.data_map import Kind
from tutelage.report.drawing import BAD, BASE, HELD_OUT, MUTED, SPECIAL, TUNED, Formatter, quiet_axes, svg
from tutelage.report.language import t
from tutelage.report.wording import compact

_MOST_POINTS = 400
STROKES = tuple((colour, stroke) for stroke in ("-", "--", ":") for colour in (TUNED, HELD_OUT, SPECIAL, MUTED))
# Of the kinds of rows; style.jinja has the same for the legend.
COLOURS = {
    "never learned": BAD,
    "learned at once": TUNED,
    "forgotten": HELD_OUT,
    "memorised": SPECIAL,
    "ordinary": BASE,
    "seen once": MUTED,
}

Values = npt.NDArray[np.float64]


def loss_figure(curves: Curves) -> str:
    """Training loss (each step faint, running mean strong) and held-out loss over the steps."""
    figure, axes = quiet_axes(_plain_number)
    steps, losses = _thin(curves.step), _thin(curves.loss)
    axes.plot(steps, losses, color=TUNED, linewidth=1, alpha=0.3, marker=_marker(steps))
    axes.plot(steps, running_mean(losses), color=TUNED, linewidth=1.8)
    if curves.held_out:
        at, held_out = zip(*curves.held_out, strict=True)
        axes.plot(at, held_out, color=HELD_OUT, linewidth=1.5, marker="o", markersize=3.5)
    return svg(figure, t("Training loss and held-out loss over the steps"))


def rate_figure(curves: Curves) -> str:
    """Learning rate over the steps."""
    return _single(curves.step, curves.learning_rate, _scientific, t("Learning rate over the steps"))


def speed_figure(curves: Curves) -> str:
    """Tokens per second over the steps."""
    return _single(curves.step, curves.tokens_per_s, compact, t("Tokens per second over the steps"))


def norm_figure(curves: Curves) -> str:
    """Norm of the gradient before clipping, over the steps."""
    return _single(curves.step, curves.grad_norm, _plain_number, t("Gradient norm over the steps"))


def length_figure(lengths: Lengths) -> str:
    """Histogram of the examples' lengths, with max_length marked where it lies within reach of them."""
    figure, axes = quiet_axes(compact, xlabel="tokens")
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
    return svg(figure, t("Histogram of the lengths of the examples in tokens"))


def score_figure(scores: Sequence[tuple[str, Points]]) -> str:
    """Mean score of each suite over the steps at which it was asked; lines differ by their strokes (`STROKES`)."""
    figure, axes = quiet_axes(lambda share: f"{100 * share:.0f} %")
    for (_, points), (colour, stroke) in zip(scores, cycle(STROKES), strict=False):
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=colour, linestyle=stroke, linewidth=1.6, marker="o", markersize=3.5)
    axes.set_ylim(0, 1.05)
    return svg(figure, t("Scores of the suites over the steps"))


def map_figure(kinds: Sequence[Kind]) -> str:
    """A dot for each row: the mean of its losses over their spread, in the colour of its kind (`COLOURS`)."""
    figure, axes = quiet_axes(_plain_number, xlabel="spread of its losses")
    for kind in sorted(kinds, key=lambda one: one.name != "ordinary"):  # the many lie below the few
        axes.plot(kind.spread, kind.mean, linestyle="", marker="o", markersize=2.6, color=COLOURS[kind.name], alpha=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: _plain_number(value))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return svg(figure, t("Mean loss of each row over the spread of its losses"))


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
    figure, axes = quiet_axes(formatter)
    thinned = _thin(steps)
    axes.plot(thinned, _thin(values), color=MUTED, linewidth=1.5, marker=_marker(thinned))
    axes.set_ylim(bottom=0)
    return svg(figure, title)


def _marker(steps: Values) -> str:
    """A line through one point is invisible."""
    return "o" if len(steps) == 1 else ""


def _plain_number(value: float) -> str:
    return f"{value:.3g}"


def _scientific(value: float) -> str:
    return re.sub(r"e([-+])0*", r"e\1", f"{value:.2g}")
