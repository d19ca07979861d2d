"""The form of a set of answers in shares, and how it drifts from one set to another, item by item."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median

from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.forms import FEATURES, AnswerForm, Feature, answer_form


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the answers that can be asked for a feature have it."""

    count: int
    n: int

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None of none."""
        return self.count / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class FormProfile:
    """The form of a set of answers, in their order.

    A share of a feature counts only answers where it can be asked: lengths need a reference.
    """

    answers: tuple[AnswerForm, ...]

    @property
    def n(self) -> int:
        """How many answers there are."""
        return len(self.answers)

    @property
    def shares(self) -> dict[str, Share]:
        """Feature -> share of the answers with it, in the order of `FEATURES`."""
        return {name: self.share(name) for name in FEATURES}

    @property
    def mean_words(self) -> float | None:
        """Words of the mean answer; None of none."""
        return fmean(one.words for one in self.answers) if self.answers else None

    @property
    def mean_paragraphs(self) -> float | None:
        """Paragraphs of the mean answer; None of none."""
        return fmean(one.paragraphs for one in self.answers) if self.answers else None

    @property
    def median_ratio(self) -> float | None:
        """The median of the answers' lengths, in words, to those of their references; None without references."""
        ratios = [one.ratio for one in self.answers if one.ratio is not None]
        return median(ratios) if ratios else None

    def share(self, feature: str) -> Share:
        """The share of answers with a feature."""
        asked = [has for one in self.answers if (has := one.has[feature]) is not None]
        return Share(sum(asked), len(asked))


@dataclass(frozen=True, slots=True)
class Drift:
    """One feature in two sets of answers to the same prompts.

    Attributes:
        items: numbers of the prompts where the feature can be asked of both answers.
        before, after: 0 or 1 for each of them, as paired statistics take them.
    """

    feature: Feature
    items: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def gained(self) -> tuple[int, ...]:
        """Items whose answer has the feature only after."""
        return self._changed(0, 1)

    @property
    def lost(self) -> tuple[int, ...]:
        """Items whose answer had the feature only before."""
        return self._changed(1, 0)

    @property
    def difference(self) -> float:
        """The share after less the share before, -1 to 1; 0 of no items."""
        return (len(self.gained) - len(self.lost)) / len(self.items) if self.items else 0.0

    @property
    def better(self) -> bool | None:
        """Whether the drift is for the better; None where it is neither, or there is none."""
        if self.feature.good is None or not self.difference:
            return None
        return self.feature.good == (self.difference > 0)

    def named(self, language: str = "en") -> str:
        """The drift in words: "more answers with a list: 3 of 10 -> 7 of 10"; Chinese for `zh`."""
        n, counts = len(self.items), (sum(self.before), sum(self.after))
        step = (counts[1] > counts[0]) - (counts[1] < counts[0])
        if language == "zh":
            word = {1: "增多", 0: "不变", -1: "减少"}[step]
            return f"{self.feature.label_zh}的回答{word}：{counts[0]}/{n} → {counts[1]}/{n}"
        word = {1: "more", 0: "as many", -1: "fewer"}[step]
        return f"{word} answers {self.feature.label}: {counts[0]} of {n} -> {counts[1]} of {n}"

    def _changed(self, before: int, after: int) -> tuple[int, ...]:
        rows = zip(self.items, self.before, self.after, strict=True)
        return tuple(item for item, was, now in rows if (was, now) == (before, after))


def form_profile(exchanges: Iterable[Exchange]) -> FormProfile:
    """The form of a set of answers."""
    return FormProfile(tuple(map(answer_form, exchanges)))


def drifts(before: FormProfile, after: FormProfile) -> tuple[Drift, ...]:
    """Each feature before and after, the largest difference first; equal ones in the order of `FEATURES`.

    Nothing is said here of chance: `before` and `after` of a drift are vectors for a paired test.

    Raises:
        ValueError: the two sets are not answers to as many prompts.
    """
    if before.n != after.n:
        raise ValueError(
            f"{before.n} answers before and {after.n} after are no pairs: ask both models the same prompts"
        )
    return tuple(
        sorted((_drift(one, before, after=after) for one in FEATURES.values()), key=lambda one: -abs(one.difference))
    )


def _drift(feature: Feature, before: FormProfile, *, after: FormProfile) -> Drift:
    asked = [
        (number, int(was), int(now))
        for number, (one, other) in enumerate(zip(before.answers, after.answers, strict=True))
        if (was := one.has[feature.name]) is not None and (now := other.has[feature.name]) is not None
    ]
    items, first, second = zip(*asked, strict=True) if asked else ((), (), ())
    return Drift(feature, items, first, second)
