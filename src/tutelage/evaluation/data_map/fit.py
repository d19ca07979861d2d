"""How well each answer fits its own prompt, learned from the set itself: what a prompt lets one expect of its answer,
against what the answer is.

A ridge regression maps a prompt's vector (`vectors`) to its answer's. The cosine of the expected answer and the true
one, that of the words which prompt and answer share, and their lengths are weighed by a logistic regression of real
pairs against pairs whose answer is another row's. Every row is judged by regressions that have not seen it (in folds),
so a wrong answer cannot vouch for itself.

Shapes: R rows, D dimensions, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tutelage.curate.sample import Sample
from tutelage.evaluation.data_map.vectors import Floats, Numbers, Texts, Vocabulary, cosines, terms_of, vocabulary_of

FEWEST = 200  # rows with prompt and answer from which a fit can be learned
_LEARNED = 20_000  # rows at most from which it is learned, drawn by the seed
_AT_ONCE = 2_000  # rows that are judged together
_FOLDS = 8
_SHUFFLES = 4  # answers of other rows that each prompt is shown with
_RIDGE, _PULL, _STEPS = 3.0, 1.0, 25  # of the map; of the weights, and their steps of Newton
_LITTLE = 0.003  # the cosine of one common word that both have


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What prompts and answers say of each other.

    Attributes:
        odds: natural log-odds that the answer belongs to another prompt rather than to its own, were both as likely
            beforehand, float64, (R,); NaN where there is no prompt or no answer.
        rarity: how rare the answer's words are: mean of log(texts / texts with the word), in nats, (R,).
        auc: the chance that an answer from elsewhere gets higher odds than the prompt's own; 0.5: nothing was learned.
    """

    odds: Floats
    rarity: Floats
    auc: float


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """Where prompts and answers are vectors: V terms, and the main directions of prompts and of answers, (V, D)."""

    vocabulary: Vocabulary
    asked_VD: torch.Tensor
    answered_VD: torch.Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample], *, seed: int) -> "_Space":
        asked, answered = ([terms_of(text) for text in texts] for texts in _sides(samples))
        vocabulary = vocabulary_of([*asked, *answered])
        first, second = (
            Texts.of(side, vocabulary).basis(len(vocabulary), seed=seed + number)
            for number, side in enumerate((asked, answered))
        )
        return cls(vocabulary, first, second)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows as vectors; a prompt has its place among the prompts and among the answers, side by side, (R, 2D)."""

    asked: Texts
    answered: Texts
    prompts_RD: Floats
    answers_RD: Floats

    @classmethod
    def of(cls, samples: Sequence[Sample], space: _Space) -> "_Rows":
        asked, answered = (Texts.of([terms_of(text) for text in texts], space.vocabulary) for texts in _sides(samples))
        prompts_RD = torch.cat([asked.times(space.asked_VD), asked.times(space.answered_VD)], dim=1)
        return cls(asked, answered, prompts_RD.numpy(), answered.times(space.answered_VD).numpy())


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """What some rows have taught.

    Attributes:
        map_DD: from a prompt's vector, less its mean, to its answer's, less its mean.
        weights: (F + 1,); of the standardised features, and the constant.
    """

    prompt_mean: Floats
    answer_mean: Floats
    map_DD: Floats
    centre: Floats
    scale: Floats
    weights: Floats

    @classmethod
    def of(cls, rows: _Rows, learned: Numbers, *, rng: np.random.Generator) -> "_Judge":
        prompts_RD, answers_RD = rows.prompts_RD[learned], rows.answers_RD[learned]
        means = prompts_RD.mean(axis=0), answers_RD.mean(axis=0)
        centred_RD = prompts_RD - means[0]
        gram_DD = centred_RD.T @ centred_RD + _RIDGE * np.eye(centred_RD.shape[1])
        map_DD = np.linalg.solve(gram_DD, centred_RD.T @ (answers_RD - means[1]))
        order = rng.permutation(learned)
        real = _features(rows, (learned, learned), means=means, map_DD=map_DD)
        other = np.concatenate(
            [
                _features(rows, (order, np.roll(order, turn)), means=means, map_DD=map_DD)
                for turn in range(1, _SHUFFLES + 1)
            ]
        )
        both = np.concatenate([real, other])
        centre, scale = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
        weights = _regression(_standardised(real, centre, scale), _standardised(other, centre, scale))
        return cls(*means, map_DD, centre, scale, weights)

    def odds(self, rows: _Rows, pairs: tuple[Numbers, Numbers]) -> Floats:
        """Log-odds that the answers are others' answers."""
        features_RF = _features(rows, pairs, means=(self.prompt_mean, self.answer_mean), map_DD=self.map_DD)
        return -_standardised(features_RF, self.centre, self.scale) @ self.weights


