"""Prompts that mean the same: by vectors made by hand, against comparing all with all, and by a real small model."""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from tutelage.curate import meaning
from tutelage.curate.duplicates import Duplicate
from tutelage.curate.meaning import COSINE, Vectors, embedder, same_meaning
from tutelage.errors import MissingExtra, ModelError

WORDS = ["how", "to", "bake", "make", "bread", "loaf", "a", "not", "why", "sky", "blue", "怎", "么", "做", "面", "包"]
SENSES = {"bake": "make", "loaf": "bread", "面": "bread", "包": "bread", "做": "make", "怎": "how", "么": "how"}
FAINT = ("a", "to", "not")  # words that hardly count, as in real models


def vector(word: str) -> Vectors:
    sense = SENSES.get(word, word)
    one = np.zeros(len(WORDS) + 1, dtype=np.float32)
    one[WORDS.index(sense) if sense in WORDS else -1] = 0.05 if sense in FAINT else 1.0
    return one


def embed(texts: Sequence[str]) -> Vectors:
    """The mean of the vectors of a text's words, as a static model has it; 0 where there is none."""
    read = [re.findall(r"[a-z]+|[一-鿿]", text.lower()) for text in texts]
    return np.array([np.mean([vector(word) for word in one] or [vector("") * 0], axis=0) for one in read])


def same(
    texts: Sequence[str], scores: Sequence[float] | None = None, settings: Sequence[int] | None = None
) -> list[Duplicate]:
    return same_meaning(
        texts,
        range(len(texts)),
        scores=np.array(scores or [0.0] * len(texts), dtype=np.float32),
        settings=np.array(settings or [0] * len(texts), dtype=np.uint64),
        embed=embed,
    )


def test_prompts_in_other_words_go_for_the_best() -> None:
    texts = ["How to bake a loaf?", "Why blue sky", "How to make bread", "怎么做面包"]
    found = same(texts, [0.1, 0.5, 0.9, 0.3])
    assert [(one.row, one.kept, one.stage) for one in found] == [(0, 2, "meaning"), (3, 2, "meaning")]
    assert all(COSINE <= one.similarity <= 1 for one in found)
    assert [(one.row, one.kept) for one in same(texts)] == [(2, 0), (3, 0)], "of equal ones the first stays"


@pytest.mark.parametrize(
    "other", ["How not to make bread", "How to make bread 2", "How to make bread + a loaf", "?!", ""]
)
def test_denials_numbers_and_signs_make_another_question(other: str) -> None:
    assert same(["How to make bread", other]) == []


def test_what_is_asked_of_the_same_text_decides() -> None:
    text = "bread bread bread bread sky sky blue blue bread\nsky sky sky sky blue bread bread."
    assert same([f"How to make bread\n{text}", f"Why blue\n{text}"]) == []
    assert same([f"{text} How to make bread?", f"{text} Why blue?"]) == []
    assert len(same([f"How to make bread\n{text}", f"How to bake a loaf\n{text}"])) == 1


def test_only_in_the_same_setting() -> None:
    texts = ["How to make bread", "How to bake bread"] * 2
    assert [(one.row, one.kept) for one in same(texts, settings=[1, 2, 2, 1])] == [(2, 1), (3, 0)]


def test_nothing_and_nothing_known_is_no_error() -> None:
    assert same([]) == same(["?"]) == same(["", "", "🙂", "\x00"]) == []


def by_hand(vectors: Vectors, scores: Sequence[float]) -> dict[int, int]:
    """Each row against every better one that stays; the nearest of them is who it goes for."""
    stay, gone = list[int](), dict[int, int]()
    for row in sorted(range(len(vectors)), key=lambda row: (-scores[row], row)):
        cosines = [float(vectors[row] @ vectors[one]) for one in stay]
        best = max(range(len(stay)), key=lambda at: cosines[at], default=None)
        if best is not None and cosines[best] >= COSINE:
            gone[row] = stay[best]
        else:
            stay.append(row)
    return gone


@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 5))
def test_blocks_make_no_difference(seed: int, block: int, beside: int) -> None:
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = draw.integers(0, 5, 40).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meaning, "_BLOCK", block)
        patch.setattr(meaning, "_BESIDE", beside)
        found = same_meaning(
            ["the same"] * 40,
            range(40),
            scores=scores,
            settings=np.zeros(40, dtype=np.uint64),
            embed=_in_turn(vectors[np.lexsort((np.arange(40), -scores))]),
        )
    assert {one.row: one.kept for one in found} == by_hand(vectors, scores.tolist())
    assert found


def _in_turn(vectors: Vectors) -> meaning.Embed:
    """Hands out vectors in the order in which texts are embedded: the best first."""
    given_out = [0]

    def take(texts: Sequence[str]) -> Vectors:
        given_out[0] += len(texts)
        return vectors[given_out[0] - len(texts) : given_out[0]]

    return take


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"tutelage\[semantic\]"):
        embedder("potion")


def small_model(folder: Path) -> Path:
    """A model of this kind on disk, as model2vec writes it."""
    from model2vec import StaticModel

    vocabulary = {word: number for number, word in enumerate([*WORDS, "[UNK]"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.stack([vector(word) for word in WORDS] + [vector("")])
    StaticModel(vectors, tokenizer).save_pretrained(str(folder))
    return folder


@pytest.mark.skipif(find_spec("model2vec") is None, reason="the extra `semantic` is not installed")
def test_a_real_model_embeds_whole_prompts(tmp_path: Path) -> None:
    read = embedder(str(small_model(tmp_path / "model")))
    long = "bread " * 3000
    vectors = read(["how to bake", long + "why", long, "", "unknown words"])
    assert vectors.shape == (5, len(WORDS) + 1)
    assert np.allclose(vectors[0], embed(["how to bake"])[0], atol=1e-6)
    assert not np.array_equal(vectors[1], vectors[2]), "nothing is cut off"
    assert not vectors[3:].any()


@pytest.mark.skipif(find_spec("model2vec") is None, reason="the extra `semantic` is not installed")
@pytest.mark.parametrize("broken", ["missing", "empty", "garbage", "nobody/nothing"])
def test_what_is_no_such_model_is_refused(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    garbage = small_model(tmp_path / "garbage")
    (garbage / "tokenizer.json").write_text("{")
    name = broken if "/" in broken else str(tmp_path / broken)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="no static embeddings can be read"):
        embedder(name)
