"""Figures and the verdict in words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.report.run_reports import HELD_OUT, MEANS, OVER_ALL, UNSURE, one_model, three_models
from tutelage.report import wording
from tutelage.report.evidence import Suite


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def with_slice(**changes: Any) -> Sequence[Suite]:
    return [replace(HELD_OUT, slices=(replace(OVER_ALL, **changes),))]


@pytest.mark.parametrize(("verdict", "word"), [("better", "rose from"), ("worse", "fell from")])
def test_verdict_follows_the_test(verdict: str, word: str) -> None:
    sentence = plain(wording.verdict(with_slice(against=(replace(UNSURE, verdict=verdict, p_value=1e-9),))))
    assert f"{word} 25.0 % (5.0 to 70.0) to 50.0 % (15.0 to 85.0) on 4 held-out questions" in sentence
    assert f"{verdict} than the base" in sentence
    assert "p < 0.0001" in sentence


def test_a_rise_within_chance_is_no_rise() -> None:
    sentence = wording.verdict([HELD_OUT])
    assert "went from" in sentence
    assert "not distinguishable" in sentence
    assert "rose" not in sentence


def test_no_change_is_said_once() -> None:
    sentence = plain(wording.verdict(with_slice(means=MEANS[:1] * 2)))
    assert sentence.startswith("Exact match stayed at 25.0 % (")


def test_equal_within_a_margin() -> None:
    within = replace(UNSURE, difference=0.001, low=-0.01, high=0.012, verdict="equivalent", within_margin=True)
    sentence = plain(wording.verdict(with_slice(against=(within,))))
    assert "equivalent to the base; +0.1 points (-1.0 to +1.2, within ±2 points)" in sentence


def test_the_last_of_several_models_is_told() -> None:
    sentence = plain(wording.verdict([three_models(), HELD_OUT]))
    assert "on 4 questions: better than the first; +12.5 points" in sentence
    assert sentence.startswith("ROUGE-L ")


def test_one_model_has_a_mean_and_no_comparison() -> None:
    assert plain(wording.verdict([one_model()])) == "Exact match of only is 25.0 % (5.0 to 70.0) on 4 questions."
    assert "says nothing" in wording.verdict([])


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (950, "950"),
        (9999, "9,999"),
        (12_345, "12.3k"),
        (4_560_000, "4.56M"),
        (1.2e9, "1.2B"),
        (999_400, "999k"),
        (999_900, "1M"),
    ],
)
def test_compact(count: float, shown: str) -> None:
    assert wording.compact(count) == shown


def test_arithmetic_is_told_beside_the_peak(make_report: Any) -> None:
    speed = make_report().training.speed
    assert plain(wording.arithmetic(speed)) == "achieved 412 GFLOP/s, 46.3 % of this machine's 890 GFLOP/s"
    assert plain(wording.arithmetic(replace(speed, peak_flops_per_s=0.0))) == "achieved 412 GFLOP/s"


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (4.56e8, "0.456 GFLOP/s"),
        (4.12e10, "41.2 GFLOP/s"),
        (8.9e11, "890 GFLOP/s"),
        (1.234e12, "1,234 GFLOP/s"),
        (9.994e12, "9,994 GFLOP/s"),
        (1.234e13, "12.3 TFLOP/s"),
        (7.02e14, "702 TFLOP/s"),
    ],
)
def test_operations_per_second(per_second: float, shown: str) -> None:
    assert plain(wording.flops(per_second)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(13.66, "13.7 s"), (245, "4 min 05 s"), (7800, "2 h 10 min"), (59.99, "1 min 00 s")]
)
def test_duration(seconds: float, shown: str) -> None:
    assert wording.duration(seconds) == shown


def test_p_values() -> None:
    assert [plain(wording.p_value(p)) for p in (1.0, 0.0312, 1e-12)] == ["p = 1", "p = 0.031", "p < 0.0001"]
