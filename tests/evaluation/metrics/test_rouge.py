"""ROUGE: the reference implementation's numbers on ASCII, and numbers that mean something in other scripts."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tutelage.evaluation.metrics.overlap import Overlap
from tutelage.evaluation.metrics.rouge import LONGEST, common_subsequence, rouge_l, rouge_n, tokens

SCORER = RougeScorer(["rouge1", "rouge2", "rougeL"])
ASCII = st.text(alphabet=[chr(code) for code in range(128)], max_size=60)
FEW_WORDS = st.lists(st.sampled_from(["the", "cat", "don't", "3.5b", "A", "_x_", "...", "1,000"]), max_size=12).map(
    " ".join
)


def ours(answer: str, references: list[str]) -> list[Overlap]:
    return [rouge_n(answer, references, n=1), rouge_n(answer, references, n=2), rouge_l(answer, references)]


@given(ASCII | FEW_WORDS, st.lists(ASCII | FEW_WORDS, min_size=1, max_size=3))
def test_ascii_scores_are_those_of_the_reference_implementation(answer: str, references: list[str]) -> None:
    expected = SCORER.score_multi(references, answer)
    for found, name in zip(ours(answer, references), ("rouge1", "rouge2", "rougeL"), strict=True):
        assert found.f1 == pytest.approx(expected[name].fmeasure, abs=1e-9)
        assert found.precision == pytest.approx(expected[name].precision, abs=1e-9)
        assert found.recall == pytest.approx(expected[name].recall, abs=1e-9)


@given(ASCII)
def test_one_rule_makes_the_tokens_of_all_texts(text: str) -> None:
    expected = re.findall("[a-z0-9]+", text.lower())
    assert tokens(text) == expected
    assert tokens(f"{text} 猫") == [*expected, "猫"]  # read as a text that is not ASCII


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我爱 Python3.11，不爱COBOL", ["我", "爱", "python3", "11", "不", "爱", "cobol"]),
        ("Décidé, l’école", ["décidé", "l", "école"]),
        ("de\u0301cide", ["décide"]),
        ("ＡＢＣ１２　３．５", ["abc12", "3", "5"]),
        ("don’t “stop” — now…", ["don", "t", "stop", "now"]),
        ("カタカナとﾊﾝｶｸ", list("カタカナとハンカク")),
        ("오늘 날씨", ["오늘", "날씨"]),
        ("🐶, 。！", []),
        ("", []),
    ],
)
def test_tokens_of_other_texts(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_chinese_by_hand() -> None:
    one, two, longest = ours("我爱吃苹果", ["我不爱苹果。"])
    assert one == longest == Overlap(4 / 5, 4 / 5)
    assert two == Overlap(1 / 4, 1 / 4)
    assert one.f1 == pytest.approx(0.8)
    assert [found.f1 for found in ours("今天天气很好", ["今天天气很好"])] == [1.0, 1.0, 1.0]


def test_the_best_reference_is_chosen_for_each_number() -> None:
    references = ["d c b a", "a b x y z"]
    one, two, longest = ours("a b c d", references)
    assert one == Overlap(1.0, 1.0)
    assert two == Overlap(1 / 3, 1 / 4)
    assert longest == Overlap(2 / 4, 2 / 5)


@pytest.mark.parametrize("silence", ["", " ", "...", "🐶", "。"])
def test_without_tokens_nothing_is_scored(silence: str) -> None:
    assert {
        found.f1 for found in [*ours(silence, ["a cat"]), *ours("a cat", [silence]), *ours(silence, [silence])]
    } == {0}


def test_the_subsequence_is_the_one_of_the_textbook() -> None:
    chance = random.Random(5)
    for _ in range(50):
        one, two = (chance.choices("abcde", k=chance.randrange(1, 90)) for _ in range(2))
        assert common_subsequence(one, two).precision * len(one) == pytest.approx(_length(one, two))


def _length(one: list[str], two: list[str]) -> int:
    row = [0] * (len(two) + 1)
    for left in one:
        above = row
        row = [0]
        for at, right in enumerate(two):
            row.append(above[at] + 1 if left == right else max(row[at], above[at + 1]))
    return row[-1]


def test_long_texts_are_compared_up_to_a_bound() -> None:
    chance = random.Random(7)
    text, other = ("".join(chance.choices("天地玄黄宇宙洪荒", k=100_000)) for _ in range(2))
    started = time.process_time()
    assert 0.3 < rouge_l(text, [other]).f1 < 1
    assert time.process_time() - started < 5
    assert rouge_l(text + "日", [text + "月"]).f1 == 1.0
    assert rouge_l(text[: LONGEST - 1] + "日", [text[: LONGEST - 1] + "月"]).f1 < 1
