"""How well an answer fits its own prompt: what they share, against answers that were taken from other rows.

The heart is the cosine of TF-IDF vectors of character 2..4-grams. A raw cosine means nothing by itself: long texts
share more, code shares less. So it is read together with the lengths, and by the set itself: real pairs against pairs
whose answer belongs to another row of the same form and language.

Two figures of a pair are weighed together, for each class of rows (form and language) by a logistic regression on real
against shuffled pairs:

- the cosine with weights (1 + log tf) idf^2: rare grams (names, terms) say most;
- the surprise of the overlap, in standard deviations: of the prompt's grams, each counted by -log p, how many more the
  answer takes up than a random answer of its length would; p = 1 - exp(-f n / m) is the chance that such an answer has
  the gram, for a gram in a share f of answers, an answer of n grams, and m grams in a mean answer.

Shapes: R rows (pairs), F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tutelage.curate.form import form
from tutelage.curate.grams import BUCKETS, Grams, grams
from tutelage.curate.sample import Sample

Kind = tuple[str, str]  # form and language
Floats = npt.NDArray[np.float64]

_FITTED = 12_000  # rows at most from which frequencies and calibration are learned
_FEWEST = 40  # rows of a class; fewer tell nothing
_SHUFFLED = 2_000  # pairs that a class is compared with, about; a row gives at most _ROUNDS of them
_ROUNDS = 20
_SHORTEST = 12  # grams that a prompt and an answer need, to be evidence
_TELLING = 0.85  # AUC of real against shuffled pairs, from which a class is scored
_AT_ONCE = 512  # pairs whose grams are in memory together
_RIDGE, _STEPS = 1.0, 25  # of the regression: pull towards 0, steps of Newton
_QUANTILES = 1_024  # of the shuffled pairs, that are kept


@dataclass(frozen=True, slots=True)
class _Frequencies:
    """What is usual in a language: float32, (BUCKETS,) each.

    Attributes:
        weight: idf squared, idf = log((1 + N) / (1 + rows with the gram)).
        share: of answers that have the gram, over 0.
        grams: distinct grams in the mean answer.
    """

    weight: npt.NDArray[np.float32]
    share: npt.NDArray[np.float32]
    grams: float


@dataclass(frozen=True, slots=True)
class _Calibration:
    """How pairs of a class are read.

    Attributes:
        centre, scale: float64, (F,); of the features, which are standardised.
        weights: float64, (F + 1,); of the standardised features, and the constant.
        shuffled: float64, (Q,); quantiles of the log-odds of shuffled pairs, ascending.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    shuffled: Floats

    def odds(self, features_RF: Floats) -> Floats:
        """Log-odds that the pairs are real, float64, (R,)."""
        return _standardised(features_RF, self.centre, self.scale) @ self.weights

    def beaten(self, odds: Floats) -> Floats:
        """The share of shuffled pairs that each pair beats, equal ones by half (mid-rank)."""
        below = np.searchsorted(self.shuffled, odds, "left") + np.searchsorted(self.shuffled, odds, "right")
        return below / (2 * len(self.shuffled))


