"""What stands out: each warning has its number, a healthy run has none, and chance is no finding."""

from dataclasses import replace
from typing import Any

import pytest

from tests.report.run_reports import DATA_MAP, HELD_OUT, ITEMS, MEANS, OVER_ALL, SUSPECT, UNSURE, filled
from tutelage.evaluation.statistics import detectable_gain
from tutelage.report import content as c
from tutelage.report import evidence as e
from tutelage.report import page, wording
from tutelage.report.data_map import Kind
from tutelage.report.findings import MOST, run_findings
from tutelage.report.suite_findings import could_have_shown

BETTER = replace(UNSURE, difference=0.4, low=0.3, high=0.5, p_value=1e-9, gained=44, lost=4, verdict="better")
GOOD = e.Mean(0.8, 0.7, 0.9, 100)
SUITE = replace(
    HELD_OUT,
    slices=(e.Slice("all", (e.Mean(0.4, 0.3, 0.5, 100), GOOD), (BETTER,)),),
    stopped=(0.1, 1.0),
    form=(e.Measure("repetition", "", MEANS, (replace(UNSURE, verdict="worse"),), wanted=False),),
    items=ITEMS * 25,
)


def healthy(**parts: Any) -> c.Report:
    """A run that has learned, and no sign of trouble."""
    report = filled()
    curves = replace(
        report.training.curves,
        held_out=((20, 2.0), (40, 1.13), (60, 1.125)),
        sources=(("a", ((1, 2.0), (60, 1.0))), ("b", ((1, 3.0), (60, 1.25)))),
    )
    calm = {
        "training": replace(report.training, curves=curves),
        "evidence": (SUITE,),
        "ledger": replace(report.ledger, rows=1000, used=996, shortened=2, dropped=2, identical=0),
        "data_map": replace(DATA_MAP, suspects=(replace(SUSPECT, suspicion=5.0),)),
    }
    return replace(report, **{**calm, **parts})


def with_curves(**curves: Any) -> c.Report:
    training = healthy().training
    return healthy(training=replace(training, curves=replace(training.curves, **curves)))


def with_suite(**parts: Any) -> c.Report:
    return healthy(evidence=(replace(SUITE, **parts),))


def with_result(*, means: tuple[e.Mean, ...] = SUITE.slices[0].means, **result: Any) -> c.Report:
    return with_suite(slices=(e.Slice("all", means, (replace(BETTER, **result),)),))


def kinds(report: c.Report) -> list[str]:
    return [one.kind for one in run_findings(report)]


def test_a_healthy_run_has_no_finding() -> None:
    assert kinds(healthy()) == []
    assert "Nothing stands out" in page.html(healthy())
    assert "Nothing stands out" not in page.html(with_curves(held_out=((1, 1.0), (60, 2.0))))


PART = e.Slice("zh", (GOOD, e.Mean(0.3, 0.2, 0.4, 50)), (BETTER,))
WORSE = replace(BETTER, verdict="worse", difference=-0.1)


@pytest.mark.parametrize(
    ("kind", "report", "number"),
    [
        ("overfitting", with_curves(held_out=((20, 1.5), (40, 1.1), (60, 1.234))), "0.134"),
        ("not converged", with_curves(held_out=((20, 2.0), (40, 1.5), (60, 1.25))), "1.250"),
        ("gradient spikes", with_curves(grad_norm=(9.0,) * 6 + (1.0,) * 52 + (50.0, 60.0)), "2 logged steps"),
        ("hard source", with_curves(sources=(("a", ((60, 1.0),)), ("b.jsonl", ((60, 3.25),)))), "3.25"),
        ("skipped steps", healthy(training=replace(healthy().training, skipped=3)), "3 of 60"),
        ("rows dropped", healthy(ledger=replace(healthy().ledger, dropped=31)), "31 of 1,000"),
        ("rows shortened", healthy(ledger=replace(healthy().ledger, shortened=400)), "400 of 1,000"),
        ("identical rows", healthy(ledger=replace(healthy().ledger, identical=1)), "1 of 5"),
        ("suspicious rows", healthy(data_map=DATA_MAP), "+9.2"),
        (
            "forgotten rows",
            healthy(data_map=replace(DATA_MAP, suspects=(), kinds=(Kind("forgotten", 9, (), ()),))),
            "9",
        ),
        (
            "memorised rows",
            healthy(data_map=replace(DATA_MAP, suspects=(), kinds=(Kind("memorised", 50, (), ()),))),
            "50",
        ),
        ("worse", with_result(verdict="worse", difference=-0.123), "-12.3 points"),
        ("lost", with_result(lost=12, gained=60), "12 of 40"),
        ("ran to the limit", with_suite(stopped=(0.0, 0.75)), "25.0"),
        ("lagging part", with_suite(slices=(*SUITE.slices, PART)), "30.0"),
        ("worse part", with_suite(slices=(*SUITE.slices, replace(PART, against=(WORSE,)))), "-10.0 points"),
        ("form", with_suite(form=(replace(SUITE.form[0], against=(BETTER,)),)), "repeat themselves: 25.0"),
        ("form", with_suite(form=(e.Measure("list", "", MEANS, (BETTER,), wanted=None),)), "with a list: 25.0"),
        ("following", with_suite(following=(e.Measure("following", "", MEANS, (WORSE,)),)), "-10.0 points"),
    ],
)
def test_each_warning_has_its_number(kind: str, report: c.Report, number: str) -> None:
    (found,) = run_findings(report)
    assert found.kind == kind
    assert number in found.text
    assert found.figures
    assert found.suggestion.endswith(".")
    assert found.text.replace("'", "&#39;") in page.html(report)


