"""Token F1: as SQuAD counts in English, by characters in Chinese."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.metrics.overlap import Overlap, bag, best, token_f1, token_overlap

PRINTABLE = st.text(alphabet=[*map(chr, range(32, 127)), "\n", "\r", "\t"], max_size=60)
FEW_WORDS = st.lists(st.sampled_from(["the", "The,", "a", "an", "cat", "cat's", "well-known", "3.5", "--", "A."])).map(
    " ".join
)


def squad_words(text: str) -> Counter[str]:
    """What the definition says: lower case, punctuation out, articles out, split at white space."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return Counter(re.sub(r"\b(a|an|the)\b", " ", text).split())


@given(PRINTABLE | FEW_WORDS, PRINTABLE | FEW_WORDS)
def test_english_is_counted_as_squad_does(answer: str, reference: str) -> None:
    given_words, expected = squad_words(answer), squad_words(reference)
    assert bag(answer) == given_words
    if given_words or expected:
        shared = (given_words & expected).total()
        assert token_f1(answer, [reference]) == pytest.approx(2 * shared / (given_words.total() + expected.total()))


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("the red cat", "A red cat!", 1.0),
        ("red red cat", "red cat cat", 2 / 3),
        ("red cat", "red dog and cat", 2 / 3),
        ("北京大学", "北京的大学。", 8 / 9),
        ("北京，中国", "中国北京", 1.0),
        ("在 Paris 见面", "Paris见面", 2 * 3 / 7),
        ("４２ＫＭ", "42km", 1.0),
        ("don’t", "don't", 1.0),
        ("well-known", "well known", 0.0),
        ("red，blue", "red blue", 1.0),
        ("cafe\u0301", "Café", 1.0),
        ("A", "A", 1.0),
        ("The", "A", 0.0),
        ("A", "A cat", 0.0),
        ("+", "+", 1.0),
        ("+", "-", 0.0),
        ("🐶", "🐶", 1.0),
        ("", "", 0.0),
        ("", "a", 0.0),
        ("", "cat", 0.0),
        ("\r\n", "cat", 0.0),
        ("。", "。", 0.0),
    ],
)
def test_overlap_by_hand(answer: str, reference: str, expected: float) -> None:
    assert token_f1(answer, [reference]) == pytest.approx(expected)
    assert token_f1(reference, [answer]) == pytest.approx(expected)


def test_the_best_reference_counts() -> None:
    assert token_overlap("red cat", ["dog", "red", "red cat sleeps", "cat"]) == Overlap(1.0, 2 / 3)
    assert token_overlap("A", ["cat", "a."]) == Overlap(1.0, 1.0)
    assert best([Overlap(0.5, 1.0), Overlap(1.0, 0.5)]) == Overlap(0.5, 1.0)


def test_shares_of_counts() -> None:
    assert Overlap.of(1, given=2, expected=4) == Overlap(0.5, 0.25)
    assert Overlap.of(1, given=2, expected=4).f1 == pytest.approx(1 / 3)
    assert Overlap.of(0, given=0, expected=4) == Overlap.of(0, given=3, expected=0) == Overlap(0.0, 0.0)
    assert Overlap(0.0, 0.0).f1 == 0.0


def test_long_answers() -> None:
    assert token_f1("cat " * 100_000, ["cat"]) == pytest.approx(2 / 100_001)
