"""Prompts that mean the same in other words, by static embeddings (model2vec): the mean of vectors that stand ready for
each token. No network is computed, so a processor embeds tens of thousands of prompts a second.

Such a vector knows no order of words and little of small ones. So what is near in meaning must also have the same
numbers and signs and deny as often, and where a text is quoted, what is asked of it must be near in meaning by itself.
A row goes for the nearest one that stays.

Shapes: N rows, D dimensions, B rows of a block, K rows that stay.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from tutelage.curate.duplicates import Duplicate, Texts
from tutelage.curate.shingles import I64, read
from tutelage.curate.slips import request, same_figures
from tutelage.errors import MissingExtra, ModelError

COSINE = 0.9
_BLOCK = 1024  # rows that are compared together
_BESIDE = 8192  # rows that stay, with which they are compared at a time
_TRIED = 8  # of the rows that are near in meaning, the nearest so many are read

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts -> a vector for each; (texts, D)."""


def embedder(name: str) -> Embed:
    """A model of static embeddings.

    Args:
        name: a folder, or the id of a model on the Hub.

    Raises:
        MissingExtra: model2vec is not installed.
        ModelError: no such model, or none of this kind.
    """
    if find_spec("model2vec") is None:
        raise MissingExtra("model2vec", "semantic")
    from model2vec import StaticModel

    try:
        model = StaticModel.from_pretrained(name, force_download=False)
    except Exception as error:  # the Hub, safetensors and JSON have their own; tokenizers raises nothing narrower
        raise ModelError(
            f"no static embeddings can be read: {type(error).__name__}: {str(error).strip()[:200]}",
            code="model-files",
            place=name,
            expected="a folder or a Hub model of model2vec",
            remedy="--set curate.semantic_model=minishlab/potion-multilingual-128M",
        ) from None

    def embed(texts: Sequence[str]) -> Vectors:
        # In full: what differs at the end of a long prompt makes another question.
        found = model.encode(list(texts), max_length=None, use_multiprocessing=False)
        return np.asarray(found, dtype=np.float32)

    return embed


def same_meaning(
    texts: Texts,
    rows: Sequence[int],
    *,
    scores: npt.NDArray[np.float32],
    settings: npt.NDArray[np.uint64],
    embed: Embed,
) -> list[Duplicate]:
    """Which of some rows mean the same as a better one among them, ascending by row. Memory: a vector for each row.

    Args:
        scores, settings: of all texts, as in `duplicates.clustered`.
    """
    order = np.asarray(rows, dtype=np.int64)
    order = order[np.lexsort((order, -scores[order], settings[order]))]
    found = list[Duplicate]()
    for group in np.split(order, np.flatnonzero(np.diff(settings[order])) + 1):
        if len(group) > 1:
            found += _Nearest(texts, group, embed).duplicates()
    return sorted(found, key=lambda one: one.row)


def _embedded(texts: Texts, rows: I64, embed: Embed) -> Vectors:
    vectors_ND = np.zeros((0, 0), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = _units([texts[row] for row in rows[start : start + _BLOCK].tolist()], embed)
        if not start:
            vectors_ND = np.empty((len(rows), part.shape[1]), dtype=np.float32)
        vectors_ND[start : start + len(part)] = part
    return vectors_ND


def _units(texts: Sequence[str], embed: Embed) -> Vectors:
    """Unit vectors; 0 for texts without a token that the model knows."""
    vectors = embed(texts)
    units: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return units


class _Nearest:
    """Compares rows with the better ones that stay, block by block."""

    def __init__(self, texts: Texts, rows: I64, embed: Embed) -> None:
        self._texts, self._rows, self._embed = texts, rows, embed
        self._vectors_ND = _embedded(texts, rows, embed)
        self._stay = list[int]()  # positions

    def duplicates(self) -> list[Duplicate]:
        """The rows that go."""
        found = list[Duplicate]()
        for start in range(0, len(self._rows), _BLOCK):
            block = range(start, min(start + _BLOCK, len(self._rows)))
            nearest, within_BB = self._nearest(block), self._cosines(block, block)
            first = len(self._stay)
            for at, place in enumerate(block):
                inside = np.array(self._stay[first:], dtype=np.int64)
                near = nearest[at] + _near(within_BB[at, inside - start], inside)
                if one := self._like(place, near):
                    found.append(one)
                else:
                    self._stay.append(place)
        return found

    def _nearest(self, block: range) -> list[list[tuple[float, int]]]:
        """Of each row of a block, (cosine, position) of the nearest rows of earlier blocks that stay."""
        found: list[list[tuple[float, int]]] = [[] for _ in block]
        for start in range(0, len(self._stay), _BESIDE):
            stay = np.array(self._stay[start : start + _BESIDE], dtype=np.int64)
            cosines_BK = self._cosines(block, stay)
            for at in np.flatnonzero((cosines_BK >= COSINE).any(axis=1)).tolist():
                found[at] += _near(cosines_BK[at], stay)
        return found

    def _cosines(self, block: range, others: I64 | range) -> Vectors:
        beside_KD = (
            self._vectors_ND[others.start : others.stop] if isinstance(others, range) else self._vectors_ND[others]
        )
        cosines: Vectors = self._vectors_ND[block.start : block.stop] @ beside_KD.T
        return cosines

    def _like(self, place: int, near: list[tuple[float, int]]) -> Duplicate | None:
        row = int(self._rows[place])
        for cosine, other in sorted(near, key=lambda one: (-one[0], one[1]))[:_TRIED]:
            kept = int(self._rows[other])
            texts = self._texts[row], self._texts[kept]
            if same_figures(*map(read, texts)) and self._same_request(*texts):
                return Duplicate(row, kept, "meaning", min(cosine, 1.0))
        return None

    def _same_request(self, first: str, second: str) -> bool:
        parts = [pair for pair in zip(request(first), request(second), strict=True) if all(pair)]
        units = [_units(pair, self._embed) for pair in parts if pair[0] != pair[1]]
        return all(float(one @ other) >= COSINE for one, other in units)


def _near(cosines: Vectors, positions: I64) -> list[tuple[float, int]]:
    """(cosine, position) of the nearest that are near enough."""
    enough = np.flatnonzero(cosines >= COSINE)
    nearest = enough[np.argsort(-cosines[enough], kind="stable")[:_TRIED]]
    return list(zip(cosines[nearest].tolist(), positions[nearest].tolist(), strict=True))
