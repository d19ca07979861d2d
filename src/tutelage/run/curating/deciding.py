"""Which rows stay: what a row's own findings decide, and what decides between rows."""

from dataclasses import dataclass

from tutelage.recipe import CurateSection
from tutelage.run.curating.examining import Examined

SHOWN = 3  # doubts of a row, the dearest first
STAGES = ("quality", "safety", "contamination", "duplicates")
DUPLICATE = "asked before"
MEANING = "means the same as another row"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a row does not stay: at which of `STAGES`, for what (a fixed phrase that is counted), and what was found."""

    stage: str
    reason: str
    detail: str


def cause_of(found: Examined, section: CurateSection) -> Cause | None:
    """Why a row does not stay whatever the other rows are; None where it may."""
    scores = found.scores
    if scores.completeness < section.min_completeness:
        why = "; ".join(f"{doubt.reason}: {doubt.detail}" for doubt in scores.reasons[:SHOWN])
        return Cause("quality", f"incomplete: {scores.reasons[0].reason}", f"{scores.completeness:.2f}: {why}")
    if scores.relevance is not None and scores.relevance < section.min_relevance:
        beaten = f"fits no better than {1 - scores.relevance:.0%} of answers from elsewhere"
        return Cause("quality", "answer does not fit its prompt", f"{scores.relevance:.2f}: {beaten}")
    if found.personal and section.personal_data == "drop":
        kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(found.personal.items()))
        return Cause("safety", "personal data", kinds)
    if found.guard is not None and found.guard.rating == "unsafe":
        return Cause("safety", "unsafe to the guard model", ", ".join(found.guard.categories))
    if found.leak is not None:
        shared = f"{found.leak.share:.0%} of a prompt of {found.leak.name}"
        return Cause("contamination", "in an evaluation set", f"{shared}: {found.leak.passage[:200]}")
    return None
