"""Whether an answer reads well, whatever it says."""

from tutelage.curate.doubts import score
from tutelage.evaluation.answer_form.fluency import fluency_doubts
from tutelage.evaluation.following.component import Component, Finding


def quality(prompt: str, answer: str) -> Component:
    """The score of an answer's quality: what the doubts about its fluency leave."""
    doubts = fluency_doubts(prompt, answer)
    return Component(score(doubts), tuple(Finding(doubt.reason, doubt.detail, -doubt.cost) for doubt in doubts))
