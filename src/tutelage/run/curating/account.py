"""What a curation tells afterwards: counts before and after, and a few rows of each kind to look at."""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from xxhash import xxh64_intdigest

from tutelage.curate.coverage import Coverage, CoverageReport
from tutelage.curate.duplicates import Duplicate
from tutelage.curate.relevance import Told
from tutelage.curate.sample import Sample, sample
from tutelage.curate.taxonomy import AXES, UNKNOWN
from tutelage.recipe import Recipe
from tutelage.records import Conversation, Dropped
from tutelage.report import data_content as content
from tutelage.run.curating.deciding import STAGES, Cause
from tutelage.run.curating.examining import Examined, Examiner, without_personal_data
from tutelage.run.origin import origin
from tutelage.run.rows import RowReader

PER_REASON, CLUSTERS, MEMBERS, LEAKS, KEPT, PER_TAG = 5, 10, 5, 20, 20, 3  # rows that are kept for showing
BINS = 20  # of a score
MAP = ("type", "domain")
SCORES = ("overall", "completeness", "relevance", "length", "consistency")
UNDERSTANDING = "understood"
_ACTIONS = {"redact": "replaced by placeholders", "drop": "row dropped", "keep": "left as it is"}

Item = TypeVar("Item")


class Draw(Generic[Item]):
    """A few of many, the same in whatever order they come: those whose row numbers have the smallest hashes."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._drawn: list[tuple[int, int]] = []
        self._items: dict[int, Item] = {}

    def offer(self, row: int, make: Callable[[], Item]) -> None:
        """A candidate; it is made where it is drawn."""
        rank = xxh64_intdigest(row.to_bytes(8, "little"), seed=self._seed), row
        if len(self._drawn) == self._count and rank > self._drawn[-1]:
            return
        insort(self._drawn, rank)
        self._items[row] = make()
        for _, passed_over in self._drawn[self._count :]:
            del self._items[passed_over]
        del self._drawn[self._count :]

    def items(self) -> tuple[Item, ...]:
        """Those that were drawn."""
        return tuple(self._items[row] for _, row in self._drawn)


class _Half:
    """Counts over the rows that were understood, or over those that stay."""

    def __init__(self, seed: int) -> None:
        self.rows = 0
        self.sources, self.languages = Counter[int](), Counter[str]()
        self.words: dict[str, Counter[int]] = {"prompt": Counter(), "answer": Counter()}
        self.scores = {name: np.zeros(BINS, dtype=np.int64) for name in SCORES}
        self.coverage = Coverage(seed=seed)

    def add(self, row: Conversation, found: Examined, *, seen: Sample) -> None:
        """Count a row."""
        self.rows += 1
        self.sources[row.source] += 1
        self.languages[found.language] += 1
        self.words["prompt"][found.prompt_words] += 1
        self.words["answer"][found.answer_words] += 1
        for name, score in _scores(found):
            if score is not None:
                self.scores[name][min(int(score * BINS), BINS - 1)] += 1
        self.coverage.add(found.labels, seen, place=str(row.place))


def _scores(found: Examined) -> Iterator[tuple[str, float | None]]:
    of = found.scores
    yield from zip(SCORES, (of.overall, of.completeness, of.relevance, of.length, of.consistency), strict=True)


class Account:
    """Counts rows as they are entered, and makes the report of them."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._seed = recipe, recipe.seed
        self._before, self._after = _Half(recipe.seed), _Half(recipe.seed)
        self._unreadable = 0
        self._thresholds = {"completeness": recipe.curate.min_completeness, "relevance": recipe.curate.min_relevance}
        self._below = Counter[str]()
        self._losses = Counter[tuple[str, str]]()
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        self._dropped = defaultdict[tuple[str, str], Draw[content.DroppedRow]](self._draw(PER_REASON))
        self._kept: Draw[content.KeptRow] = Draw(KEPT, recipe.seed)
        self._leaks: Draw[content.Leak] = Draw(LEAKS, recipe.seed)
        self._leaking = Counter[str]()
        self._personal = defaultdict[str, list[int]](lambda: [0, 0])
        self._tags = Counter[str]()
        self._tagged = defaultdict[str, Draw[content.Row]](self._draw(PER_TAG))

    def _draw(self, count: int) -> Callable[[], "Draw[Item]"]:
        return lambda: Draw(count, self._seed)

    def unreadable(self, row: Dropped) -> None:
        """A row that could not be understood."""
        self._unreadable += 1
        cause = Cause(UNDERSTANDING, row.reason, row.detail)
        self._lose(row, content.Row(str(row.place), "", ""), cause=cause)

    def add(self, row: Conversation, found: Examined, *, cause: Cause | None) -> None:
        """A row, as it may be shown; with the cause for which it goes, or None."""
        seen = sample(row, found.language)
        shown = content.Row(str(row.place), seen.prompt, seen.answer, found.language)
        self._before.add(row, found, seen=seen)
        self._review(row, found, shown=shown)
        for name, score in _scores(found):
            self._below[name] += score is not None and score < self._thresholds.get(name, 0.0)
        if cause is None:
            self._after.add(row, found, seen=seen)
            self._kept.offer(row.row, lambda: content.KeptRow(shown, tuple(_scores(found))))
        else:
            self._lose(row, shown, cause=cause)

    def _lose(self, row: Conversation | Dropped, shown: content.Row, *, cause: Cause) -> None:
        key = (cause.stage, cause.reason)
        self._losses[key] += 1
        self._first.setdefault(key, (str(row.place), cause.detail))
        self._dropped[key].offer(row.row, lambda: content.DroppedRow(shown, *key, cause.detail))

    def _review(self, row: Conversation, found: Examined, *, shown: content.Row) -> None:
        for kind, count in found.personal.items():
            self._personal[kind][0] += count
            self._personal[kind][1] += 1
        for tag in found.tags:
            self._tags[tag] += 1
            self._tagged[tag].offer(row.row, lambda: shown)
        if (leak := found.leak) is not None:
            self._leaking[leak.name] += 1
            question = content.Row(leak.name, leak.prompt, "")
            self._leaks.offer(row.row, lambda: content.Leak(leak.name, shown, question, leak.passage, leak.share))

    def report(
        self, examiner: Examiner, rows: RowReader, *, repeated: Sequence[Duplicate], command: str
    ) -> content.DataReport:
        """The report of everything that was added."""
        section = self._recipe.curate
        return content.DataReport(
            name=", ".join(source.path for source in self._recipe.data.trained),
            stages=tuple(self._stages()),
            losses=tuple(content.Loss(*key, count, *self._first[key]) for key, count in self._losses.most_common()),
            sources=tuple(_parts(self._before.sources, self._after.sources, name=self._source)),
            languages=tuple(_parts(self._before.languages, self._after.languages, name=str)),
            origin=origin(self._recipe, command, curating=True),
            lengths=tuple(
                _lengths(of, self._before.words[of], after=self._after.words[of]) for of in ("prompt", "answer")
            ),
            scores=tuple(self._score(name) for name in SCORES),
            calibration=tuple(map(_calibration, examiner.relevance.told)),
            coverage=_coverage(self._before.coverage.report(), self._after.coverage.report()),
            duplicates=_duplicates(repeated, lambda place: _row(rows, place, redacts=examiner.redacts))
            if section.deduplicate
            else None,
            contamination=self._contamination(examiner),
            safety=self._safety(),
            dropped=tuple(one for key, _ in self._losses.most_common() for one in self._dropped[key].items()),
            kept=self._kept.items(),
        )

    def _source(self, number: int) -> str:
        return self._recipe.data.trained[number].path

    def _stages(self) -> Iterator[content.Stage]:
        left = self._before.rows + self._unreadable
        yield content.Stage("read", left)
        left = self._before.rows
        yield content.Stage(UNDERSTANDING, left)
        for stage in STAGES:
            left -= sum(count for (of, _), count in self._losses.items() if of == stage)
            yield content.Stage(stage, left)

    def _score(self, name: str) -> content.Score:
        before, after = self._before.scores[name], self._after.scores[name]
        threshold = self._thresholds.get(name)
        edges = tuple(np.linspace(0, 1, BINS + 1).tolist())
        histogram = content.Histogram(edges, _ints(before), _ints(after))
        return content.Score(name, histogram, threshold, self._below[name], self._before.rows - int(before.sum()))

    def _contamination(self, examiner: Examiner) -> content.Contamination | None:
        if examiner.evaluation is None:
            return None
        sizes = Counter(name for name, _ in examiner.evaluation.prompts)
        sets = tuple(content.EvalSet(name, size, self._leaking[name]) for name, size in sizes.items())
        return content.Contamination(sets, self._leaks.items())

    def _safety(self) -> content.Safety:
        personal = tuple(content.Personal(kind, *counts) for kind, counts in sorted(self._personal.items()))
        tags = tuple(content.Tag(tag, count, self._tagged[tag].items()) for tag, count in self._tags.most_common())
        return content.Safety(_ACTIONS[self._recipe.curate.personal_data], personal, tags)


