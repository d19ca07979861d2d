"""Answers that belong elsewhere are told from those that belong here, by what the set itself teaches."""

import random

import numpy as np
import pytest

from tutelage.curate.sample import Sample
from tutelage.evaluation.data_map.fit import FEWEST, fit_of
from tutelage.evaluation.data_map.vectors import Texts, cosines, terms_of, vocabulary_of

# What is asked and what is answered share no word: the relation must be learned.
WORLD = {
    "en": [
        ("capital city of {}", ["harbour", "palace", "streets", "mayor", "river"]),
        ("recipe for {}", ["flour", "oven", "stir", "butter", "minutes"]),
        ("song about {}", ["chorus", "melody", "verse", "sing", "rhyme"]),
        ("code that sorts {}", ["loop", "array", "index", "return", "swap"]),
        ("exercise for {}", ["muscles", "breathe", "knees", "repeat", "stretch"]),
    ],
    "zh": [
        ("{}的首都", ["港口", "宫殿", "街道", "市长", "河流"]),
        ("{}的菜谱", ["面粉", "烤箱", "搅拌", "黄油", "分钟"]),
        ("关于{}的歌", ["副歌", "旋律", "诗节", "唱歌", "押韵"]),
        ("给{}排序的程序", ["循环", "数组", "下标", "返回", "交换"]),
        ("{}的锻炼", ["肌肉", "呼吸", "膝盖", "重复", "伸展"]),
    ],
}


def rows(language: str, count: int, *, seed: int = 0) -> tuple[list[Sample], np.ndarray]:
    """Rows of five topics, and the topic of each."""
    chance = random.Random(seed)
    made, topics = [], []
    for _ in range(count):
        topic = chance.randrange(5)
        asked, words = WORLD[language][topic]
        filler = "".join(chance.choices("bcdfg", k=4)) if language == "en" else chr(chance.randrange(0x4E00, 0x9FA0))
        joint = " " if language == "en" else "，"
        answer = joint.join([*chance.sample(words, 4), filler])
        made.append(Sample((asked.format(filler[::-1]),), (answer,), language))
        topics.append(topic)
    return made, np.array(topics)


def swapped(samples: list[Sample], topics: np.ndarray, *, count: int) -> tuple[list[Sample], np.ndarray]:
    """Some rows get the answer of a row of another topic."""
    made, chosen = list(samples), np.arange(count)
    for row in chosen.tolist():
        other = next(one for one in range(count, len(samples)) if topics[one] != topics[row])
        made[row] = Sample(samples[row].prompts, samples[other].answers, samples[row].language)
    return made, chosen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_swapped_answers_are_found_where_no_word_is_shared(language: str) -> None:
    samples, chosen = swapped(*rows(language, 600), count=12)
    fit = fit_of(samples)
    assert fit is not None
    assert fit.auc > 0.8  # an answer from elsewhere is of the same topic in a fifth of the cases
    worst = set(np.argsort(-fit.odds)[:24].tolist())
    assert len(worst & set(chosen.tolist())) >= 11
    assert (fit.odds[chosen] > 0).mean() > 0.9
    assert (fit.odds[12:] < 0).mean() > 0.8


def test_where_answers_are_drawn_by_lot_nothing_is_learned() -> None:
    samples, _ = rows("en", 600)
    order = random.Random(1).sample(range(600), 600)
    mixed = [Sample(one.prompts, samples[at].answers, "en") for one, at in zip(samples, order, strict=True)]
    fit = fit_of(mixed)
    assert fit is not None
    assert fit.auc == pytest.approx(0.5, abs=0.06)


def test_the_same_rows_give_the_same_odds() -> None:
    samples, _ = rows("en", 300)
    first, second = fit_of(samples), fit_of(samples)
    assert first is not None
    assert second is not None
    assert (first.odds == second.odds).all()


def test_few_rows_teach_nothing_and_plain_text_is_passed_over() -> None:
    samples, _ = rows("en", 300)
    assert fit_of(samples[: FEWEST - 1]) is None
    assert fit_of([]) is None
    plain = [Sample((), ("only text",), "en")] * 300
    assert fit_of(plain) is None
    fit = fit_of([*plain, *samples, Sample((" ",), ("answer",), "en"), Sample(("prompt",), ("",), "en")])
    assert fit is not None
    assert np.isnan(fit.odds[:300]).all()
    assert np.isfinite(fit.odds[300:600]).all()
    assert np.isnan(fit.odds[600:]).all()


def test_strange_texts_are_judged_all_the_same() -> None:
    samples, _ = rows("en", 300)
    strange = ["?!...", "🙂🙂🙂", "x" * 100_000, "１２３４５", "a\r\nb\r\n", "中文 and English", "\x00", "\ud800"]
    fit = fit_of([*samples, *(Sample((text,), (text,), "en") for text in strange)])
    assert fit is not None
    assert np.isfinite(fit.odds).all()
    assert np.isfinite(fit.rarity).all()
    alike = fit_of([Sample(("same prompt",), ("same answer",), "en")] * 300)
    assert alike is not None
    assert np.isfinite(alike.odds).all()
    assert alike.auc == pytest.approx(0.5)


def test_cosines_are_those_of_dense_vectors() -> None:
    texts = [terms_of(text) for text in ("a b b c", "b c d", "", "unknown words here", "c c c a")]
    vocabulary = vocabulary_of([*texts[:2], *texts[:2], texts[4], texts[3]])
    sparse = Texts.of(texts, vocabulary)
    dense = np.zeros((len(texts), len(vocabulary)))
    for number, text in enumerate(texts):
        for term, count in text.items():
            if term in vocabulary:
                place, idf = vocabulary[term]
                dense[number, place] = (1 + np.log(count)) * idf
        dense[number] /= np.linalg.norm(dense[number]) or 1.0
    left, right = np.array([0, 0, 1, 2, 3, 4]), np.array([1, 4, 1, 0, 0, 0])
    expected = (dense[left] * dense[right]).sum(axis=1)
    assert (expected > 0).sum() >= 3
    assert cosines(sparse, sparse, pairs=(left, right)) == pytest.approx(expected)


def test_the_basis_holds_what_a_full_decomposition_holds() -> None:
    samples, _ = rows("en", 250)
    texts = [terms_of(one.answer) for one in samples]
    vocabulary = vocabulary_of(texts)
    sparse = Texts.of(texts, vocabulary)
    dense = np.zeros((250, len(vocabulary)))
    dense[sparse.rows(), sparse.terms] = sparse.weights
    basis = sparse.basis(len(vocabulary), seed=0).numpy()
    assert basis.T @ basis == pytest.approx(np.eye(basis.shape[1]), abs=1e-9)
    values = np.linalg.svd(dense, compute_uv=False)[: basis.shape[1]]
    assert np.linalg.norm(dense @ basis) == pytest.approx(np.linalg.norm(values), rel=0.01)
