"""What a prompt and an answer share, measured by the character grams of what they are about.

Shapes: R pairs, G (pair, gram), F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.curate.form import form
from tutelage.curate.grams import BUCKETS, Grams, grams
from tutelage.evaluation.following.topic import topic

Floats = npt.NDArray[np.float64]
Idf = npt.NDArray[np.float32]

_SHORTEST = 6  # grams that a prompt and an answer need, to be evidence
_AT_ONCE = 512  # pairs whose grams are in memory together


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is measured of some pairs.

    Attributes:
        features_RF: float64, (R, F): log cosine, covered, lengths in grams, their products, code, a few words.
        cosine: float64, (R,); of TF-IDF vectors of character 2..4-grams, (1 + log tf) * idf.
        covered, copied: float64, (R,); the share of the prompt's grams that the answer has, by idf, and of the answer's
            grams that the prompt has.
        telling: bool, (R,); whether a pair has grams enough to be evidence.
    """

    features_RF: Floats
    cosine: Floats
    covered: Floats
    copied: Floats
    telling: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Grams of some pairs with their weights, (G,)."""

    grams: Grams
    weight_G: Floats
    shared_G: npt.NDArray[np.bool_]
    rows: int

    def sums(self, which_G: npt.NDArray[np.bool_], values_G: Floats) -> Floats:
        """Sums per pair over some of the grams, (R,)."""
        return np.bincount(self.grams.rows[which_G], values_G[which_G], self.rows).astype(np.float64)

    def share(self, of_G: npt.NDArray[np.bool_]) -> Floats:
        """Per pair the share, by weight, of some grams that the other text has too, (R,)."""
        return _ratio(self.sums(of_G & self.shared_G, self.weight_G), self.sums(of_G, self.weight_G))

    def cosine(self) -> Floats:
        """Per pair the cosine of the two texts' vectors, (R,)."""
        values, shared = (1 + np.log(self.grams.counts)) * self.weight_G, self.grams.shared
        asked, answered = (self.sums(of, values**2) for of in (self.grams.prompt, ~self.grams.prompt))
        products = np.bincount(self.grams.rows[shared], values[shared] * values[shared + 1], self.rows).astype(
            np.float64
        )
        return _ratio(products, np.sqrt(asked * answered))


def overlap(prompts: Sequence[str], answers: Sequence[str], *, idf: Idf | None = None) -> Overlap:
    """What pairs share; without an idf all grams weigh the same. At least one pair."""
    parts = [
        _overlap(prompts[start : start + _AT_ONCE], answers[start : start + _AT_ONCE], idf=idf)
        for start in range(0, len(prompts), _AT_ONCE)
    ]
    return Overlap(
        np.concatenate([part.features_RF for part in parts]),
        np.concatenate([part.cosine for part in parts]),
        np.concatenate([part.covered for part in parts]),
        np.concatenate([part.copied for part in parts]),
        np.concatenate([part.telling for part in parts]),
    )


def learned_idf(prompts: Sequence[str], answers: Sequence[str]) -> Idf:
    """idf = log((1 + N) / (1 + texts with the gram)), float32, (BUCKETS,); N counts prompts and answers."""
    known = np.zeros(BUCKETS, np.int64)
    for start in range(0, len(prompts), _AT_ONCE):
        found = _grams(prompts[start : start + _AT_ONCE], answers[start : start + _AT_ONCE])
        known += np.bincount(found.buckets, minlength=BUCKETS)
    return np.log((1 + 2 * len(prompts)) / (1 + known)).astype(np.float32)


def _grams(prompts: Sequence[str], answers: Sequence[str]) -> Grams:
    return grams([topic(one) for one in prompts], [topic(one) for one in answers])


def _overlap(prompts: Sequence[str], answers: Sequence[str], *, idf: Idf | None) -> Overlap:
    found = _grams(prompts, answers)
    shared_G = np.zeros(len(found.rows), np.bool_)
    shared_G[found.shared] = shared_G[found.shared + 1] = True
    ones_G = np.ones(len(found.rows))
    weight_G = ones_G if idf is None else idf[found.buckets].astype(np.float64)
    weighed = _Weighed(found, weight_G, shared_G, len(prompts))
    in_prompt, in_answer = (weighed.sums(of, ones_G) for of in (found.prompt, ~found.prompt))
    cosine, covered = weighed.cosine(), weighed.share(found.prompt)
    near, long, asked = np.log(cosine + 0.01), np.log1p(in_answer), np.log1p(in_prompt)
    kinds = [form(one) for one in answers]
    columns = [near, covered, long, asked, near * long, covered * long, near * asked]
    columns += [np.array([kind == name for kind in kinds], np.float64) for name in ("code", "short")]
    telling = (in_prompt >= _SHORTEST) & (in_answer >= _SHORTEST)
    return Overlap(np.stack(columns, axis=1), cosine, covered, weighed.share(~found.prompt), telling)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.where(whole > 0, whole, 1.0))
