"""Verdicts of a judge together with how far it is to be believed: known pairs first, then those in question."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tutelage.endpoint import Endpoint
from tutelage.evaluation.judge.asking import DECODING
from tutelage.evaluation.judge.calibration import Calibration, calibrated, calibrated_grades
from tutelage.evaluation.judge.graded import Answer, Grade, Scale, grades
from tutelage.evaluation.judge.known import KnownPair, bundled
from tutelage.evaluation.judge.pairwise import Pair, Preference, preferences


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge said, and whether that is evidence.

    Attributes:
        verdicts: one for each item, in their order.
        calibration: how the same judge did on known pairs, asked in the same way.
    """

    verdicts: tuple[Preference, ...] | tuple[Grade, ...]
    calibration: Calibration

    @property
    def outcomes(self) -> list[float | None]:
        """For each item -1, 0 or 1 (see `Preference`), or its grade in [0, 1]; None for unknown. All are None where the
        calibration refuses them as evidence."""
        refused = bool(self.calibration.refusal)
        return [None if refused else one.outcome for one in self.verdicts]

    @property
    def unknown(self) -> int:
        """Items of which the judge told nothing; they are in no mean and no share."""
        return sum(one.outcome is None for one in self.verdicts)

    def record(self) -> dict[str, Any]:
        """All of it for JSON: model, decoding, prompts with their versions, calibration, texts, replies, verdicts."""
        return {
            "model": self.calibration.model,
            "refusal": self.calibration.refusal,
            "decoding": asdict(DECODING),
            "prompts": sorted({one.prompt for one in self.verdicts}),
            "unknown": self.unknown,
            "calibration": self.calibration.record(),
            "verdicts": [one.record() for one in self.verdicts],
        }


def judged_pairs(
    pairs: Sequence[Pair], judge: Endpoint, *, cache: Path, known: Sequence[KnownPair] | None = None
) -> Judgement:
    """Which answers a judge prefers, once it has been calibrated on `known` pairs (the bundled ones where None).

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    calibration = calibrated(bundled() if known is None else known, judge, cache=cache)
    return Judgement(tuple(preferences(pairs, judge, cache=cache)), calibration)


def judged_answers(
    answers: Sequence[Answer],
    judge: Endpoint,
    *,
    cache: Path,
    known: Sequence[KnownPair] | None = None,
    scale: Scale = 10,
) -> Judgement:
    """A judge's grades, once it has been calibrated on `known` pairs (the bundled ones where None).

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    calibration = calibrated_grades(bundled() if known is None else known, judge, cache=cache, scale=scale)
    return Judgement(tuple(grades(answers, judge, cache=cache, scale=scale)), calibration)
