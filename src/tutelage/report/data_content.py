"""What the report of a curation says, as plain frozen records.

Counts are of rows unless said otherwise; shares, scores and similarities are in 0..1; lengths in words
(`tutelage.text`). Texts are as they came from data, but with personal data redacted: the page escapes them.
"before" is over the rows that were understood, "after" over those that stay. A part that the run left out is None or
empty.
"""

from dataclasses import dataclass

from tutelage.report.content import Origin


@dataclass(frozen=True, slots=True)
class Row:
    """A row to be shown: where it stands (`file:line`), what was asked and what was answered."""

    place: str
    prompt: str
    answer: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the funnel and how many rows go on after it; the first is what was read."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Why rows were dropped, at which stage, how many, and where the first stands."""

    stage: str
    reason: str
    count: int
    place: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind (a source, a language, a difficulty) before and after."""

    label: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between `edges`, which are one more than the counts."""

    edges: tuple[float, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of one text of the rows, as "prompt" or "answer", in words."""

    of: str
    histogram: Histogram
    median_before: float
    median_after: float
    longest_before: int
    longest_after: int


@dataclass(frozen=True, slots=True)
class Score:
    """Distribution of one score.

    Attributes:
        threshold: below it a row is dropped; None where the score decides nothing.
        below: rows under the threshold.
        unscored: rows that give no evidence; they are never dropped for it.
    """

    name: str
    histogram: Histogram
    threshold: float | None
    below: int
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well relevance tells the answers of a class of rows from answers of other rows.

    Attributes:
        label: the class, as "maths, zh".
        auc: area under the ROC curve; None where there were too few rows.
        edges, real, shuffled: histograms of the relevance of both kinds of pairs; empty where there were too few rows.
        used: rows of this class get a score.
    """

    label: str
    rows: int
    auc: float | None
    edges: tuple[float, ...]
    real: tuple[int, ...]
    shuffled: tuple[int, ...]
    used: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """The rows along one label, as "difficulty".

    Attributes:
        entropy_before, entropy_after: normalised, 1: all parts are equally large.
    """

    name: str
    parts: tuple[Part, ...]
    entropy_before: float
    entropy_after: float


@dataclass(frozen=True, slots=True)
class Hole:
    """A crossing of two labels with fewer rows than they would share if they were independent."""

    row: str
    column: str
    count: int
    expected: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the rows are about.

    Attributes:
        rows, columns: labels of the map, as task types and domains; `row_axis`, `column_axis`: what they are.
        before, after: counts, one tuple per label of `rows`.
        axes: each label alone.
    """

    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    axes: tuple[Axis, ...]
    holes: tuple[Hole, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A dropped member of a cluster: found by which stage, and how similar to the kept one."""

    row: Row
    stage: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that ask the same. `size` counts the kept one too; `dropped` may hold only some of them."""

    kept: Row
    size: int
    dropped: tuple[Duplicate, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that ask what another row asks.

    Attributes:
        stages: (stage, rows dropped).
        clusters: how many; `largest`: some of them, the largest first.
    """

    stages: tuple[tuple[str, int], ...]
    clusters: int
    largest: tuple[Cluster, ...]


@dataclass(frozen=True, slots=True)
class EvalSet:
    """A set that the rows were compared with: its prompts, and the rows that share a passage with them."""

    name: str
    prompts: int
    rows: int


@dataclass(frozen=True, slots=True)
class Leak:
    """A row that shares `passage` with `question`, a prompt of the eval set `name`; `share`: of the prompt's words."""

    name: str
    row: Row
    question: Row
    passage: str
    share: float


@dataclass(frozen=True, slots=True)
class Contamination:
    """Training rows against evaluation prompts; `leaks` may hold only some."""

    sets: tuple[EvalSet, ...]
    leaks: tuple[Leak, ...]


@dataclass(frozen=True, slots=True)
class Personal:
    """Personal data or secrets of one kind, as "e-mail": how often they stand in how many rows. Never the data."""

    kind: str
    findings: int
    rows: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag for review, which drops nothing, and some of its rows."""

    name: str
    rows: int
    examples: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Safety:
    """What was found in the texts. `action`: what became of personal data, as "redacted" or "row dropped"."""

    action: str
    personal: tuple[Personal, ...]
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that does not stay, and why."""

    row: Row
    stage: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row that stays, with its scores by name; None: no evidence."""

    row: Row
    scores: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class SourceShare:
    """What a source gives to one epoch.

    Attributes:
        rows: that it has; `drawn`: that the epoch takes, repeats counted.
        repeats: effective epochs, drawn / rows.
        row_share, token_share: of the epoch.
    """

    label: str
    rows: int
    drawn: int
    repeats: float
    row_share: float
    token_share: float


@dataclass(frozen=True, slots=True)
class DataReport:
    """A whole report of a curation.

    Attributes:
        name: of the set, the heading.
        stages: the funnel in order: the first is what was read, the last what stays.
        losses: most frequent first; their counts add up to what the funnel loses.
        dropped: some rows of each reason, chosen by the caller's seed.
    """

    name: str
    stages: tuple[Stage, ...]
    losses: tuple[Loss, ...]
    sources: tuple[Part, ...]
    languages: tuple[Part, ...]
    origin: Origin
    lengths: tuple[Lengths, ...] = ()
    scores: tuple[Score, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    coverage: Coverage | None = None
    duplicates: Duplicates | None = None
    contamination: Contamination | None = None
    safety: Safety | None = None
    dropped: tuple[DroppedRow, ...] = ()
    kept: tuple[KeptRow, ...] = ()
    mixture: tuple[SourceShare, ...] = ()

    @property
    def read(self) -> int:
        """Rows that came in."""
        return self.stages[0].rows if self.stages else 0

    @property
    def stayed(self) -> int:
        """Rows that stay."""
        return self.stages[-1].rows if self.stages else 0