def test_padding_is_told_of_runs_that_do_not_pack() -> None:
    training = healthy().training
    assert training.speed is not None
    padded = replace(training, speed=replace(training.speed, padding_share=0.4))
    assert kinds(healthy(training=padded)) == []
    assert kinds(healthy(training=replace(padded, packed=False))) == ["padding"]


def test_what_was_not_found_could_not_be_seen() -> None:
    (found,) = run_findings(with_result(verdict="not distinguishable", gained=10, lost=8, difference=0.02))
    assert found.kind == "too few questions"
    seen = detectable_gain(100, 0.18).difference
    assert seen is not None
    assert dict(found.figures)["detectable"] == seen
    assert wording.points(seen).lstrip("+") in found.text


def test_scores_are_judged_by_their_interval() -> None:
    """An interval of 1.96 standard errors: 2.8 of them can be seen with 80 % power."""
    result = replace(UNSURE, test="sign flips", low=-0.0196, high=0.0196)
    assert could_have_shown(result, 400).difference == pytest.approx(0.0280, abs=1e-4)


@pytest.mark.parametrize(
    "report",
    [
        with_curves(held_out=((20, 1.5), (40, 1.1), (60, 1.11))),
        with_curves(held_out=((20, 1.0),)),
        with_curves(held_out=()),
        with_curves(grad_norm=(40.0,) * 6 + (1.0,) * 50 + (5.0,) * 4),
        with_curves(step=(), loss=(), learning_rate=(), tokens_per_s=(), grad_norm=(), held_out=(), sources=()),
        with_result(lost=5),
        with_result(verdict="equivalent"),
        with_suite(stopped=(0.0, 0.9)),
        with_suite(slices=(*SUITE.slices, replace(PART, means=(GOOD, e.Mean(0.6, 0.4, 0.75, 20))))),
        with_suite(form=(e.Measure("list", "", MEANS, (replace(BETTER, difference=0.2),), wanted=None),)),
        healthy(training=replace(with_curves(held_out=((1, 1.0), (60, 2.0))).training, kept_best=True)),
        healthy(training=replace(with_curves(held_out=((1, 3.0), (60, 2.0))).training, stopped_early=True)),
        healthy(evidence=()),
        healthy(data_map=None),
    ],
)
def test_no_warning_without_cause(report: c.Report) -> None:
    assert kinds(report) == []


def test_a_norm_that_is_no_number_is_a_spike() -> None:
    (found,) = run_findings(with_curves(grad_norm=(1.0,) * 59 + (float("nan"),)))
    assert found.kind == "gradient spikes"


def test_the_weightiest_come_first_and_few() -> None:
    slices = [replace(PART, label=f"task {number}", against=(WORSE,)) for number in range(9)]
    report = healthy(
        evidence=(replace(SUITE, slices=(OVER_ALL, *slices), stopped=(0.0, 0.0)),),
        ledger=replace(healthy().ledger, dropped=500, shortened=300, identical=7),
        training=replace(with_curves(held_out=((1, 1.0), (60, 2.0))).training, skipped=5),
    )
    found = run_findings(report)
    assert len(found) == MOST
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)
    assert found[0].kind == "worse part"
    assert {"overfitting", "identical rows"} <= {one.kind for one in found}
