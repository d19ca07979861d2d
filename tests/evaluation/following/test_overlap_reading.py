"""What a prompt and an answer share, and how it is read."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.following.pairs import PAIRS
from tutelage.evaluation.following.calibration import auc, bundled, calibrated
from tutelage.evaluation.following.overlap import learned_idf, overlap
from tutelage.evaluation.following.topic import terms, topic

TEXT = st.text("aeimqu 河桥石", min_size=1, max_size=40)


def grams(text: str) -> Counter[str]:
    """Grams of 2 to 4 characters within words, edges counted, by the definition."""
    found: Counter[str] = Counter()
    for word in topic(text).split():
        padded = f" {word} "
        for size in (2, 3, 4):
            found.update(padded[start : start + size] for start in range(len(padded) - size + 1))
    return found


def cosine(first: Counter[str], second: Counter[str]) -> float:
    one, two = ({gram: 1 + math.log(count) for gram, count in of.items()} for of in (first, second))
    norm = math.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in two.values()))
    return sum(one[gram] * two[gram] for gram in one.keys() & two.keys()) / norm if norm else 0.0


@given(TEXT, TEXT)
def test_cosine_and_shares_are_those_of_the_definition(prompt: str, answer: str) -> None:
    found = overlap([prompt], [answer])
    asked, given_ = grams(prompt), grams(answer)
    assert found.cosine[0] == pytest.approx(cosine(asked, given_), abs=1e-9)
    both = len(asked.keys() & given_.keys())
    assert found.covered[0] == pytest.approx(both / len(asked) if asked else 0)
    assert found.copied[0] == pytest.approx(both / len(given_) if given_ else 0)


def test_a_pair_is_measured_alike_in_any_company() -> None:
    prompts, answers = zip(*(PAIRS * 6), strict=True)  # more than are in memory at once
    together = overlap(prompts, answers)
    for place in (0, 511, 512, len(prompts) - 1):
        alone = overlap([prompts[place]], [answers[place]])
        np.testing.assert_allclose(together.features_RF[place], alone.features_RF[0])


def test_idf_counts_texts() -> None:
    idf = learned_idf(["river", "castle"], ["river bank", "violin"])
    weights = sorted(set(np.round(idf[idf < idf.max()], 5).tolist()))
    assert idf.max() == pytest.approx(math.log(5 / 1))  # of grams that nobody has
    assert weights == pytest.approx([math.log(5 / 3), math.log(5 / 2)], abs=1e-4)


def test_a_topic_leaves_small_words_out() -> None:
    assert topic("Please explain how the river flows.") == "river flows"
    assert topic("请介绍一下黄河的历史") == "黄河 历史"
    assert terms("请介绍一下黄河的长江水") == {"黄河", "长江", "江水"}
    assert topic("what is it? 的了是") == ""


def test_a_calibration_gives_even_odds_at_the_border() -> None:
    found = calibrated(PAIRS, idf=None, found="invented")
    prompts, answers = [list(column) for column in zip(*PAIRS, strict=True)]
    real = found.chances(overlap(prompts, answers).features_RF)
    other = found.chances(overlap(prompts, answers[17:] + answers[:17]).features_RF)
    assert found.pairs == len(PAIRS)
    assert found.auc > 0.95
    assert real.mean() > 0.9 > 0.1 > other.mean()
    assert calibrated(PAIRS, idf=None, found="invented").weights == pytest.approx(found.weights)


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_auc_is_the_share_of_pairs_in_order(higher: list[int], lower: list[int]) -> None:
    pairs = [(one > other) + (one == other) / 2 for one in higher for other in lower]
    assert auc(np.array(higher, float), np.array(lower, float)) == pytest.approx(sum(pairs) / len(pairs))


def test_the_bundled_calibrations_tell_how_they_were_found() -> None:
    assert set(bundled()) == {"en", "zh"}
    width = overlap(["river"], ["river"]).features_RF.shape[1]
    for one in bundled().values():
        assert (len(one.centre), len(one.scale), len(one.weights)) == (width, width, width + 1)
        assert one.pairs > 5_000
        assert one.auc > 0.9
        assert "even rows" in one.found
