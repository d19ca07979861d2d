"""Rows compared with each other and with what is held out: which ask what was asked before."""

from array import array
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from tutelage.curate.decontamination import Match
from tutelage.curate.duplicates import Duplicate, clustered
from tutelage.curate.meaning import Embed, same_meaning
from tutelage.curate.shingles import Signatures, join, signatures
from tutelage.recipe import CurateSection
from tutelage.run.curating.deciding import cause_of
from tutelage.run.curating.evaluation_sets import HeldOut
from tutelage.run.curating.examining import Examined
from tutelage.run.curating.spool import Prompts

PASSED_OVER = -1.0  # score of a row that goes anyhow: no other row goes for it
_BEST = 2.0  # score of a held-out prompt: rows that ask the same go for it


class Gathered:
    """What is remembered of all rows until they are compared; their prompts lie on disk."""

    def __init__(self, section: CurateSection, prompts: Prompts) -> None:
        self._section, self.prompts = section, prompts
        self.scores, self.settings, self.signatures = array("f"), array("Q"), list[Signatures]()

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, found: Sequence[Examined], of_part: Signatures) -> None:
        """The rows of the next part."""
        self.signatures.append(of_part)
        for one in found:
            self.prompts.append(one.prompt)
            self.settings.append(one.setting)
            self.scores.append(PASSED_OVER if cause_of(one, self._section) else one.scores.overall)


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison found.

    Attributes:
        leaks: place of a row that asks what a held-out row asks -> which one.
        repeated: place of a row that goes -> for which row.
    """

    leaks: dict[int, Match] = field(default_factory=dict)
    repeated: dict[int, Duplicate] = field(default_factory=dict)


def compare(gathered: Gathered, held: Sequence[HeldOut], *, deduplicate: bool, embed: Embed | None = None) -> Compared:
    """Compare what rows ask with each other, and with what held-out rows ask.

    Args:
        embed: by what rows that are left are compared in meaning; None: they are not.
    """
    rows = len(gathered)
    if not (rows and (deduplicate or held)):
        return Compared()
    same = clustered(
        join([*gathered.signatures, signatures([one.prompt for one in held])]),
        _Texts(gathered.prompts, held),
        scores=np.append(np.asarray(gathered.scores, dtype=np.float32), np.full(len(held), _BEST, dtype=np.float32)),
        settings=np.append(
            np.asarray(gathered.settings, dtype=np.uint64), np.array([one.setting for one in held], dtype=np.uint64)
        ),
    )
    going = [one for one in same.duplicates if one.row < rows and gathered.scores[one.row] != PASSED_OVER]
    leaks = {one.row: _leak(held[one.kept - rows], one) for one in going if one.kept >= rows}
    repeated = {one.row: one for one in going if one.kept < rows} if deduplicate else {}
    if embed is not None:
        repeated |= _in_other_words(gathered, gone={*leaks, *repeated}, embed=embed)
    return Compared(leaks, repeated)


def _in_other_words(gathered: Gathered, *, gone: Set[int], embed: Embed) -> dict[int, Duplicate]:
    scores = np.asarray(gathered.scores, dtype=np.float32)
    left = [row for row in np.flatnonzero(scores != PASSED_OVER).tolist() if row not in gone]
    settings = np.asarray(gathered.settings, dtype=np.uint64)
    same = same_meaning(gathered.prompts, left, scores=scores, settings=settings, embed=embed)
    return {one.row: one for one in same}


def _leak(held: HeldOut, one: Duplicate) -> Match:
    return Match(held.name, held.prompt, held.prompt, one.similarity)


class _Texts:
    """The prompts of the rows, and behind them those that are held out."""

    def __init__(self, prompts: Prompts, held: Sequence[HeldOut]) -> None:
        self._prompts, self._held = prompts, held

    def __len__(self) -> int:
        return len(self._prompts) + len(self._held)

    def __getitem__(self, row: int) -> str:
        return self._prompts[row] if row < len(self._prompts) else self._held[row - len(self._prompts)].prompt
