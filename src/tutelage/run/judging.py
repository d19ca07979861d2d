"""A judge behind an endpoint prefers one of two models' answers, or grades one model's: told beside the metrics.

What it says counts as evidence only after it has been calibrated on pairs whose better answer is known.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tutelage.endpoint import Endpoint
from tutelage.errors import RecipeError
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.judge.graded import DIMENSIONS, Answer, Grade
from tutelage.evaluation.judge.judgement import Judgement, judged_answers, judged_pairs
from tutelage.evaluation.judge.pairwise import Pair
from tutelage.evaluation.statistics import Mean, PairedResult, compare_paired, mean_of
from tutelage.recipe import EvaluateSection
from tutelage.terminal import Terminal

KEY = "JUDGE_API_KEY"  # the environment variable that holds the key, where the endpoint wants one
JUDGED = "judgement.json"


@dataclass(frozen=True)
class Judged:
    """What a judge said of a suite.

    Attributes:
        after: the model that is judged; before: the one that it is compared with, empty where it is graded alone.
        told: items of which the judge told something.
        result: wins of `after` against those of `before`, a tie as half of one; None: graded, or no evidence.
        grade: mean grade in [0, 1]; None: compared, or no evidence.
    """

    suite: str
    before: str
    after: str
    judgement: Judgement
    told: int
    result: PairedResult | None
    grade: Mean | None

    def in_words(self) -> str:
        """The outcome in one sentence."""
        calibration = self.judgement.calibration
        unknown = f"; {self.judgement.unknown:,} unknown" if self.judgement.unknown else ""
        if calibration.refusal:
            return f"{self.suite}, by judge {calibration.model}: {calibration.refusal}{unknown}"
        agreement = calibration.agreement
        known = f"agrees with {agreement.hits} of {agreement.n} known pairs"
        if self.result is not None:
            preferred = f"{self.after} against {self.before}: {self.result.verdict} ({self.result.in_words()})"
            return f"{self.suite}, by judge {calibration.model} ({known}): {preferred}{unknown}"
        assert self.grade is not None, "a judgement that counts has a result or a grade"
        low, high = self.grade.interval
        graded = f"{self.after}: {self.grade.value:.1%} ({low:.1%} to {high:.1%}), n = {self.told}"
        return f"{self.suite}, by judge {calibration.model} ({known}): {graded}{unknown}"

    def figures(self) -> dict[str, Any]:
        """As JSON types, without texts."""
        calibration = self.judgement.calibration
        return {
            "model": calibration.model,
            "before": self.before,
            "after": self.after,
            "refusal": calibration.refusal,
            "agreement": {"hits": calibration.agreement.hits, "n": calibration.agreement.n},
            "told": self.told,
            "unknown": self.judgement.unknown,
            "verdict": self.result.verdict if self.result else None,
            "difference": self.result.difference if self.result else None,
            "p": self.result.p_value if self.result else None,
            "grade": self.grade.value if self.grade else None,
            "dimensions": _dimensions(self.judgement),
        }


def judge_of(section: EvaluateSection) -> Endpoint | None:
    """The endpoint of the judge, where one is named.

    Raises:
        RecipeError: it is named without a model.
    """
    if section.judge_url is None:
        return None
    if not section.judge_model:
        raise RecipeError(
            "`evaluate.judge_url` names an endpoint, but `evaluate.judge_model` no model",
            code="recipe-value",
            place="evaluate.judge_model",
            expected="the name of the judge model there",
            remedy="--set evaluate.judge_model=NAME",
        )
    return Endpoint(section.judge_url, section.judge_model, KEY if os.environ.get(KEY) else None)


def judged(
    comparisons: Sequence[Comparison], section: EvaluateSection, *, folder: Path, terminal: Terminal
) -> tuple[Judged, ...]:
    """Have the answers judged, where the recipe names a judge: each later model against the first, or the only one
    graded. Replies are kept in the folder, so that nothing is asked twice.

    Raises:
        RecipeError: the endpoint cannot be used.
        DataError: the replies cannot be kept.
    """
    judge = judge_of(section)
    if judge is None or not comparisons:
        return ()
    terminal.say(f"asking the judge {judge.model} about {sum(len(one.items) for one in comparisons):,} questions")
    found = tuple(one for comparison in comparisons for one in _of(comparison, judge, cache=folder / "judge"))
    for one in found:
        terminal.say(one.in_words())
    records = [{"suite": one.suite, **one.figures(), **one.judgement.record()} for one in found]
    (folder / JUDGED).write_text(json.dumps(records, indent=1, ensure_ascii=False), encoding="utf-8")
    return found


def _of(comparison: Comparison, judge: Endpoint, *, cache: Path) -> Iterator[Judged]:
    name, clusters = comparison.suite.name, [item.cluster for item in comparison.items]
    first, *later = comparison.names
    if not later:
        answers = zip(comparison.items, comparison.answers[first], strict=True)
        asked = [Answer(item.prompt, answer.text, _reference(item.references)) for item, answer in answers]
        told = judged_answers(asked, judge, cache=cache)
        kept = [number for number, outcome in enumerate(told.outcomes) if outcome is not None]
        scores = [outcome for outcome in told.outcomes if outcome is not None]
        grade = mean_of(scores, clusters=[clusters[n] for n in kept], seed=comparison.seed) if kept else None
        yield Judged(name, "", first, told, len(kept), None, grade)
    for model in later:
        both = zip(comparison.items, comparison.answers[first], comparison.answers[model], strict=True)
        pairs = [Pair(item.prompt, old.text, new.text, _reference(item.references)) for item, old, new in both]
        told = judged_pairs(pairs, judge, cache=cache)
        kept = [number for number, outcome in enumerate(told.outcomes) if outcome is not None]
        wins = [(1 + outcome) / 2 for outcome in told.outcomes if outcome is not None]
        result = compare_paired(
            [1 - win for win in wins], wins, clusters=[clusters[n] for n in kept], seed=comparison.seed
        )
        yield Judged(name, first, model, told, len(kept), result if kept else None, None)


def _reference(references: Sequence[str]) -> str:
    return references[0] if references else ""


def _dimensions(judgement: Judgement) -> dict[str, float]:
    """Mean score of each dimension, where answers were graded."""
    scores = [one.scores for one in judgement.verdicts if isinstance(one, Grade) and one.points]
    return {name: round(fmean(one[name] for one in scores), 4) for name in DIMENSIONS} if scores else {}
