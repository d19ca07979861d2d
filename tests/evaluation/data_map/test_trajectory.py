"""What the losses of a row tell beside those of others."""

from collections.abc import Sequence

import numpy as np
import pytest

from tutelage.evaluation.data_map.trajectory import (
    Visits,
    running_median,
    standings,
    trajectories,
    visits_of,
)

RECORD = np.dtype([("step", "<u4"), ("row", "<u4"), ("loss", "<f4"), ("weight", "<f4")])
ROWS, PER_STEP = 800, 8
EPOCHS = 3


def records(entries: Sequence[tuple[int, int, float, float]]) -> np.ndarray:
    return np.array(entries, RECORD)


def a_run(*, odd: dict[int, Sequence[float]], seed: int = 0) -> Visits:
    """800 rows over three epochs: losses fall with the steps and are higher for short rows, whatever the row; those of
    `odd` get these amounts on top, by epoch."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(2, 200, ROWS).astype(float)
    entries = []
    for epoch in range(EPOCHS):
        for at, row in enumerate(rng.permutation(ROWS).tolist()):
            step = epoch * ROWS // PER_STEP + at // PER_STEP + 1
            loss = 2 + 2 * np.exp(-step / 60) + 3 / np.sqrt(weights[row]) + rng.normal(0, 0.1)
            loss += odd.get(row, (0.0,) * EPOCHS)[epoch]
            entries.append((step, row, max(loss, 0.05), weights[row]))
    return visits_of(records(entries), ROWS // PER_STEP)


def test_a_visit_is_an_epochs_look_at_all_examples_of_a_row() -> None:
    visits = visits_of(
        records([(1, 7, 2.0, 1.0), (1, 3, 1.0, 5.0), (2, 7, 5.0, 3.0), (3, 7, 1.0, 4.0)]), steps_per_epoch=2
    )
    assert visits.rows.tolist() == [3, 7]
    assert visits.loss_RE[1].tolist() == [(2.0 * 1 + 5.0 * 3) / 4, 1.0]
    assert visits.loss_RE[0, 0] == 1.0
    assert np.isnan(visits.loss_RE[0, 1])
    assert visits.step_RE[1].tolist() == [2, 3]
    assert visits.counts.tolist() == [1, 2]
    assert visits.weights.tolist() == [5.0, 4.0]


def test_standings_take_stage_and_length_out() -> None:
    visits = a_run(odd={})
    standing_RE = standings(visits)
    assert np.abs(np.median(standing_RE)) < 0.1
    assert 0.8 < standing_RE.std() < 1.3
    raw = [np.corrcoef(values, visits.loss_RE[:, 0])[0, 1] for values in (visits.step_RE[:, 0], visits.weights)]
    assert all(abs(one) > 0.25 for one in raw), "the losses do depend on both"
    left = [np.corrcoef(values, standing_RE[:, 0])[0, 1] for values in (visits.step_RE[:, 0], visits.weights)]
    assert all(abs(one) < 0.1 for one in left)


def test_standings_take_rare_words_out_where_they_are_known() -> None:
    visits = a_run(odd={})
    rarity = np.random.default_rng(1).random(ROWS)
    costly = Visits(visits.rows, visits.loss_RE + 2 * rarity[:, None], visits.step_RE, visits.weights)
    without, known = standings(costly)[:, 1], standings(costly, rarity)[:, 1]
    assert np.corrcoef(without, rarity)[0, 1] > 0.8
    assert abs(np.corrcoef(known, rarity)[0, 1]) < 0.1


def test_each_kind_of_row_is_told() -> None:
    odd = {
        10: (1.0, 1.5, 2.0),  # higher and higher beside the others
        20: (-1.0, -1.0, -1.0),
        30: (0.0, -0.9, 0.9),  # learned, then lost
        40: (0.0, -1.0, -9.0),  # nothing left of it
        50: (0.0, 0.0, 0.0),
    }
    visits = a_run(odd=odd)
    found = trajectories(visits, standings(visits), held_out=2.4)
    assert [found.kinds[row] for row in odd] == [
        "never learned",
        "learned at once",
        "forgotten",
        "memorised",
        "ordinary",
    ]
    plain = [kind for row, kind in enumerate(found.kinds) if row not in odd]
    assert plain.count("ordinary") > 0.97 * len(plain)


def test_a_row_that_everybody_knows_is_not_memorised_and_without_held_out_rows_none_is() -> None:
    visits = a_run(odd={40: (0.0, -1.0, -9.0), 41: (-9.0, -9.0, -9.0)})
    standing_RE = standings(visits)
    assert trajectories(visits, standing_RE, held_out=2.4).kinds[41] == "learned at once"
    assert "memorised" not in trajectories(visits, standing_RE).kinds
    # Where unseen rows get as low a loss, nothing was memorised.
    assert "memorised" not in trajectories(visits, standing_RE, held_out=1e-3).kinds


def test_figures_are_those_of_the_losses() -> None:
    visits = visits_of(
        records([(1, 0, 4.0, 9.0), (2, 0, 3.0, 9.0), (4, 0, 1.0, 9.0), (1, 1, 2.5, 4.0)]), steps_per_epoch=1
    )
    found = trajectories(visits, standings(visits))
    seen = [4.0, 3.0, 1.0]
    assert (found.first[0], found.last[0], found.mean[0]) == (4.0, 1.0, pytest.approx(np.mean(seen)))
    assert found.spread[0] == pytest.approx(np.std(seen))
    assert found.slope[0] == pytest.approx(np.polyfit([0, 1, 3], seen, 1)[0])
    assert found.visits.tolist() == [3, 1]


def test_one_visit_tells_a_loss_and_a_standing_and_no_more() -> None:
    rng = np.random.default_rng(3)
    entries = [(1 + at // 8, at, 3 + rng.normal(0, 0.2) + 2 * (at == 77), 20.0) for at in range(400)]
    visits = visits_of(records(entries), steps_per_epoch=1000)
    found = trajectories(visits, standings(visits), held_out=3.0)
    assert set(found.kinds) == {"seen once"}
    assert np.isnan(found.spread).all()
    assert np.isnan(found.slope).all()
    assert int(np.argmax(found.standing)) == 77


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_handful_of_rows_is_enough(count: int) -> None:
    visits = visits_of(records([(1, row, 2.0, 3.0) for row in range(count)]), steps_per_epoch=1)
    found = trajectories(visits, standings(visits), held_out=2.0)
    assert found.standing.tolist() == [0.0] * count
    assert len(found.kinds) == count


def test_a_running_median_follows_a_curve_and_not_its_outliers() -> None:
    along = np.random.default_rng(0).permutation(1000).astype(float)
    values = np.sin(along / 200)
    values[::20] += 100
    assert np.abs(running_median(along, values) - np.sin(along / 200)).max() < 0.2
    assert running_median(np.zeros(100), np.arange(100.0)) == pytest.approx(np.full(100, 49.5), abs=1)
