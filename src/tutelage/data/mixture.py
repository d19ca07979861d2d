"""Several sources in chosen shares: which rows, with repeats, make up one epoch."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError


def mixture(counts: Sequence[int], weights: Sequence[float | None], *, seed: int) -> npt.NDArray[np.int64]:
    """The rows of one epoch as pairs (source, row within the source), by source and then by row; int64, (rows, 2).

    Without any weight, each row stands there once. With weights, the epoch has as many rows as all sources together:
    source i gets the share w_i / sum(w), where w_i is its weight, or, for a source without one, its part of all rows
    (counts[i] / sum(counts)). Shares become whole rows by largest remainders, so each is met within one row. A source
    that gets more rows than it has is repeated as a whole, and the remainder is drawn without replacement by the seed.

    Raises:
        DataError: a weight for a source that has no usable rows.
    """
    assert len(counts) == len(weights)
    if all(weight is None for weight in weights):
        wanted = np.asarray(counts, dtype=np.int64)
    else:
        wanted = _apportion(sum(counts), _weights(counts, weights))
    parts = [_rows(source, counts[source], wanted=int(wanted[source]), seed=seed) for source in range(len(counts))]
    return np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.int64)


def _weights(counts: Sequence[int], weights: Sequence[float | None]) -> npt.NDArray[np.float64]:
    for source, (count, weight) in enumerate(zip(counts, weights, strict=True)):
        if weight is not None and count == 0:
            found = f"weight {weight}, but no usable row"
            raise DataError(
                found, code="no-rows", place=f"data.sources[{source}]", remedy="mend the source or remove its weight"
            )
    total = sum(counts)
    return np.array([count / total if w is None else w for count, w in zip(counts, weights, strict=True)])


def _apportion(total: int, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Whole numbers that add up to `total`, in proportion to the weights (largest remainder, Hamilton)."""
    exact = total * weights / weights.sum()
    whole: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(whole - exact, kind="stable")
    whole[by_remainder[: total - int(whole.sum())]] += 1
    return whole


def _rows(source: int, count: int, *, wanted: int, seed: int) -> npt.NDArray[np.int64]:
    """`wanted` rows of a source: whole repeats and a seeded sample."""
    repeats, rest = divmod(wanted, count) if count else (0, 0)
    sample = np.random.default_rng([seed, source]).permutation(count)[:rest]
    rows = np.sort(np.concatenate([np.tile(np.arange(count), repeats), sample]))
    return np.stack([np.full(wanted, source), rows], axis=1).astype(np.int64)
