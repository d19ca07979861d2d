"""Several sources in chosen shares: which rows, with repeats, make up one epoch.

`epoch_rows` decides how many rows each source gives, `mixture` draws them.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.recipe import DataSection, Source

Counts = npt.NDArray[np.int64]


def epoch_rows(section: DataSection, counts: Sequence[int]) -> Counts:
    """How many rows of each source make up one epoch, int64, (sources of `section.trained`).

    Sources with `rows` give exactly that many. The others have together as many rows as they hold, and share them:

    - without weights and temperature, each source gives all of its rows once;
    - with weights, source i gets w_i / sum(w), where w_i is its weight, or, for a source without one, its part of their
      rows;
    - with a temperature T, source i gets a share in proportion to counts_i ** (1 / T): at 1 the sources as they are, at
      large T equal shares (Devlin et al. 2018 call 1 / T the exponent S).

    In mode continual this holds among the domain sources. The general ones get `replay_share` of the epoch's rows, at
    least one row, shared among them in the same way. Shares become whole rows by largest remainders, so each is met
    within one row.

    Args:
        counts: usable rows of each source of `section.trained`.

    Raises:
        DataError: a share for a source that has no usable row.
    """
    sources = section.trained
    assert len(sources) == len(counts)
    held: Counts = np.asarray(counts, dtype=np.int64)
    _refuse_share_of_nothing(section, held)
    is_replay = np.array([section.mode == "continual" and one.role == "general" for one in sources], dtype=bool)
    wanted = np.zeros_like(held)
    wanted[~is_replay] = _of_group(_chosen(sources, ~is_replay), held[~is_replay], temperature=section.temperature)
    if is_replay.any():
        share = section.replay_share
        total = max(1, round(int(wanted.sum()) * share / (1 - share)))
        shares = _shares(_chosen(sources, is_replay), held[is_replay], temperature=section.temperature)
        wanted[is_replay] = _apportion(total, shares)
    return wanted


def _chosen(sources: Sequence[Source], mask: npt.NDArray[np.bool_]) -> list[Source]:
    return [source for source, is_in in zip(sources, mask, strict=True) if is_in]


def _refuse_share_of_nothing(section: DataSection, held: Counts) -> None:
    for source, count in zip(section.trained, held, strict=True):
        asked = {"weight": source.weight, "rows": source.rows}
        key = next((key for key, value in asked.items() if value is not None), None)
        if count == 0 and key is not None:
            raise DataError(
                f"{key} {asked[key]}, but no usable row",
                code="no-rows",
                place=f"data.sources[{section.sources.index(source)}]",
                remedy=f"mend the source or remove its {key}",
            )
    general = [int(count) for one, count in zip(section.trained, held, strict=True) if one.role == "general"]
    if section.mode == "continual" and sum(general) == 0:
        raise DataError(
            f"data.mode is continual with a replay of {section.replay_share:.1%}, but the general sources have no "
            "usable row",
            code="no-rows",
            place="data.sources",
            remedy="mend the general sources, or --set data.mode=domain",
        )


def _of_group(sources: Sequence[Source], held: Counts, *, temperature: float | None) -> Counts:
    """Rows of sources that share: fixed numbers as they are, the others by their shares of what they hold together."""
    wanted = np.array([one.rows or 0 for one in sources], dtype=np.int64)
    free = np.array([one.rows is None for one in sources], dtype=bool)
    shares = _shares(_chosen(sources, free), held[free], temperature=temperature)
    wanted[free] = _apportion(int(held[free].sum()), shares)
    return wanted


def _shares(sources: Sequence[Source], held: Counts, *, temperature: float | None) -> npt.NDArray[np.float64]:
    """Shares of sources, not yet divided by their sum."""
    if temperature is not None:
        # Divided first: a large number to the power of 1 / T overflows where T is small.
        shares: npt.NDArray[np.float64] = (held / max(1, held.max(initial=0))) ** (1 / temperature)
        return shares
    if all(one.weight is None for one in sources):
        return held.astype(np.float64)
    parts = held / held.sum()
    return np.array([part if one.weight is None else one.weight for one, part in zip(sources, parts, strict=True)])


def _apportion(total: int, shares: npt.NDArray[np.float64]) -> Counts:
    """Whole numbers that add up to `total`, in proportion to the shares (largest remainder, Hamilton)."""
    if total == 0:
        return np.zeros(len(shares), dtype=np.int64)
    exact = total * (shares / shares.sum())
    whole: Counts = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(whole - exact, kind="stable")
    whole[by_remainder[: total - int(whole.sum())]] += 1
    return whole


def mixture(counts: Sequence[int], wanted: Sequence[int] | Counts, *, seed: int) -> Counts:
    """The rows of one epoch as pairs (source, row within the source), by source and then by row; int64, (rows, 2).

    A source that gives more rows than it has is repeated as a whole, and the remainder is drawn without replacement by
    the seed; a row stands there at most once more than another of its source.

    Args:
        counts: usable rows of each source.
        wanted: rows of each source in the epoch (`epoch_rows`); none of a source without rows.
    """
    assert len(counts) == len(wanted)
    parts = [_rows(source, counts[source], wanted=int(wanted[source]), seed=seed) for source in range(len(counts))]
    return np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.int64)


def _rows(source: int, count: int, *, wanted: int, seed: int) -> Counts:
    """`wanted` rows of a source: whole repeats and a seeded sample."""
    repeats, rest = divmod(wanted, count) if count else (0, 0)
    sample = np.random.default_rng([seed, source]).permutation(count)[:rest]
    rows = np.sort(np.concatenate([np.tile(np.arange(count), repeats), sample]))
    return np.stack([np.full(wanted, source), rows], axis=1).astype(np.int64)
