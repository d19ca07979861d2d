"""The page of a curation: what came in, what stays, and why the rest does not; everything from data is escaped."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from tutelage.report import wording
from tutelage.report.data_content import Cluster, DataReport, DroppedRow, KeptRow, Leak, Row, Stage, Tag
from tutelage.report.data_figures import calibration_figure, lengths_figure, score_figure
from tutelage.report.markup import environment

# The page stays small whatever the set: so many of each are shown, and so many characters of rows in all.
_ROWS_PER_REASON, _REASONS, _KEPT, _LEAKS, _CLUSTERS, _MEMBERS, _TAGS, _EXAMPLES = 5, 24, 20, 20, 10, 5, 20, 3
_PICTURES = 12
_CHARACTERS = 160_000
_SHORTEST_LIMIT, _LONGEST_LIMIT = 200, 2_000  # characters of one text
_TEXTS = {"prompt", "answer", "passage"}  # fields that hold texts of rows

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True)
class Gallery:
    """The rows that the page shows. `dropped`: by (stage, reason), as the losses are ordered."""

    dropped: Mapping[tuple[str, str], tuple[DroppedRow, ...]]
    kept: tuple[KeptRow, ...]
    clusters: tuple[Cluster, ...]
    leaks: tuple[Leak, ...]
    tags: tuple[Tag, ...]

    def rows(self) -> Iterator[Row]:
        """All of them."""
        yield from (one.row for group in self.dropped.values() for one in group)
        yield from (one.row for one in self.kept)
        for cluster in self.clusters:
            yield from (cluster.kept, *(one.row for one in cluster.dropped))
        for leak in self.leaks:
            yield from (leak.row, leak.question)
        yield from (row for tag in self.tags for row in tag.examples)

    @property
    def limit(self) -> int:
        """Characters of one text, so that all together stay small."""
        texts = 2 * sum(1 for _ in self.rows())
        return max(_SHORTEST_LIMIT, min(_LONGEST_LIMIT, _CHARACTERS // max(texts, 1)))


def write(report: DataReport, path: Path) -> Path:
    """Write the page to `path`; the path. At most some 2 MB, whatever the report holds."""
    path.write_text(html(report), encoding="utf-8")
    return path


def html(report: DataReport) -> str:
    """The whole page as one text: no file and no address beside it is needed to read it."""
    shown = gallery(report)
    return (
        environment()
        .get_template("data_page.jinja")
        .render(
            report=report,
            name=report.name,
            verdict=verdict(report),
            funnel=tuple(pairwise(report.stages)),
            shown=shown,
            limit=shown.limit,
            lengths=[_drawn(lengths_figure, one, one.histogram.before) for one in report.lengths[:_PICTURES]],
            scores=[_drawn(score_figure, one, one.histogram.before) for one in report.scores[:_PICTURES]],
            calibration=[_drawn(calibration_figure, one, one.real) for one in report.calibration[:_PICTURES]],
            left_out=_left_out(report),
        )
    )


def summary(report: DataReport) -> dict[str, Any]:
    """The report's figures as JSON types. A row is named by its place; its texts are in the files that were written.
    A number that JSON cannot hold is null."""
    return {"verdict": verdict(report), **asdict(report, dict_factory=_figures)}


def verdict(report: DataReport) -> str:
    """The outcome in one sentence or two, with its figures."""
    if not report.read:
        return "No row was read, so there is nothing to report."
    rows = "row was" if report.read == 1 else "rows were"
    stay = "stays" if report.stayed == 1 else "stay"
    share = wording.share_of(report.stayed, report.read)
    first = f"{report.read:,} {rows} read, {report.stayed:,} ({share}) {stay}."
    lost = sorted(_losses(report.stages), key=lambda one: -one[1])[:3]
    if not lost:
        return f"{first} None was dropped."
    return f"{first} Dropped most: {', '.join(f'{count:,} by {name}' for name, count in lost)}."


def gallery(report: DataReport) -> Gallery:
    """The rows that are shown: so many that a page can be read."""
    groups: dict[tuple[str, str], tuple[DroppedRow, ...]] = {(one.stage, one.reason): () for one in report.losses}
    for one in report.dropped:
        key = (one.stage, one.reason)
        groups[key] = (*groups.get(key, ()), one)[:_ROWS_PER_REASON]
    shown = [(key, rows) for key, rows in groups.items() if rows][:_REASONS]
    clusters = report.duplicates.largest[:_CLUSTERS] if report.duplicates else ()
    tags = report.safety.tags[:_TAGS] if report.safety else ()
    return Gallery(
        dropped=dict(shown),
        kept=report.kept[:_KEPT],
        clusters=tuple(replace(one, dropped=one.dropped[:_MEMBERS]) for one in clusters),
        leaks=report.contamination.leaks[:_LEAKS] if report.contamination else (),
        tags=tuple(replace(one, examples=one.examples[:_EXAMPLES]) for one in tags),
    )


def _losses(stages: tuple[Stage, ...]) -> list[tuple[str, int]]:
    return [(after.name, before.rows - after.rows) for before, after in pairwise(stages) if before.rows > after.rows]


def _left_out(report: DataReport) -> list[str]:
    """Parts that the run did not look at, in words."""
    parts = {
        "lengths": report.lengths,
        "quality": report.scores,
        "calibration of relevance": report.calibration,
        "coverage": report.coverage,
        "duplicates": report.duplicates,
        "contamination": report.contamination,
        "personal data and tags": report.safety,
        "mixture": report.mixture,
    }
    return [name for name, part in parts.items() if not part]


def _figures(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A record as JSON types, without the texts of rows."""
    return {name: _number_or_null(value) for name, value in pairs if name not in _TEXTS}


def _number_or_null(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_number_or_null(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _drawn(draw: Callable[[Drawn], str], of: Drawn, counts: Sequence[int]) -> tuple[Drawn, Markup]:
    """Something with its picture, which is empty where there is nothing to draw."""
    return of, Markup(draw(of) if any(counts) else "")