def fit_of(samples: Sequence[Sample], *, seed: int = 0) -> Fit | None:
    """How well answers fit their prompts. It is learned from 20,000 rows at most.

    Returns:
        None where fewer than 200 rows have a prompt and an answer: they teach nothing.
    """
    rng = np.random.default_rng(seed)
    usable = np.array([number for number, one in enumerate(samples) if one.prompt.strip() and one.answer.strip()])
    if len(usable) < FEWEST:
        return None
    learned = np.sort(rng.permutation(usable)[:_LEARNED])
    space = _Space.of([samples[number] for number in learned.tolist()], seed=seed)
    known = _Rows.of([samples[number] for number in learned.tolist()], space)
    fold_of = rng.permutation(len(samples)) % _FOLDS
    judges = [_Judge.of(known, np.flatnonzero(fold_of[learned] != fold), rng=rng) for fold in range(_FOLDS)]
    odds, other = np.full((2, len(samples)), np.nan)
    rarity = np.zeros(len(samples))
    for start in range(0, len(usable), _AT_ONCE):
        numbers = usable[start : start + _AT_ONCE]
        rows = _Rows.of([samples[number] for number in numbers.tolist()], space)
        rarity[numbers] = rows.answered.rarity
        for fold, judge in enumerate(judges):
            inside = np.flatnonzero(fold_of[numbers] == fold)
            odds[numbers[inside]] = judge.odds(rows, (inside, inside))
            other[numbers[inside]] = judge.odds(rows, (inside, np.roll(inside, 1)))
    return Fit(odds, rarity, beaten(odds[usable], other[usable]))


def _sides(samples: Sequence[Sample]) -> tuple[list[str], list[str]]:
    return [one.prompt for one in samples], [one.answer for one in samples]


def _features(rows: _Rows, pairs: tuple[Numbers, Numbers], *, means: tuple[Floats, Floats], map_DD: Floats) -> Floats:
    """Features of the pairs of some prompts with some answers, float64, (R, F)."""
    prompts, answers = pairs
    prompts_RD, given_RD = rows.prompts_RD[prompts] - means[0], _unit(rows.answers_RD[answers] - means[1])
    expected = (_unit(prompts_RD @ map_DD) * given_RD).sum(axis=1)
    near = (_unit(prompts_RD[:, -given_RD.shape[1] :]) * given_RD).sum(axis=1)
    shared = np.log(cosines(rows.asked, rows.answered, pairs=pairs) + _LITTLE)
    asked, answered = rows.asked.lengths[prompts], rows.answered.lengths[answers]
    products = [expected * answered, shared * answered, expected * asked, expected**2, shared**2, expected * shared]
    return np.stack([expected, shared, near, answered, asked, *products], axis=1)


def _unit(vectors_RD: Floats) -> Floats:
    norms = np.linalg.norm(vectors_RD, axis=1, keepdims=True)
    return vectors_RD / np.where(norms > 0, norms, 1.0)


def _standardised(features_RF: Floats, centre: Floats, scale: Floats) -> Floats:
    """With a column of ones."""
    return np.column_stack([(features_RF - centre) / scale, np.ones(len(features_RF))])


def _regression(real: Floats, other: Floats) -> Floats:
    """Weights of a ridge logistic regression by Newton's steps; both kinds of pairs weigh the same."""
    features = np.concatenate([real, other])
    is_real = np.repeat([1.0, 0.0], [len(real), len(other)])
    mass = np.repeat([len(other) / len(real), 1.0], [len(real), len(other)])
    pull = np.diag([_PULL] * (features.shape[1] - 1) + [1e-9])
    weights = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (mass * (is_real - chance)) - pull @ weights
        curvature = (features * (mass * chance * (1 - chance))[:, None]).T @ features + pull
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights


def beaten(low: Floats, high: Floats) -> float:
    """The chance that one of `high` is above one of `low`, ties by half: the area under the ROC curve."""
    order = np.sort(low)
    below = np.searchsorted(order, high, "left") + np.searchsorted(order, high, "right")
    return float(below.mean() / (2 * len(order)))