@dataclass(frozen=True, slots=True)
class Told:
    """What the calibration found in one class of rows.

    Attributes:
        form, language: the class.
        rows: of it that were learned from.
        auc: the chance that a real pair is scored over a shuffled one; None where too few rows carry evidence.
        scored: whether rows of this class get a score.
        real, shuffled: scores of both kinds of pairs in ten bins of equal width from 0 to 1.
    """

    form: str
    language: str
    rows: int
    auc: float | None
    scored: bool
    real: tuple[int, ...] = ()
    shuffled: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Relevance:
    """A measure of relevance that was fitted to a set. It can be pickled; the same pair always gets the same score.

    Attributes:
        told: what was found in each class, the largest first.
    """

    told: tuple[Told, ...]
    _frequencies: dict[str, _Frequencies]
    _calibrations: dict[Kind, _Calibration]

    @classmethod
    def fit(cls, samples: Sequence[Sample], *, seed: int = 0) -> Self:
        """Learn frequencies and calibration from (a sample of) the set itself; of more than 12,000 rows, so many are
        drawn by the seed. Plain text is passed over."""
        rng = np.random.default_rng(seed)
        asked = [one for one in samples if one.prompts]
        chosen = np.sort(rng.permutation(len(asked))[:_FITTED])
        classes: dict[Kind, list[Sample]] = {}
        for index in chosen.tolist():
            classes.setdefault(_kind(asked[index]), []).append(asked[index])
        frequencies = {
            language: _frequencies(rows)
            for language in dict.fromkeys(language for _, language in classes)
            if len(rows := [one for kind, of in classes.items() if kind[1] == language for one in of]) >= _FEWEST
        }
        told, calibrations = list[Told](), dict[Kind, _Calibration]()
        for kind in sorted(classes, key=lambda kind: (-len(classes[kind]), kind)):
            found, calibration = _fitted(kind, classes[kind], frequencies.get(kind[1]), rng=rng)
            told.append(found)
            if calibration is not None:
                calibrations[kind] = calibration
        return cls(tuple(told), frequencies, calibrations)

    def scores(self, samples: Sequence[Sample]) -> list[float | None]:
        """The share of shuffled pairs of its class that each row beats: 0.7 means that the answer fits its prompt
        better than 70 % of the answers taken from elsewhere.

        None where there is no evidence: plain text, texts of very few grams, and classes with few rows or in which
        real and shuffled pairs look alike.
        """
        found: list[float | None] = [None] * len(samples)
        groups: dict[Kind, list[int]] = {}
        for index, one in enumerate(samples):
            if one.prompts and (kind := _kind(one)) in self._calibrations:
                groups.setdefault(kind, []).append(index)
        for kind, indices in groups.items():
            rows = [samples[index] for index in indices]
            features, telling = _features([one.prompt for one in rows], [one.answer for one in rows],
                                          self._frequencies[kind[1]])  # fmt: skip
            calibration = self._calibrations[kind]
            beaten = calibration.beaten(calibration.odds(features)).tolist()
            for index, share, tells in zip(indices, beaten, telling.tolist(), strict=True):
                found[index] = share if tells else None
        return found


def _kind(one: Sample) -> Kind:
    return form(one.answer), one.language


def _frequencies(rows: Sequence[Sample]) -> _Frequencies:
    anywhere, answered = np.zeros(BUCKETS, np.int64), np.zeros(BUCKETS, np.int64)
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        found = grams([one.prompt for one in part], [one.answer for one in part])
        once = np.ones(len(found.rows), np.bool_)
        once[found.shared] = False
        anywhere += np.bincount(found.buckets[once], minlength=BUCKETS)
        answered += np.bincount(found.buckets[~found.prompt], minlength=BUCKETS)
    weight = np.log((1 + len(rows)) / (1 + anywhere)) ** 2
    share = (answered + 0.5) / (len(rows) + 0.5)
    mean = max(float(answered.sum()) / len(rows), 1.0)
    return _Frequencies(weight.astype(np.float32), share.astype(np.float32), mean)


