"""What a set covers: its labels on each axis and where two axes cross, how even they are, what is missing, and lengths.

Counted row by row in constant memory. Counts of parts of a set add up (`merge`). As long as an axis has no more than
100 labels, neither the order of the rows nor how they were parted changes the result.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import combinations
from math import log2
from typing import Any, TypeVar

from xxhash import xxh64_intdigest

from tutelage.curate.sample import Sample
from tutelage.curate.taxonomy import AXES, UNKNOWN, Labels, names
from tutelage.text import count_words

OTHER = "(other)"  # labels beyond `_DISTINCT`, as a column of free text would have

_DISTINCT = 100  # labels that are told apart on one axis
_EXPECTED = 5.0  # rows that independence must expect of a crossing before its absence says something
_RARE = 0.25  # of the expected rows: fewer make a hole
_SHOWN = 300  # characters of an example
_CROSSINGS = tuple(combinations(AXES, 2))

Cell = tuple[str, str]
_Key = TypeVar("_Key", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Axis:
    """The labels of one axis.

    Attributes:
        counts: label -> rows, the most frequent first; without `unknown`.
        unknown: rows without a label.
        entropy: of the labels, in bits.
        evenness: the entropy divided by that of equally frequent labels (Pielou's J); 1 is even, 0 is one label only.
            The labels are those of the taxonomy and whatever else the set has.
        imbalance: rows of the most frequent label for each of the rarest that occurs.
        missing: labels of the taxonomy that no row has.
    """

    name: str
    counts: Mapping[str, int]
    unknown: int
    entropy: float
    evenness: float
    imbalance: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A crossing of two labels that is missing or rare.

    Attributes:
        expected: rows that it would have if the axes were independent: (rows of one) x (rows of other) / rows.
    """

    axes: Cell
    labels: Cell
    rows: int
    expected: float


@dataclass(frozen=True, slots=True)
class Example:
    """The beginning of a prompt, and where it stands."""

    place: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the texts of one language are, in words.

    Attributes:
        prompts, answers: rows by length: first length of a bin -> rows; bins are 0, 1, 2 to 3, 4 to 7, 8 to 15, ...
        mean_prompt, mean_answer: words.
    """

    language: str
    rows: int
    prompts: Mapping[int, int]
    answers: Mapping[int, int]
    mean_prompt: float
    mean_answer: float


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What a set covers.

    Attributes:
        crossings: pair of axes -> pair of labels -> rows, `unknown` included.
        holes: the largest shortage first.
        examples: (type, domain) -> a few rows, drawn by the seed.
    """

    rows: int
    axes: Mapping[str, Axis]
    crossings: Mapping[Cell, Mapping[Cell, int]]
    holes: tuple[Hole, ...]
    examples: Mapping[Cell, tuple[Example, ...]]
    lengths: Mapping[str, Lengths]

    def summary(self) -> dict[str, Any]:
        """The report as JSON types; crossings as `type x domain` -> `code x business` -> rows."""
        return {
            "rows": self.rows,
            "axes": {
                name: {
                    "counts": dict(axis.counts),
                    "unknown": axis.unknown,
                    "entropy": round(axis.entropy, 4),
                    "evenness": round(axis.evenness, 4),
                    "imbalance": round(axis.imbalance, 2),
                    "missing": list(axis.missing),
                }
                for name, axis in self.axes.items()
            },
            "crossings": {
                _crossed(axes): {_crossed(labels): rows for labels, rows in cells.items()}
                for axes, cells in self.crossings.items()
            },
            "holes": [
                {
                    "axes": _crossed(hole.axes),
                    "labels": _crossed(hole.labels),
                    "rows": hole.rows,
                    "expected": round(hole.expected, 1),
                }
                for hole in self.holes
            ],
            "examples": {
                _crossed(cell): [{"place": one.place, "prompt": one.prompt} for one in examples]
                for cell, examples in self.examples.items()
            },
            "lengths": {language: _length_summary(lengths) for language, lengths in self.lengths.items()},
        }


def _crossed(pair: Cell) -> str:
    return " x ".join(pair)


def _length_summary(lengths: Lengths) -> dict[str, Any]:
    return {
        "rows": lengths.rows,
        "prompts": {str(start): rows for start, rows in lengths.prompts.items()},
        "answers": {str(start): rows for start, rows in lengths.answers.items()},
        "mean_prompt": round(lengths.mean_prompt, 1),
        "mean_answer": round(lengths.mean_answer, 1),
    }


class Coverage:
    """Counts of labels and lengths, row by row. Memory depends on the number of labels, not of rows.

    Args:
        examples: rows shown of each crossing of type and domain.
        seed: decides which. They are those with the smallest hashes: a fair draw, whatever the order of the rows.
    """

    def __init__(self, *, examples: int = 3, seed: int = 0) -> None:
        self._shown, self._seed = examples, seed
        self._rows = 0
        self._counts: dict[str, Counter[str]] = {axis: Counter() for axis in AXES}
        self._crossings: dict[Cell, Counter[Cell]] = {axes: Counter() for axes in _CROSSINGS}
        self._examples: dict[Cell, list[tuple[int, str, str]]] = {}  # heaps of (-hash, place, prompt)
        self._prompts: dict[str, Counter[int]] = {}
        self._answers: dict[str, Counter[int]] = {}
        self._words: Counter[tuple[str, str]] = Counter()

    def add(self, labels: Labels, sample: Sample, *, place: str) -> None:
        """Count a row. `place` says where it stands, for the examples."""
        self._rows += 1
        row = {axis: self._known(axis, label) for axis, label in _by_axis(labels)}
        for axis, label in row.items():
            self._counts[axis][label] += 1
        for one, other in _CROSSINGS:
            self._crossings[one, other][row[one], row[other]] += 1
        digest = xxh64_intdigest(sample.prompt.encode(errors="replace"), seed=self._seed)
        self._show((row["type"], row["domain"]), (-digest, place, sample.prompt[:_SHOWN]))
        self._measure(sample)

    def merge(self, other: "Coverage") -> None:
        """Add the counts of another part of the set, made with the same `examples` and `seed`."""
        assert (self._shown, self._seed) == (other._shown, other._seed)
        self._rows += other._rows
        for axis, counts in other._counts.items():
            self._counts[axis].update(counts)
        for axes, cells in other._crossings.items():
            self._crossings[axes].update(cells)
        for cell, shown in other._examples.items():
            for one in shown:
                self._show(cell, one)
        for mine, theirs in ((self._prompts, other._prompts), (self._answers, other._answers)):
            for language, bins in theirs.items():
                mine.setdefault(language, Counter()).update(bins)
        self._words.update(other._words)

    def report(self) -> CoverageReport:
        """What has been counted so far."""
        axes = {axis: _axis(axis, counts) for axis, counts in self._counts.items()}
        examples = {
            cell: tuple(Example(place, prompt) for _, place, prompt in sorted(shown, reverse=True))
            for cell, shown in sorted(self._examples.items())
        }
        crossings = {axes: _ordered(cells) for axes, cells in self._crossings.items()}
        lengths = {language: self._lengths(language) for language in sorted(self._prompts)}
        return CoverageReport(self._rows, axes, crossings, _holes(self._crossings), examples, lengths)

    def _known(self, axis: str, label: str) -> str:
        """The label, or `(other)` where the axis has too many already."""
        counts = self._counts[axis]
        return label if label in counts or label in names(axis) or len(counts) < _DISTINCT else OTHER

    def _show(self, cell: Cell, example: tuple[int, str, str]) -> None:
        shown = self._examples.setdefault(cell, [])
        if len(shown) < self._shown:
            heappush(shown, example)
        elif shown:
            heappushpop(shown, example)

    def _measure(self, sample: Sample) -> None:
        language = sample.language
        for side, text, histogram in (
            ("prompt", sample.prompt, self._prompts),
            ("answer", sample.answer, self._answers),
        ):
            count = count_words(text)
            histogram.setdefault(language, Counter())[1 << count.bit_length() >> 1] += 1
            self._words[language, side] += count

    def _lengths(self, language: str) -> Lengths:
        prompts, answers = self._prompts[language], self._answers[language]
        rows = prompts.total()
        means = (self._words[language, side] / rows for side in ("prompt", "answer"))
        return Lengths(language, rows, dict(sorted(prompts.items())), dict(sorted(answers.items())), *means)


def _by_axis(labels: Labels) -> Iterable[tuple[str, str]]:
    """The labels of a row by axis, in the order of AXES."""
    return zip(AXES, (labels.type, labels.domain, labels.difficulty, labels.style), strict=True)


def entropy(counts: Iterable[int]) -> float:
    """Shannon's entropy of a distribution given by counts, in bits; 0 where nothing was counted."""
    kept = [count for count in counts if count]
    total = sum(kept)
    return sum(count / total * log2(total / count) for count in kept)


def _axis(name: str, counts: Mapping[str, int]) -> Axis:
    known = {label: rows for label, rows in _ordered(counts).items() if label != UNKNOWN}
    possible = len({*names(name), *known})
    bits = entropy(known.values())
    return Axis(
        name,
        known,
        counts.get(UNKNOWN, 0),
        entropy=bits,
        evenness=bits / log2(possible) if possible > 1 else 0.0,
        imbalance=max(known.values()) / min(known.values()) if known else 0.0,
        missing=tuple(label for label in names(name) if label not in known),
    )


def _ordered(counts: Mapping[_Key, int]) -> dict[_Key, int]:
    """The most frequent first, the same whatever the order of counting."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _holes(crossings: Mapping[Cell, Mapping[Cell, int]]) -> tuple[Hole, ...]:
    """Crossings of known labels with far fewer rows than independence of the axes expects."""
    holes = list[Hole]()
    for axes, cells in crossings.items():
        known = {pair: rows for pair, rows in cells.items() if UNKNOWN not in pair}
        total = sum(known.values())
        ones, others = Counter[str](), Counter[str]()
        for (one, other), rows in known.items():
            ones[one] += rows
            others[other] += rows
        for one in ones:
            for other in others:
                rows, expected = known.get((one, other), 0), ones[one] * others[other] / total
                if expected >= _EXPECTED and rows < _RARE * expected:
                    holes.append(Hole(axes, (one, other), rows, expected))
    return tuple(sorted(holes, key=lambda hole: (hole.rows - hole.expected, hole.axes, hole.labels)))
