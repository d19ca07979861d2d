"""Several models on the same questions with the same decoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.evaluation.exact_match import exact_match, language
from tutelage.evaluation.statistics import Paired, Proportion, paired
from tutelage.records import Generation, Question


@dataclass(frozen=True)
class Comparison:
    """Answers of named models to the same questions.

    Attributes:
        names: of the models, the base first.
        answers: per model, one answer per question.
    """

    questions: Sequence[Question]
    names: tuple[str, ...]
    answers: Mapping[str, Sequence[Generation]]

    def right(self, name: str) -> list[bool]:
        """Per question, whether the model's answer is an exact match."""
        pairs = zip(self.answers[name], self.questions, strict=True)
        return [exact_match(answer.text, question.references) for answer, question in pairs]

    def exact(self, name: str, *, only: str | None = None) -> Proportion:
        """Share of exact matches over all questions, or over those of one language."""
        kept = [hit for hit, of in zip(self.right(name), self.languages, strict=True) if only in (None, of)]
        return Proportion(sum(kept), len(kept))

    def stopped(self, name: str) -> Proportion:
        """Share of answers that ended by themselves."""
        answers = self.answers[name]
        return Proportion(sum(answer.stopped for answer in answers), len(answers))

    def against_base(self, name: str) -> Paired:
        """The paired test of a model against the first."""
        return paired(self.right(self.names[0]), self.right(name))

    @property
    def languages(self) -> list[str]:
        """Language of each question, by its last turn."""
        return [language(question.messages[-1].content) for question in self.questions]

    def summary(self) -> dict[str, dict[str, float]]:
        """Per model: exact match over all, per language, and the share of answers that stopped."""
        present = sorted(set(self.languages))
        return {
            name: {"exact_match": round(self.exact(name).share, 4)}
            | {of: round(self.exact(name, only=of).share, 4) for of in present}
            | {"stopped": round(self.stopped(name).share, 4)}
            for name in self.names
        }
