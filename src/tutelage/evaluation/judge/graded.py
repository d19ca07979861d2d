"""How good an answer is, on five dimensions. A reply that cannot be read, or failed, is unknown: never a low grade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tutelage.endpoint import Endpoint, Messages, Reply
from tutelage.evaluation.judge.asking import DECODING, prompt_for, shown, why_unread
from tutelage.prompt import conclusion, reason

DIMENSIONS = ("relevance", "accuracy", "fluency", "completeness", "safety")

Scale = Literal[5, 10]
"""The best grade; the worst is 1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question; `reference` is a right one, empty where none is known."""

    question: str
    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a judge said of an answer.

    Attributes:
        points: dimension -> 1 to `scale`, in the order of `DIMENSIONS`; empty where unknown.
        reason: the judge's; where the grade is unknown, why.
        reply: as it came.
        prompt: name and version of the prompt.
    """

    answer: Answer
    points: Mapping[str, int] = field(default_factory=dict)
    scale: Scale = 10
    reason: str = ""
    reply: str = ""
    prompt: str = ""

    @property
    def scores(self) -> dict[str, float]:
        """Dimension -> (points - 1) / (scale - 1), in [0, 1]; empty where unknown."""
        return {name: (points - 1) / (self.scale - 1) for name, points in self.points.items()}

    @property
    def outcome(self) -> float | None:
        """The mean of the scores, in [0, 1]; None for unknown."""
        return sum(self.scores.values()) / len(DIMENSIONS) if self.points else None

    def record(self) -> dict[str, Any]:
        """All of it for a line of JSON."""
        texts = {"question": self.answer.question, "answer": self.answer.text, "reference": self.answer.reference}
        told = {"points": dict(self.points), "scale": self.scale, "reason": self.reason, "reply": self.reply}
        return {**texts, "outcome": self.outcome, **told, "prompt": self.prompt}


def grades(answers: Sequence[Answer], judge: Endpoint, *, cache: Path, scale: Scale = 10) -> list[Grade]:
    """A judge's grades, in the order of the answers.

    Args:
        cache: folder of the replies that are known already.

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    told = [Grade(one, scale=scale, prompt=prompt_for("graded", one.question).version) for one in answers]
    messages = [_messages(one, scale) for one in answers]
    for place, reply in judge.replies(messages, cache=cache, decoding=DECODING):
        told[place] = graded(told[place], reply)
    return told


def graded(asked: Grade, reply: Reply) -> Grade:
    """The grade with what a reply says: a whole number on the scale for every dimension, or nothing."""
    fields = conclusion(reply.text, key=DIMENSIONS[0]) or {}
    points = {
        name: value for name in DIMENSIONS if type(value := fields.get(name)) is int and 1 <= value <= asked.scale
    }
    if len(points) < len(DIMENSIONS):
        return replace(asked, reason=why_unread(reply), reply=reply.text)
    return replace(asked, points=points, reason=reason(fields), reply=reply.text)


def _messages(answer: Answer, scale: Scale) -> Messages:
    texts = shown(answer.question, {"answer": answer.text}, reference=answer.reference)
    return prompt_for("graded", answer.question).messages(texts, most=scale)
