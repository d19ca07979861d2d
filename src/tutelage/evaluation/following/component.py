"""The nouns of the score: what was found, a component of the score, and the score of one answer."""

from dataclasses import dataclass
from typing import Literal

Name = Literal["format", "relevance", "completeness", "quality"]
# What each component weighs, as the field teaches it.
WEIGHTS: dict[Name, float] = {"format": 0.3, "relevance": 0.4, "completeness": 0.2, "quality": 0.1}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found.

    Attributes:
        reason: a short phrase: "cut off", "asked for: in JSON".
        detail: what shows it.
        effect: on its component, -1 to 0; 0 where it speaks for the answer.
    """

    reason: str
    detail: str
    effect: float = 0.0


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the score, 0 (worst) to 1, and what it was told by."""

    score: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Following:
    """How well one answer follows its instruction."""

    format: Component
    relevance: Component
    completeness: Component
    quality: Component

    @property
    def components(self) -> dict[Name, Component]:
        """The components by name, in the order of `WEIGHTS`."""
        return {
            "format": self.format,
            "relevance": self.relevance,
            "completeness": self.completeness,
            "quality": self.quality,
        }

    @property
    def total(self) -> float:
        """The sum of the components by their weights, 0 to 1."""
        return sum(WEIGHTS[name] * one.score for name, one in self.components.items())


EMPTY = Component(0.0, (Finding("empty", "no words, digits or signs", -1.0),))
