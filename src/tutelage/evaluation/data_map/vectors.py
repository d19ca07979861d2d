"""Texts as vectors: TF-IDF of their terms, and these in the first dimensions of a singular value decomposition (latent
semantic analysis: Deerwester et al. 1990), which is found by the randomised method (Halko, Martinsson, Tropp 2011).

Shapes: R texts, T terms in all, V distinct terms, D dimensions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import regex
import torch

from tutelage.text import words

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Vocabulary = Mapping[str, tuple[int, float]]

_CHARACTERS = 8_000  # of a text that are looked at
_RARE, _TERMS = 2, 50_000  # texts that a term must stand in; the most frequent terms are kept
_STEM = 5  # characters of a word that tell it
_OPENING = 2  # words whose place is told too
_DIMENSIONS, _SPARE, _ROUNDS = 192, 16, 3
_MARK = regex.compile(r"\n|[^\w\s]")


def terms_of(text: str) -> Counter[str]:
    """What a text is known by: the beginnings of its words, pairs of characters where words are characters, marks and
    ends of lines, its first two words, and its length in steps of 1.4. Of long texts the first 8,000 characters."""
    text = text[:_CHARACTERS].casefold()
    found = words(text)
    pairs = [a + b for a, b in pairwise(found) if not a.isascii() and not b.isascii()]
    opening = [f"^{number}{word[:_STEM]}" for number, word in enumerate(found[:_OPENING])]
    length = f"#{int(2 * np.log2(1 + len(found)))}"
    return Counter([*(word[:_STEM] for word in found), *pairs, *_MARK.findall(text), *opening, length])


def vocabulary_of(texts: Sequence[Counter[str]]) -> Vocabulary:
    """Term -> its number and idf = log((1 + R) / (1 + texts with the term)), of terms in at least two texts."""
    seen = Counter(term for text in texts for term in text)
    kept = [(term, rows) for term, rows in seen.most_common(_TERMS) if rows >= _RARE]
    count = len(texts)
    return {term: (number, float(np.log((1 + count) / (1 + rows)))) for number, (term, rows) in enumerate(kept)}


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts as sparse unit vectors with weights (1 + log tf) idf. Those of text r stand in [starts[r], starts[r + 1]).

    Attributes:
        starts: (R + 1,).
        terms: numbers of terms, rising within a text, (T,).
        weights: (T,).
        lengths: log(1 + terms of the text), (R,).
        rarity: mean idf of its known terms, in nats, (R,); 0 where none is known.
    """

    starts: Numbers
    terms: Numbers
    weights: Floats
    lengths: Floats
    rarity: Floats

    @classmethod
    def of(cls, texts: Sequence[Counter[str]], vocabulary: Vocabulary) -> "Texts":
        """Texts by the terms of a vocabulary; others are passed over."""
        known = [sorted((*vocabulary[term], text[term]) for term in text if term in vocabulary) for text in texts]
        flat = np.array([entry for text in known for entry in text], np.float64).reshape(-1, 3)
        counts = np.array([len(text) for text in known], np.int64)
        row = np.repeat(np.arange(len(texts)), counts)
        weights = (1 + np.log(flat[:, 2])) * flat[:, 1]
        norm = np.sqrt(np.bincount(row, weights**2, len(texts)))
        return cls(
            starts=np.concatenate([[0], np.cumsum(counts)]),
            terms=flat[:, 0].astype(np.int64),
            weights=weights / np.where(norm > 0, norm, 1.0)[row],
            lengths=np.log1p([text.total() for text in texts]),
            rarity=np.bincount(row, flat[:, 1], len(texts)) / np.maximum(counts, 1),
        )

    def rows(self) -> Numbers:
        """The text of each term, (T,)."""
        return np.repeat(np.arange(len(self.lengths)), np.diff(self.starts))

    def times(self, other_VD: torch.Tensor) -> torch.Tensor:
        """Product with a dense matrix, (R, D)."""
        return self._matrix(len(other_VD)) @ other_VD

    def basis(self, terms: int, *, seed: int) -> torch.Tensor:
        """The main directions of these texts, orthonormal, (V, D); at most 192.

        Args:
            terms: V.
        """
        matrix_RV = self._matrix(terms)
        width = min(_DIMENSIONS + _SPARE, terms, len(self.lengths))
        found_VD = torch.from_numpy(np.random.default_rng(seed).standard_normal((terms, width)))
        for _ in range(_ROUNDS):
            found_VD = torch.linalg.qr(matrix_RV.t() @ (matrix_RV @ found_VD))[0]
        seen_RD = matrix_RV @ found_VD
        _, directions_DD = torch.linalg.eigh(seen_RD.T @ seen_RD)  # the weakest first
        main_VD: torch.Tensor = found_VD @ directions_DD.flip(1)[:, :_DIMENSIONS]
        return main_VD

    def _matrix(self, terms: int) -> torch.Tensor:
        places = torch.from_numpy(np.stack([self.rows(), self.terms]))
        size = (len(self.lengths), terms)
        return torch.sparse_coo_tensor(places, torch.from_numpy(self.weights), size, check_invariants=False)


def cosines(left: Texts, right: Texts, *, pairs: tuple[Numbers, Numbers]) -> Floats:
    """Cosine of the sparse vectors of text `pairs[0][p]` of `left` and text `pairs[1][p]` of `right`, float64, (P,)."""
    of_left, of_right = pairs
    width = 1 + int(max(left.terms.max(initial=0), right.terms.max(initial=0)))
    keys = left.rows() * width + left.terms
    counts = np.diff(right.starts)[of_right]
    pair = np.repeat(np.arange(len(of_right)), counts)
    at = np.repeat(right.starts[of_right] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    wanted = of_left[pair] * width + right.terms[at]
    place = np.searchsorted(keys, wanted)
    inside = place < len(keys)
    place, at, pair, wanted = place[inside], at[inside], pair[inside], wanted[inside]
    hit = keys[place] == wanted
    products = left.weights[place[hit]] * right.weights[at[hit]]
    return np.bincount(pair[hit], products, len(of_right)).astype(np.float64)
