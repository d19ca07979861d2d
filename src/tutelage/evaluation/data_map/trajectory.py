"""The losses of each row over a run: what they are beside those of other rows at the same stage, and what kind of row
that makes it.

Losses fall as a run goes on, and short answers and rare words cost more from the start. So each visit is read by its
standing: (loss - centre) / spread, where the centre is a running median over the steps of its epoch plus one over the
rows' weights (their lengths) plus one over how rare their words are, and the spread a running median of the distance
from it, times 1.4826 (the standard deviation of a normal).

The kinds follow dataset cartography (Swayamdipta et al. 2020: hard-to-learn rows are of low confidence throughout, easy
ones of high confidence) and forgetting events (Toneva et al. 2019), with standings in the place of accuracies.

Shapes: R rows, E epochs. A visit is an epoch's look at a row: all its examples, however often they stand there.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Kind = Literal["never learned", "learned at once", "forgotten", "memorised", "ordinary", "seen once"]

KINDS: tuple[Kind, ...] = ("never learned", "learned at once", "forgotten", "memorised", "ordinary", "seen once")
_FAR = 1.2816  # standing of the outer tenth of a normal
_RELAPSE = 4.0  # by so much the standing of a forgotten row has risen
_MEMORISED = 0.25  # of the loss that an unseen row of the length gets
_ROUNDS = 3  # over the parts of the centre, each fitted to what the others leave
_BLOCK, _BLOCKS = 32, 24  # visits at least in a block of a running median; blocks at most
_LEAST = 0.02  # nats: no spread is smaller


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """The losses of the rows of a run.

    Attributes:
        rows: row numbers (ledger), rising, (R,).
        loss_RE: mean loss per trained token in each epoch, nats; NaN where an epoch did not come to the row.
        step_RE: the step of it, from 1 (the last, where examples of the row stand in several); NaN likewise.
        weights: of the row's trained tokens in a visit, (R,).
    """

    rows: Numbers
    loss_RE: Floats
    step_RE: Floats
    weights: Floats

    @property
    def counts(self) -> Numbers:
        """Visits of each row, (R,)."""
        return np.asarray(np.isfinite(self.loss_RE).sum(axis=1), np.int64)


def visits_of(records: npt.NDArray[Any], steps_per_epoch: int) -> Visits:
    """The visits that are told by records with `step` (from 1), `row`, `loss` (mean) and `weight`."""
    rows, at = np.unique(records["row"].astype(np.int64), return_inverse=True)
    steps = records["step"].astype(np.int64)
    epochs = (steps - 1) // steps_per_epoch
    count = int(epochs.max(initial=0)) + 1
    shape, place = (len(rows), count), at * count + epochs
    weight = records["weight"].astype(np.float64)
    weights_RE = np.bincount(place, weight, len(rows) * count).reshape(shape)
    losses_RE = np.bincount(place, weight * records["loss"], len(rows) * count).reshape(shape)
    last = np.zeros(len(rows) * count, np.int64)
    np.maximum.at(last, place, steps)
    seen = weights_RE > 0
    return Visits(
        rows=rows,
        loss_RE=np.divide(losses_RE, weights_RE, out=np.full(shape, np.nan), where=seen),
        step_RE=np.where(seen, last.reshape(shape), np.nan),
        weights=weights_RE.max(axis=1, initial=0.0),
    )


def standings(visits: Visits, rarity: Floats | None = None) -> Floats:
    """How each visit stands among those of about the same step, with what length and rare words do to a loss taken out,
    in standard deviations, (R, E); above 0: worse than others.

    Args:
        rarity: how rare the words of each row are, (R,); None: not known.
    """
    found_RE: Floats = np.full_like(visits.loss_RE, np.nan)
    length = np.log(np.maximum(visits.weights, 1e-9))
    for epoch in range(found_RE.shape[1]):
        seen = np.isfinite(visits.loss_RE[:, epoch])
        if not seen.any():
            continue
        along = [visits.step_RE[seen, epoch], length[seen], *([] if rarity is None else [rarity[seen]])]
        rest = _without(visits.loss_RE[seen, epoch], along)
        spread = 1.4826 * running_median(length[seen], np.abs(rest))
        found_RE[seen, epoch] = rest / np.maximum(spread, _LEAST)
    return found_RE


def _without(losses: Floats, along: list[Floats]) -> Floats:
    """What is left of losses when the running medians along all of these are taken out (backfitting)."""
    parts = [np.zeros(len(losses)) for _ in along]
    for _ in range(_ROUNDS):
        for number, values in enumerate(along):
            rest = losses - sum(part for other, part in enumerate(parts) if other != number)
            parts[number] = running_median(values, rest)
    return np.asarray(losses - sum(parts), np.float64)


def running_median(along: Floats, values: Floats) -> Floats:
    """The median of the values near each place: of blocks of equal size in the order of `along`, a straight line from
    the middle of one to that of the next."""
    if not len(values):
        return values
    order = np.argsort(along, kind="stable")
    blocks = np.array_split(order, min(_BLOCKS, max(1, len(order) // _BLOCK)))
    middles = np.array([np.median(along[block]) for block in blocks])
    medians = np.array([np.median(values[block]) for block in blocks])
    places, first = np.unique(middles, return_inverse=True)
    medians = np.bincount(first, medians) / np.bincount(first)  # blocks of the same value are one
    return np.asarray(np.interp(along, places, medians), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Figures of each row, (R,) each; those that one visit cannot tell are NaN.

    Attributes:
        visits: how many.
        first, last, mean: losses, nats per trained token.
        spread: standard deviation of the losses of the visits.
        slope: nats per epoch of a straight line through them; below 0: it is being learned.
        standing: mean over the visits, in standard deviations; above 0: worse than others at the same stage.
        kinds: as in `KINDS`.
    """

    visits: Numbers
    first: Floats
    last: Floats
    mean: Floats
    spread: Floats
    slope: Floats
    standing: Floats
    kinds: tuple[Kind, ...]


