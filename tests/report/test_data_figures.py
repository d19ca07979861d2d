"""Pictures of a curation: what stays lies within what came in, thresholds stand at their place, towers are tamed."""

import re
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.report.data_reports import HISTOGRAM, filled
from tutelage.report import data_content as d
from tutelage.report.data_figures import calibration_figure, lengths_figure, score_figure

REPORT = filled()
DRAWN = [
    lambda: lengths_figure(REPORT.lengths[0]),
    lambda: score_figure(REPORT.scores[0]),
    lambda: calibration_figure(REPORT.calibration[0]),
]


def labels(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg.replace("xlink:href", "href")).iter("text")]


@pytest.mark.parametrize("draw", DRAWN)
def test_colours_are_the_pages_own(draw: object) -> None:
    assert callable(draw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = draw()
    assert len(labels(svg)) > 4
    assert "var(--tuned)" in svg
    assert "var(--base)" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
    assert "<style" not in svg


def test_the_threshold_is_drawn_where_there_is_one() -> None:
    score = REPORT.scores[0]
    assert "var(--held-out)" in score_figure(score)
    assert "var(--held-out)" not in score_figure(replace(score, threshold=None))
    assert score_figure(score) != score_figure(replace(score, threshold=0.3))


def test_lengths_that_differ_much_get_a_log_axis() -> None:
    long, short = (
        REPORT.lengths[0],
        replace(REPORT.lengths[0], histogram=d.Histogram((0.0, 20.0, 40.0), (3, 4), (1, 4))),
    )
    assert {"0", "1", "10", "100", "1,000"} <= set(labels(lengths_figure(long)))
    assert {"0", "10", "20"} <= set(labels(lengths_figure(short)))
    assert "100" not in labels(lengths_figure(short))


def test_a_bin_that_towers_over_the_others_does_not_hide_them() -> None:
    tower = d.Score("completeness", d.Histogram(HISTOGRAM.edges, (3, 2, 5, 9000), (0, 1, 5, 8000)), 0.6, 5)
    assert "log scale" in labels(score_figure(tower))
    assert "log scale" not in labels(score_figure(REPORT.scores[0]))


@pytest.mark.parametrize("count", [1, 3, 10**7])
def test_any_counts(count: int) -> None:
    histogram = d.Histogram((0.0, 0.5, 1.0), (count, 0), (0, 0))
    assert labels(score_figure(d.Score("overall", histogram, None, 0)))
    assert labels(lengths_figure(d.Lengths("prompt", histogram, 0, 0, 1, 0)))
    assert labels(calibration_figure(d.Calibration("x", 1, None, (0.0, 0.5, 1.0), (count, 0), (0, 0), False)))
