"""From the data map in a run's folder to what its report says of the rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tutelage.curate.sample import sample
from tutelage.evaluation.data_map.trajectory import KINDS
from tutelage.evaluation.data_map.trajectory import Kind as KindName
from tutelage.report.data_map import DataMap, Kind, Suspect
from tutelage.run.mapping import DATA_MAP, DATA_MAP_SUMMARY
from tutelage.run.rows import RowReader

MOST_DOTS = 300  # of one kind in the picture
BEGINNING = 400  # characters of a suspicious row's prompt and answer

Dots = dict[str, list[tuple[float, float]]]


def lessons(output: Path, rows: RowReader) -> DataMap | None:
    """What the losses tell of the rows; None where the run has no data map, or no row in it."""
    if not (output / DATA_MAP_SUMMARY).exists() or not (output / DATA_MAP).exists():
        return None
    summary = json.loads((output / DATA_MAP_SUMMARY).read_text(encoding="utf-8"))
    if not summary["rows"]:
        return None
    dots = _dots(output / DATA_MAP)
    return DataMap(
        rows=summary["rows"],
        visits=summary["visits"],
        fit_auc=summary["suspicion"]["fit_auc"],
        kinds=tuple(_kind(name, summary["kinds"][name], dots) for name in KINDS),
        suspects=tuple(_suspects(summary["suspicious"], rows)),
        untold=tuple(summary["untold"]),
    )


def _dots(path: Path) -> Dots:
    """Kind -> mean and spread of the losses of its rows that were seen more than once."""
    dots: Dots = {}
    with path.open("rb") as file:
        for line in map(orjson.loads, file):
            if line["spread"] is not None:
                dots.setdefault(line["kind"], []).append((line["mean"], line["spread"]))
    return dots


def _kind(name: KindName, count: int, dots: Dots) -> Kind:
    of = dots.get(name, [])
    chosen = np.random.default_rng(0).permutation(len(of))[:MOST_DOTS].tolist()
    return Kind(name, count, tuple(of[at][0] for at in chosen), tuple(of[at][1] for at in chosen))


def _suspects(lines: list[dict[str, Any]], rows: RowReader) -> Iterator[Suspect]:
    for line in lines:
        of, shown = line["suspicion"], sample(rows[line["row"]], "und")
        yield Suspect(
            place=f"{line['file']}:{line['line']}",
            kind=line["kind"],
            losses=tuple(line["losses"]),
            suspicion=of["total"],
            from_loss=of["from_loss"],
            from_fit=of["from_fit"],
            prompt=shown.prompt[:BEGINNING],
            answer=shown.answer[:BEGINNING],
        )
