"""The data map of a run, from the losses of its rows: `data_map.jsonl`, a line for each trained row in reading order,
and `data_map.json`, the counts and the most suspicious rows for the report."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from tutelage.curate.sample import Sample, sample
from tutelage.data import read_entries
from tutelage.evaluation.data_map.fit import FEWEST, Fit, fit_of
from tutelage.evaluation.data_map.suspicion import Suspicion, suspicion
from tutelage.evaluation.data_map.trajectory import (
    KINDS,
    Trajectories,
    Visits,
    standings,
    trajectories,
    visits_of,
)
from tutelage.records import Entry, Place
from tutelage.run.metrics import METRICS, read_metrics
from tutelage.run.prepare import LEDGER, Prepared
from tutelage.run.row_log import read_row_log
from tutelage.run.rows import RowReader

DATA_MAP, DATA_MAP_SUMMARY = "data_map.jsonl", "data_map.json"
MOST_SUSPICIOUS = 20
_JUDGED = 100_000  # rows at most whose answers are held against their prompts: those of the highest losses
_AT_ONCE, _BYTES = 2_000, 1 << 24  # rows, and their bytes, that are read together
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DataMap:
    """What is known of the rows of a run, (R,) each, in the order of `visits.rows`.

    Attributes:
        fit: how answers fit their prompts; None where it could not be learned, or the texts are gone.
        held_out: the last held-out loss, nats per token; None where none was measured.
    """

    visits: Visits
    figures: Trajectories
    suspicion: Suspicion
    fit: Fit | None
    held_out: float | None


def write_data_map(output: Path, prepared: Prepared) -> dict[str, Any]:
    """The data map of a run that has ended, written into its folder.

    Returns:
        The content of `data_map.json` (`summary`).

    Raises:
        DataError: the run has no log of row losses.
    """
    visits = _visits(output)
    alone = standings(visits)
    reader = RowReader(prepared.store.folder)
    found = _map(visits, _fit(reader, visits, alone), held_out=_held_out(output))
    return _written(output, found, prepared.ledger.entries())


def recomputed(output: Path) -> dict[str, Any]:
    """The data map made anew from a run's folder alone: its row losses, its ledger, its metrics, and what the map that
    was there said of answers and prompts. Written into the folder again.

    Returns:
        The content of `data_map.json` (`summary`).

    Raises:
        DataError: the run has no log of row losses.
    """
    visits = _visits(output)
    found = _map(visits, _kept_fit(output, visits), held_out=_held_out(output))
    return _written(output, found, read_entries(output / LEDGER))


def _visits(output: Path) -> Visits:
    return visits_of(*read_row_log(output))


def _map(visits: Visits, fit: Fit | None, *, held_out: float | None) -> DataMap:
    standing_RE = standings(visits, fit.rarity if fit else None)
    figures = trajectories(visits, standing_RE, held_out=held_out)
    return DataMap(visits, figures, suspicion(figures.standing, fit.odds if fit else None), fit, held_out)


def _held_out(output: Path) -> float | None:
    if not (output / METRICS).exists():
        return None
    losses = [line["eval_loss"] for line in read_metrics(output) if "eval_loss" in line]
    return float(losses[-1]) if losses else None


def _fit(reader: RowReader, visits: Visits, standing_RE: Floats) -> Fit | None:
    """How the answers fit, of the rows with the highest losses where there are many; NaN for the others."""
    height = np.nan_to_num(standing_RE).sum(axis=1) / np.maximum(visits.counts, 1)
    chosen = np.sort(np.argsort(-height, kind="stable")[:_JUDGED])
    fit = fit_of(list(_samples(reader, visits.rows[chosen])))
    if fit is None:
        return None
    odds = np.full(len(visits.rows), np.nan)
    rarity = np.full(len(visits.rows), np.median(fit.rarity))
    odds[chosen], rarity[chosen] = fit.odds, fit.rarity
    return Fit(odds, rarity, fit.auc)


def _samples(reader: RowReader, rows: npt.NDArray[np.int64]) -> Iterator[Sample]:
    """Prompts and answers of some rows, in their order; their language is not asked for."""
    wanted = np.isin(reader.rows, rows)
    for start, stop in reader.parts(_AT_ONCE, size=_BYTES):
        for conversation, is_wanted in zip(reader.part(start, stop), wanted[start:stop], strict=True):
            if is_wanted:
                yield sample(conversation, "und")


def _kept_fit(output: Path, visits: Visits) -> Fit | None:
    """What the map in the folder says of answers and prompts; None where there is none, or it is of other rows."""
    path = output / DATA_MAP
    if not path.exists():
        return None
    with path.open("rb") as file:
        kept = [(line["row"], line["suspicion"]["from_fit"], line["rarity"]) for line in map(orjson.loads, file)]
    rows, odds, rarity = np.array(kept, np.float64).reshape(-1, 3).T
    if not np.array_equal(rows, visits.rows) or not np.isfinite(odds).any():
        return None
    return Fit(odds, rarity, np.nan)


def _written(output: Path, found: DataMap, entries: Iterable[Entry]) -> dict[str, Any]:
    order = np.argsort(-found.suspicion.total, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    shown: list[dict[str, Any]] = []
    work = (output / DATA_MAP).with_suffix(".tmp")
    with work.open("wb") as file:
        for at, place in _places(found.visits, entries):
            line = _line(found, at, place=place, rank=int(rank[at]))
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            if line["rank"] <= MOST_SUSPICIOUS:
                shown.append(line)
    work.replace(output / DATA_MAP)
    told = summary(found) | {"suspicious": sorted(shown, key=lambda line: int(line["rank"]))}
    (output / DATA_MAP_SUMMARY).write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
    return told


def _places(visits: Visits, entries: Iterable[Entry]) -> Iterator[tuple[int, Place]]:
    """Position of each visited row and where it was read; a ledger is in reading order, and so are visits."""
    at = 0
    for entry in entries:
        if at < len(visits.rows) and entry.row == visits.rows[at]:
            yield at, entry.place
            at += 1


def _line(found: DataMap, at: int, *, place: Place, rank: int) -> dict[str, Any]:
    figures, doubt, fit = found.figures, found.suspicion, found.fit
    seen = np.isfinite(found.visits.loss_RE[at])
    return {
        "row": int(found.visits.rows[at]),
        "file": place.file,
        "line": place.line,
        "kind": figures.kinds[at],
        "rank": rank,
        "suspicion": {
            "total": _rounded(doubt.total[at]),
            "from_loss": _rounded(doubt.from_loss[at]),
            "from_fit": _rounded(fit.odds[at]) if fit else None,
        },
        "visits": int(figures.visits[at]),
        "losses": [_rounded(loss) for loss in found.visits.loss_RE[at, seen].tolist()],
        "mean": _rounded(figures.mean[at]),
        "spread": _rounded(figures.spread[at]),
        "slope": _rounded(figures.slope[at]),
        "standing": _rounded(figures.standing[at]),
        "weight": _rounded(found.visits.weights[at]),
        "rarity": _rounded(fit.rarity[at]) if fit else None,
    }


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def summary(found: DataMap) -> dict[str, Any]:
    """Counts and quantiles of a map: rows, visits, kinds, losses of the first and the last visit, what the suspicion
    was made of, and what could not be said."""
    figures, fit = found.figures, found.fit
    counts = Counter(figures.kinds)
    ends = {"first": figures.first, "last": figures.last}
    return {
        "rows": len(found.visits.rows),
        "visits": int(figures.visits.sum()),
        "kinds": {kind: counts[kind] for kind in KINDS},
        "held_out_loss": found.held_out,
        "quantiles": {name: _quantiles(losses) for name, losses in ends.items()},
        "suspicion": {
            "rows_judged_by_fit": int(np.isfinite(fit.odds).sum()) if fit else 0,
            "fit_auc": _rounded(fit.auc) if fit else None,
            "per_standard_deviation_of_loss": _rounded(found.suspicion.slope),
        },
        "untold": list(_untold(found)),
    }


def _quantiles(losses: Floats) -> dict[str, float | None]:
    if not len(losses):
        return {}
    return {f"{share:g}": _rounded(np.quantile(losses, share)) for share in _QUANTILES}


def _untold(found: DataMap) -> Iterator[str]:
    once = int((found.visits.counts == 1).sum())
    if once:
        yield f"{once:,} rows were seen once: whether they were learned or forgotten cannot be said"
    if found.held_out is None:
        yield "no held-out loss was measured: whether rows are memorised cannot be said"
    if found.fit is None:
        yield (
            f"whether answers fit their prompts is not known (fewer than {FEWEST} rows with both, or their texts are "
            "gone): rows are suspected by their losses alone"
        )
    elif missing := int(np.isnan(found.fit.odds).sum()):
        yield f"{missing:,} rows are suspected by their losses alone: no prompt, no answer, or not among those judged"
