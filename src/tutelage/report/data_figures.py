"""The pictures of a curation, as inline SVG (see `drawing`): histograms before and after, thresholds, calibrations."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from tutelage.report.data_content import Calibration, Histogram, Lengths, Score
from tutelage.report.drawing import BASE, HELD_OUT, INK, MUTED, TUNED, quiet_axes, svg
from tutelage.report.wording import compact, label

_WIDE_RANGE = 100.0  # a last edge beyond that is drawn on a log axis
_TALL = 0.6  # a bin with more of all rows than that hides the others, unless the axis is a log one


def lengths_figure(lengths: Lengths) -> str:
    """Lengths of the texts in words: what stays over what came in; a log axis where some are long."""
    figure, axes = quiet_axes(compact, xlabel="words")
    _before_and_after(axes, lengths.histogram)
    _stretch(axes, lengths.histogram.edges[-1])
    return svg(figure, f"Lengths of the {lengths.of} in words, before and after")


def score_figure(score: Score) -> str:
    """Distribution of a score: what stays over what came in, with the threshold; a log axis where one bin towers."""
    figure, axes = quiet_axes(compact, xlabel="score")
    _before_and_after(axes, score.histogram)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1]))
    axes.xaxis.set_major_formatter("{x:g}")
    if _towers(score.histogram):
        axes.set_yscale("symlog", linthresh=1, linscale=0.3)
        axes.yaxis.set_major_locator(FixedLocator(_powers(max(score.histogram.before))))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: compact(value))
        axes.annotate("log scale", (0, 1), xycoords="axes fraction", va="bottom", color=MUTED, fontsize=9)
    if score.threshold is not None:
        axes.axvline(score.threshold, color=HELD_OUT, linewidth=1.4, linestyle=(0, (4, 3)))
    return svg(figure, f"Distribution of {score.name}, before and after")


def calibration_figure(calibration: Calibration) -> str:
    """Relevance of real pairs and of shuffled ones, as shares of each kind."""
    figure, axes = quiet_axes(lambda share: f"{100 * share:.0f} %", xlabel="relevance")
    for counts, colour in ((calibration.shuffled, BASE), (calibration.real, TUNED)):
        shares = np.asarray(counts) / max(sum(counts), 1)
        axes.stairs(shares, calibration.edges, fill=True, color=colour, alpha=0.25)
        axes.stairs(shares, calibration.edges, color=colour, linewidth=1.5)
    axes.set_xlim(calibration.edges[0], calibration.edges[-1])
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:.2g}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return svg(figure, f"Relevance of real and of shuffled pairs: {label(calibration.label)}")


def _before_and_after(axes: Axes, histogram: Histogram) -> None:
    axes.stairs(histogram.before, histogram.edges, fill=True, color=BASE)
    axes.stairs(histogram.after, histogram.edges, fill=True, color=TUNED)
    axes.stairs(histogram.after, histogram.edges, color=INK, linewidth=0.4, alpha=0.35)
    axes.set_xlim(histogram.edges[0], histogram.edges[-1])
    axes.set_ylim(bottom=0)


def _stretch(axes: Axes, last: float) -> None:
    """A log axis, linear below one word, where lengths differ by more than two orders."""
    if last <= _WIDE_RANGE:
        return
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.xaxis.set_major_locator(FixedLocator(_powers(last)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: compact(value))


def _powers(last: float) -> list[float]:
    """0, 1, 10, ... up to `last`."""
    return [0.0, *(10.0**power for power in range(int(np.log10(max(last, 1))) + 1))]


def _towers(histogram: Histogram) -> bool:
    return bool(histogram.before) and max(histogram.before) > max(10, _TALL * sum(histogram.before))
