"""How an overlap is read: as the probability that an answer was written for its prompt and not for another one.

A logistic regression on real pairs and on pairs whose answer belongs to another prompt; both kinds weigh the same.

Shapes: R pairs, F features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml

from tutelage.evaluation.following.overlap import Floats, Idf, overlap

_ROUNDS = 5  # shuffled pairs per real one, at most
_RIDGE, _STEPS = 1.0, 25  # of the regression: pull towards 0, steps of Newton


@dataclass(frozen=True, slots=True)
class Calibration:
    """How pairs of a language are read.

    Attributes:
        centre, scale: float64, (F,); of the features, which are standardised.
        weights: float64, (F + 1,); of the standardised features, and the constant.
        pairs: how many real ones it was fitted on.
        auc: the chance that a real one of them is scored over a shuffled one.
        found: from what.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    pairs: int
    auc: float
    found: str

    def chances(self, features_RF: Floats) -> Floats:
        """Probabilities that pairs are real, where real and shuffled ones are as many; float64, (R,)."""
        odds = _standardised(features_RF, self.centre, self.scale) @ self.weights
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def calibrated(pairs: Sequence[tuple[str, str]], *, idf: Idf | None, seed: int = 0, found: str) -> Calibration:
    """A calibration fitted on prompts and the answers that belong to them, two at least; `found` tells whose.

    Shuffled pairs take the answer of another prompt: all answers are moved along a random order by one to five places.
    """
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    prompts, answers = [pairs[at][0] for at in order], [pairs[at][1] for at in order]
    real = _telling(prompts, answers, idf)
    rounds = range(1, min(_ROUNDS, len(pairs) - 1) + 1)
    shuffled = np.concatenate([_telling(prompts, answers[turn:] + answers[:turn], idf) for turn in rounds])
    both = np.concatenate([real, shuffled])
    centre, scale = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
    weights = _regression(_standardised(real, centre, scale), _standardised(shuffled, centre, scale))
    odds = (_standardised(part, centre, scale) @ weights for part in (real, shuffled))
    return Calibration(centre, scale, weights, len(real), auc(*odds), found)


@cache
def bundled() -> Mapping[str, Calibration]:
    """The calibrations that come with the package, by language; they know no idf."""
    text = files("tutelage.evaluation.following").joinpath("calibration.yaml").read_text(encoding="utf-8")
    return {
        code: Calibration(
            np.array(one["centre"]),
            np.array(one["scale"]),
            np.array(one["weights"]),
            one["pairs"],
            one["auc"],
            one["found"],
        )
        for code, one in yaml.safe_load(text).items()
    }


def auc(higher: Floats, lower: Floats) -> float:
    """The chance that one of the former exceeds one of the latter, equal ones by half (Mann and Whitney's U)."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(below.mean() / (2 * len(lower)))


def _telling(prompts: Sequence[str], answers: Sequence[str], idf: Idf | None) -> Floats:
    """Features of the pairs that are evidence, float64, (R, F)."""
    found = overlap(prompts, answers, idf=idf)
    return found.features_RF[found.telling]


def _standardised(features_RF: Floats, centre: Floats, scale: Floats) -> Floats:
    """With a column of ones, float64, (R, F + 1)."""
    return np.column_stack([(features_RF - centre) / scale, np.ones(len(features_RF))])


def _regression(real: Floats, shuffled: Floats) -> Floats:
    """Weights of a ridge logistic regression by Newton's steps, float64, (F + 1,); the constant is not pulled."""
    features = np.concatenate([real, shuffled])
    counts = [len(real), len(shuffled)]
    is_real = np.repeat([1.0, 0.0], counts)
    mass = np.repeat([len(features) / (2 * count) for count in counts], counts)
    pull = np.diag([_RIDGE] * (features.shape[1] - 1) + [0.0])
    weights = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (mass * (is_real - chance)) - pull @ weights
        curvature = (features * (mass * chance * (1 - chance))[:, None]).T @ features + pull
        weights = weights + np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
    return weights