def trajectories(visits: Visits, standing_RE: Floats, *, held_out: float | None = None) -> Trajectories:
    """The figures and the kind of each row.

    - never learned: at every visit in the worst tenth of its stage, and from first to last its loss fell by less than
      half as much as that of the row in the middle; learned at once: at every visit in the best tenth.
    - forgotten: after a visit that was better than the median, a later loss is higher, by four standard deviations more
      than the others' losses changed.
    - memorised: the last loss is below a quarter of what an unseen row of its length gets at the end, and the first was
      above half of it.

    Args:
        held_out: the last loss of held-out rows, nats per token; None: nothing is called memorised.
    """
    losses_RE, counts = visits.loss_RE, visits.counts
    several = counts > 1
    seen = np.isfinite(losses_RE)
    rows = np.arange(len(losses_RE))
    first = losses_RE[rows, seen.argmax(axis=1)]
    last = losses_RE[rows, seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)]
    mean = np.nansum(losses_RE, axis=1) / counts
    apart_RE = np.where(seen, losses_RE - mean[:, None], 0.0)
    epochs_RE = np.where(seen, np.arange(seen.shape[1], dtype=np.float64), 0.0)
    epochs_RE = np.where(seen, epochs_RE - (epochs_RE.sum(axis=1) / counts)[:, None], 0.0)
    squares = np.where(several, (epochs_RE**2).sum(axis=1), 1.0)
    return Trajectories(
        visits=counts,
        first=first,
        last=last,
        mean=mean,
        spread=np.where(several, np.sqrt((apart_RE**2).sum(axis=1) / counts), np.nan),
        slope=np.where(several, (epochs_RE * apart_RE).sum(axis=1) / squares, np.nan),
        standing=np.nansum(standing_RE, axis=1) / counts,
        kinds=_kinds(visits, standing_RE, (first, last), held_out=held_out),
    )


def _kinds(
    visits: Visits, standing_RE: Floats, ends: tuple[Floats, Floats], *, held_out: float | None
) -> tuple[Kind, ...]:
    unseen = ~np.isfinite(standing_RE)
    found = np.full(len(standing_RE), "ordinary", dtype="<U16")
    found[((standing_RE < -_FAR) | unseen).all(axis=1)] = "learned at once"
    fall = ends[0] - ends[1]
    stays = fall < np.median(fall) / 2 if len(fall) else np.zeros(0, np.bool_)
    found[((standing_RE > _FAR) | unseen).all(axis=1) & stays] = "never learned"
    found[_forgotten(visits.loss_RE, standing_RE)] = "forgotten"
    if held_out is not None and len(found):
        first, last = ends
        usual = running_median(visits.weights, first)
        usual *= held_out / max(float(np.average(usual, weights=visits.weights)), 1e-9)
        found[(last < _MEMORISED * usual) & (first > usual / 2)] = "memorised"
    found[visits.counts == 1] = "seen once"
    return tuple(found.tolist())


def _forgotten(losses_RE: Floats, standing_RE: Floats) -> npt.NDArray[np.bool_]:
    """Rows whose loss rises, and more than others' losses do, after a visit at which they were learned."""
    found = np.zeros(len(losses_RE), np.bool_)
    best = np.full((2, len(losses_RE)), np.inf)  # loss and standing of the lowest loss so far
    for loss, standing in zip(losses_RE.T, standing_RE.T, strict=True):
        found |= (best[1] < 0) & (loss > best[0]) & (standing - best[1] > _RELAPSE)
        lower = loss < best[0]
        best = np.where(lower, [loss, standing], best)
    return found
