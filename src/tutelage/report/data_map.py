"""What a report says of the rows by their losses, as plain frozen records. Losses are in nats per trained token.

Texts are as they came from data: `page` escapes them.
"""

from dataclasses import dataclass

from tutelage.evaluation.data_map import trajectory


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of a kind, as "never learned".

    Attributes:
        count: of all rows.
        mean, spread: of the losses of the visits to some of them, one value each; rows seen once have no spread.
    """

    name: trajectory.Kind
    count: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A row whose answer may be wrong for its prompt.

    Attributes:
        losses: of its visits, in order.
        suspicion: log-odds above those of any row; from_loss, from_fit: its parts; from_fit is None where prompt and
            answer were not held against each other.
        prompt, answer: their beginnings.
    """

    place: str
    kind: trajectory.Kind
    losses: tuple[float, ...]
    suspicion: float
    from_loss: float
    from_fit: float | None
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class DataMap:
    """The rows of a run by what their losses tell.

    Attributes:
        rows: that were trained; visits: looks at them, one in each epoch.
        fit_auc: the chance that an answer from elsewhere fits its prompt less than its own; None: nothing was learned.
        suspects: the most suspicious rows, the worst first.
        untold: what cannot be said, and why.
    """

    rows: int
    visits: int
    fit_auc: float | None
    kinds: tuple[Kind, ...]
    suspects: tuple[Suspect, ...]
    untold: tuple[str, ...]
