"""What each source is of a run's mixture: rows, tokens, and how often they are seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.recipe import Source
from tutelage.terminal import Terminal

MANY_REPEATS = 4  # beyond about four epochs repeated data adds little (Muennighoff et al. 2023)


@dataclass(frozen=True)
class SourceShare:
    """A source in one epoch of the mixture.

    Attributes:
        name: its path; where several sources have the same, with a number.
        role: general, domain or None.
        held: its rows that may be trained: used and not held out.
        rows: rows that it gives to an epoch, repeats counted.
        tokens: tokens of these rows, those that are only seen among them.
        token_share: of all tokens of the epoch.
    """

    name: str
    role: str | None
    held: int
    rows: int
    tokens: int
    token_share: float

    def epochs(self, of_run: float) -> float:
        """How often each of its rows is seen, on average, in so many epochs of the run."""
        return of_run * self.rows / self.held if self.held else 0.0

    def summary(self, of_run: float) -> dict[str, Any]:
        """As result.json tells it."""
        return {**asdict(self), "token_share": round(self.token_share, 6), "epochs": round(self.epochs(of_run), 4)}


def names_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """A name for each source: its path, with a number behind it from the second of the same path on."""
    seen: Counter[str] = Counter()
    names = []
    for source in sources:
        seen[source.path] += 1
        names.append(source.path if seen[source.path] == 1 else f"{source.path} ({seen[source.path]})")
    return tuple(names)


def shares_of(
    sources: Sequence[Source],
    held: Sequence[int],
    *,
    rows: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int64],
) -> tuple[SourceShare, ...]:
    """The shares of an epoch.

    Args:
        held: rows of each source that may be trained.
        rows, tokens: of each source in the epoch.
    """
    total = max(1, int(tokens.sum()))
    columns = zip(names_of(sources), sources, held, rows.tolist(), tokens.tolist(), strict=True)
    return tuple(
        SourceShare(name, source.role, own, count, size, size / total) for name, source, own, count, size in columns
    )


def tell_shares(shares: Sequence[SourceShare], epochs: float, *, terminal: Terminal, unit: str = "tokens") -> None:
    """Where there are several sources: rows, epochs and token share of each, and a warning of many repeats.

    Args:
        epochs: of the run.
        unit: that `tokens` counts.
    """
    if len(shares) < 2:
        return
    for one in shares:
        role = f", {one.role}" if one.role else ""
        terminal.say(
            f"  {one.name}{role}: {one.rows:,} of {sum(each.rows for each in shares):,} rows an epoch from {one.held:,}"
            f", {one.epochs(epochs):.3g} epochs in all, {one.token_share:.1%} of the {unit}"
        )
    for one in shares:
        if one.epochs(epochs) > MANY_REPEATS:
            terminal.note(
                f"the rows of {one.name} are seen {one.epochs(epochs):.3g} times each: beyond {MANY_REPEATS} repeats "
                "learn little more and are learnt by heart; a smaller share of it, more rows or fewer epochs mend that"
            )
