"""Losses and fit, weighed as they deserve."""

import numpy as np
import pytest

from tutelage.evaluation.data_map.suspicion import suspicion

ROWS, WRONG = 5000, 100


def rows(*, told_by_loss: float, told_by_fit: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standings and calibrated fit odds of rows of which 100 are wrong, and which these are. Both signals are normal
    with variance 1 and means so far apart, so the log-odds of the fit are linear: d x - d^2 / 2."""
    rng = np.random.default_rng(seed)
    wrong = np.arange(ROWS) < WRONG
    standing = rng.normal(told_by_loss * wrong, 1.0)
    seen = rng.normal(told_by_fit * wrong, 1.0)
    return standing, told_by_fit * seen - told_by_fit**2 / 2, wrong


def found_share(score: np.ndarray, wrong: np.ndarray) -> float:
    top = np.argsort(-score)[: 2 * WRONG]
    return float(wrong[top].sum() / WRONG)


def test_a_loss_that_tells_is_worth_something_and_no_more_than_the_truth_says() -> None:
    standing, odds, wrong = rows(told_by_loss=2.0, told_by_fit=3.0)
    found = suspicion(standing, odds)
    assert 0.8 < found.slope < 2.1  # of normals with variance 1 the truth is the distance of their means
    assert found_share(found.total, wrong) > found_share(odds, wrong) + 0.03
    assert found.total == pytest.approx(found.from_loss + found.from_fit)


def test_a_loss_that_tells_nothing_counts_for_nothing() -> None:
    standing, odds, wrong = rows(told_by_loss=0.0, told_by_fit=3.0)
    found = suspicion(standing, odds)
    assert found.slope < 0.3
    assert found_share(found.total, wrong) > found_share(odds, wrong) - 0.05
    misleading = suspicion(-2 * wrong + standing, odds)
    assert misleading.slope == 0.0
    assert (misleading.total == odds).all()


def test_rows_without_prompt_stand_between_good_and_bad_ones() -> None:
    standing, odds, wrong = rows(told_by_loss=1.0, told_by_fit=4.0)
    odds[-500:] = np.nan
    found = suspicion(standing, odds)
    assert (found.from_fit[-500:] == 0).all()
    assert np.isfinite(found.total).all()
    good, unknown, bad = (np.median(found.total[one]) for one in (~wrong, slice(-500, None), wrong))
    assert good < unknown < bad


@pytest.mark.parametrize("odds", [None, np.full(ROWS, np.nan)])
def test_without_a_fit_the_losses_decide(odds: np.ndarray | None) -> None:
    standing, _, _ = rows(told_by_loss=2.0, told_by_fit=1.0)
    found = suspicion(standing, odds)
    assert (np.argsort(found.total) == np.argsort(standing)).all()
    assert found.total.mean() == pytest.approx(0.0, abs=1e-9)


def test_no_rows_are_no_trouble_and_one_wild_loss_does_not_rule() -> None:
    assert len(suspicion(np.zeros(0), None).total) == 0
    standing, odds, _ = rows(told_by_loss=2.0, told_by_fit=3.0)
    calm = suspicion(standing, odds).slope
    standing[-1] = 1e9
    assert suspicion(standing, odds).slope == pytest.approx(calm, rel=0.05)