def _features(
    prompts: Sequence[str], answers: Sequence[str], usual: _Frequencies
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features of pairs, float64, (R, F), and whether a pair has grams enough to be evidence."""
    parts = []
    for start in range(0, len(prompts), _AT_ONCE):
        end = start + _AT_ONCE
        found = grams(prompts[start:end], answers[start:end])
        parts.append(_features_of(found, len(prompts[start:end]), usual))
    features = np.concatenate([part for part, _ in parts])
    return features, np.concatenate([telling for _, telling in parts])


def _features_of(found: Grams, rows: int, usual: _Frequencies) -> tuple[Floats, npt.NDArray[np.bool_]]:
    asked, answered = found.prompt, ~found.prompt
    in_prompt = np.bincount(found.rows[asked], minlength=rows)
    in_answer = np.bincount(found.rows[answered], minlength=rows)
    cosine = np.log(_cosine(found, rows, usual.weight) + 0.003)  # about a shared common word
    surprise = np.arcsinh(_surprise(found, rows, usual, in_answer / usual.grams))
    long_answer, long_prompt = np.log1p(in_answer), np.log1p(in_prompt)
    features = np.stack(
        [cosine, surprise, long_answer, long_prompt, cosine * long_answer, surprise * long_answer], axis=1
    )
    return features, (in_prompt >= _SHORTEST) & (in_answer >= _SHORTEST)


def _cosine(found: Grams, rows: int, weight: npt.NDArray[np.float32]) -> Floats:
    weights = (1 + np.log(found.counts)) * weight[found.buckets]
    squares = weights * weights
    asked = np.bincount(found.rows[found.prompt], squares[found.prompt], rows)
    answered = np.bincount(found.rows[~found.prompt], squares[~found.prompt], rows)
    products = weights[found.shared] * weights[found.shared + 1]
    norm = np.sqrt(asked * answered)
    return np.bincount(found.rows[found.shared], products, rows) / np.where(norm > 0, norm, 1.0)


def _surprise(found: Grams, rows: int, usual: _Frequencies, length: Floats) -> Floats:
    """Standard deviations by which the overlap exceeds that with a random answer; `length` in mean answers."""
    of, taken_up = found.rows[found.prompt], np.zeros(len(found.rows), np.bool_)
    taken_up[found.shared] = True
    chance = -np.expm1(-usual.share[found.buckets[found.prompt]] * length[of])
    chance = np.clip(chance, 1e-9, 1 - 1e-6)
    value = -np.log(chance)
    more = np.bincount(of, value * (taken_up[found.prompt] - chance), rows)
    variance = np.bincount(of, value * value * chance * (1 - chance), rows)
    return more / np.sqrt(np.where(variance > 0, variance, 1.0))


def _fitted(
    kind: Kind, rows: Sequence[Sample], usual: _Frequencies | None, *, rng: np.random.Generator
) -> tuple[Told, _Calibration | None]:
    """What a class tells, and its calibration where it tells real pairs from shuffled ones."""
    nothing = Told(*kind, rows=len(rows), auc=None, scored=False)
    if usual is None or len(rows) < _FEWEST:
        return nothing, None
    prompts, answers = [one.prompt for one in rows], [one.answer for one in rows]
    features, telling = _features(prompts, answers, usual)
    real = features[telling]
    if len(real) < _FEWEST:
        return nothing, None
    shuffled = _shuffled(prompts, answers, usual, rng=rng)
    if len(shuffled) < _FEWEST:  # most prompts are long where most answers are short, or the other way round
        return nothing, None
    calibration = _calibrated(real, shuffled)
    scores = calibration.beaten(calibration.odds(real)), calibration.beaten(calibration.odds(shuffled))
    auc = float(scores[0].mean())
    real_bins, shuffled_bins = (tuple(np.histogram(one, 10, (0.0, 1.0))[0].tolist()) for one in scores)
    scored = auc >= _TELLING
    found = Told(*kind, rows=len(rows), auc=auc, scored=scored, real=real_bins, shuffled=shuffled_bins)
    return found, calibration if scored else None


def _shuffled(
    prompts: Sequence[str], answers: Sequence[str], usual: _Frequencies, *, rng: np.random.Generator
) -> Floats:
    """Features of prompts with answers of other rows, float64, (R, F)."""
    count = len(prompts)
    rounds = min(_ROUNDS, -(-_SHUFFLED // count), count - 1)
    order = rng.permutation(count)
    parts = []
    for turn in range(1, rounds + 1):
        taken = [answers[index] for index in np.roll(order, turn).tolist()]
        features, telling = _features([prompts[index] for index in order.tolist()], taken, usual)
        parts.append(features[telling])
    return np.concatenate(parts)


def _calibrated(real: Floats, shuffled: Floats) -> _Calibration:
    both = np.concatenate([real, shuffled])
    centre, scale = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
    weights = _regression(_standardised(real, centre, scale), _standardised(shuffled, centre, scale))
    odds = np.sort(_standardised(shuffled, centre, scale) @ weights)
    kept = np.linspace(0, len(odds) - 1, min(len(odds), _QUANTILES)).round().astype(np.int64)
    return _Calibration(centre, scale, weights, odds[kept])


def _standardised(features_RF: Floats, centre: Floats, scale: Floats) -> Floats:
    """With a column of ones."""
    return np.column_stack([(features_RF - centre) / scale, np.ones(len(features_RF))])


def _regression(real: Floats, shuffled: Floats) -> Floats:
    """Weights of a ridge logistic regression by Newton's steps; real and shuffled pairs weigh the same."""
    features = np.concatenate([real, shuffled])
    is_real = np.repeat([1.0, 0.0], [len(real), len(shuffled)])
    mass = np.repeat([len(features) / (2 * len(real)), len(features) / (2 * len(shuffled))], [len(real), len(shuffled)])
    pull = np.diag([_RIDGE] * (features.shape[1] - 1) + [0.0])
    weights = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (mass * (is_real - chance)) - pull @ weights
        curvature = (features * (mass * chance * (1 - chance))[:, None]).T @ features + pull
        weights = weights + np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
    return weights