Key = TypeVar("Key", int, str)


def _parts(before: Counter[Key], after: Counter[Key], *, name: Callable[[Key], str]) -> Iterator[content.Part]:
    for key, count in before.most_common():
        yield content.Part(name(key), count, after[key])


def _ints(counts: npt.NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(map(int, counts))


def _lengths(of: str, before: Counter[int], *, after: Counter[int]) -> content.Lengths:
    """Bins whose width doubles: 0, 1, 2 to 3, 4 to 7, ..."""
    longest = max(before, default=0)
    edges = [0, *(1 << power for power in range(longest.bit_length() + 1))]
    counts = [_ints(np.histogram(list(half), bins=edges, weights=list(half.values()))[0]) for half in (before, after)]
    return content.Lengths(
        of,
        content.Histogram(tuple(map(float, edges)), *counts),
        _median(before),
        _median(after),
        longest,
        max(after, default=0),
    )


def _median(lengths: Counter[int]) -> float:
    if not lengths:
        return 0.0
    values = np.array(sorted(lengths))
    reached = np.cumsum([lengths[int(value)] for value in values])
    return float(values[np.searchsorted(reached, reached[-1] / 2)])


def _calibration(told: Told) -> content.Calibration:
    edges = tuple(np.linspace(0, 1, len(told.real) + 1).tolist())
    label = f"{told.form}, {told.language}"
    return content.Calibration(label, told.rows, told.auc, edges, told.real, told.shuffled, told.scored)


def _coverage(before: CoverageReport, after: CoverageReport) -> content.Coverage:
    rows, columns = ([*before.axes[axis].counts, UNKNOWN] for axis in MAP)
    maps = [
        tuple(tuple(half.crossings[MAP].get((row, column), 0) for column in columns) for row in rows)
        for half in (before, after)
    ]
    axes = [
        content.Axis(
            name,
            tuple(_parts(_with_unknown(before, name), _with_unknown(after, name), name=str)),
            before.axes[name].evenness,
            after.axes[name].evenness,
        )
        for name in AXES
    ]
    holes = [content.Hole(*hole.labels, hole.rows, hole.expected) for hole in after.holes if hole.axes == MAP]
    return content.Coverage(*MAP, tuple(rows), tuple(columns), maps[0], maps[1], tuple(axes), tuple(holes))


def _with_unknown(half: CoverageReport, axis: str) -> Counter[str]:
    return Counter({**half.axes[axis].counts, UNKNOWN: half.axes[axis].unknown})


def _duplicates(repeated: Sequence[Duplicate], row: Callable[[int], content.Row]) -> content.Duplicates:
    stages, sizes = Counter(one.stage for one in repeated), Counter(one.kept for one in repeated)
    largest = [kept for kept, _ in sizes.most_common(CLUSTERS)]
    members: Mapping[int, list[Duplicate]] = {kept: [] for kept in largest}
    for one in repeated:
        if one.kept in members and len(members[one.kept]) < MEMBERS:
            members[one.kept].append(one)
    clusters = (
        content.Cluster(
            row(kept),
            1 + sizes[kept],
            tuple(content.Duplicate(row(one.row), one.stage, one.similarity) for one in members[kept]),
        )
        for kept in largest
    )
    return content.Duplicates(tuple(stages.most_common()), len(sizes), tuple(clusters))


def _row(rows: RowReader, place: int, *, redacts: bool) -> content.Row:
    (row,) = rows.part(place, place + 1)
    seen = sample(without_personal_data(row) if redacts else row, "und")
    return content.Row(str(row.place), seen.prompt, seen.answer)
