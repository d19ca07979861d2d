"""Pictures scale, follow the page's colours, and draw what they are given."""

import re
import warnings
from dataclasses import replace
from importlib.resources import files
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import pytest

from tutelage.evaluation.data_map.trajectory import Kind
from tutelage.report import figures
from tutelage.report.content import Curves, Lengths
from tutelage.report.drawing import BAD, HELD_OUT, MUTED, SPECIAL, TUNED

DRAWN = [figures.loss_figure, figures.rate_figure, figures.speed_figure, figures.norm_figure]
LENGTHS = Lengths((0.0, 10.0, 20.0), (3, 5), 12, 20, 24)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("xlink:href", "href"))


@pytest.mark.parametrize("draw", DRAWN)
def test_colours_are_the_pages_own(make_report: Any, draw: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = draw(make_report().training.curves)
    parse(svg)
    assert "var(--" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
    assert "<style" not in svg
    assert "font-family" not in svg
    assert "DejaVu" not in svg


def test_labels_are_text(make_report: Any) -> None:
    labels = [element.text for element in parse(figures.loss_figure(make_report().training.curves)).iter("text")]
    assert "step" in labels
    assert "20" in labels  # a step on the axis


@pytest.mark.parametrize("count", [1, 2, 39, 5000])
def test_any_number_of_steps(count: int) -> None:
    values = tuple(float(value) for value in range(1, count + 1))
    curves = Curves(tuple(range(1, count + 1)), values, values, values, values, ())
    for draw in DRAWN:
        svg = draw(curves)
        parse(svg)
        assert len(svg) < 60_000
    assert ("<use" in figures.rate_figure(curves)) == (count == 1)  # a single point needs a dot


def test_held_out_is_drawn_only_when_measured(make_report: Any) -> None:
    curves = make_report().training.curves
    assert "var(--held-out)" in figures.loss_figure(curves)
    assert "var(--held-out)" not in figures.loss_figure(replace(curves, held_out=()))


def test_limit_is_marked_within_reach() -> None:
    assert "max_length" in figures.length_figure(LENGTHS)
    assert "max_length" not in figures.length_figure(replace(LENGTHS, max_length=2048))


def test_running_mean_keeps_lines_and_ends() -> None:
    line = np.linspace(0, 1, 200)
    assert np.allclose(figures.running_mean(line), line)
    noise = np.random.default_rng(0).normal(size=400)
    smooth = figures.running_mean(noise)
    assert len(smooth) == 400
    assert smooth.std() < noise.std() / 2
    assert (smooth[0], smooth[-1]) == pytest.approx((noise[0], noise[-1]))


def test_same_figure_twice_is_the_same_text(make_report: Any) -> None:
    curves = make_report().training.curves
    assert figures.loss_figure(curves) == figures.loss_figure(curves)


def test_the_map_has_a_dot_for_each_row(make_report: Any) -> None:
    kinds = make_report().data_map.kinds
    svg = figures.map_figure(kinds)
    parse(svg)
    assert svg.count("<use") >= sum(len(kind.mean) for kind in kinds)
    assert "var(--bad)" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []


def test_every_kind_of_row_has_its_colour() -> None:
    assert set(figures.COLOURS) == set(get_args(Kind))
    style = files("tutelage.report").joinpath("style.jinja").read_text(encoding="utf-8")
    variables = {BAD: "bad", TUNED: "tuned", HELD_OUT: "held-out", SPECIAL: "special-ink", MUTED: "muted"}
    for kind, colour in figures.COLOURS.items():
        if kind != "ordinary":
            assert f".dot.{kind.replace(' ', '-')} {{ background: var(--{variables[colour]}); }}" in style


def test_scores_have_a_line_each() -> None:
    scores = tuple((f"suite {number}", ((1, 0.1), (9, 0.5))) for number in range(14))
    svg = figures.score_figure(scores)
    parse(svg)
    assert svg.count("<use") >= 28
    assert len(set(figures.STROKES)) == 12
    assert figures.score_figure((("one", ((5, 1.0),)),)).count("<use") >= 1
