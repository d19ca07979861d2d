"""Sketches estimate what they promise, and hashes tell what they should."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.fillers import without_fillers
from tutelage.curate.near import candidates
from tutelage.curate.shingles import PERMUTATIONS, gram_set, join, read, signatures
from tutelage.curate.slips import Usage

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty", "knoll", "lagoon"]


def test_shared_values_estimate_the_jaccard_similarity() -> None:
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(40):
        text = " ".join(generator.choice(WORDS, size=70))
        other = text[: len(text) * 3 // 4] + " ".join(generator.permutation(WORDS))
        sketches = signatures([text, other]).long
        assert sketches.rows.tolist() == [0, 1]
        one, two = (gram_set(read(each).letters) for each in (text, other))
        true = len(one & two) / len(one | two)
        errors.append(np.mean(sketches.values[0] == sketches.values[1]) - true)
    assert abs(np.mean(errors)) < 0.05  # 40 sketches of 64 values: standard error below 0.01
    assert np.std(errors) < 1.5 * 0.5 / np.sqrt(PERMUTATIONS)


def _pairs(texts: list[str]) -> set[tuple[int, int]]:
    found = candidates(signatures(texts), np.arange(len(texts)))
    return {(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in found}


@given(st.text(alphabet="abcdefgh天地人和", min_size=10, max_size=28), st.data())
def test_one_edit_of_a_short_text_always_is_a_candidate(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 2))
    edits = {
        text[:place] + text[place + 1 :],
        text[:place] + text[place] + text[place:],
        text[:place] + "z" + text[place + 1 :],
        text[:place] + text[place + 1] + text[place] + text[place + 2 :],
    } - {text}
    for edited in edits:
        if len(read(text).letters) >= 5 and len(read(edited).letters) >= 5:
            assert _pairs([text, edited]) == {(0, 1)}


def test_unlike_texts_are_no_candidates() -> None:
    generator = np.random.default_rng(2)
    texts = ["".join(generator.choice(list("abcdefghijklmnopqrstuvwxyz"), size=60)) for _ in range(200)]
    assert _pairs(texts) == set()
    assert _pairs([*texts, texts[0] + "q"]) == {(0, 200)}


def test_words_and_neighbours_are_counted_within_texts() -> None:
    known = join([signatures(["red ink", "red paint"]), signatures(["ink red", "蓝天"])])
    usage = Usage(known.slots, known.counts)
    assert (usage.word("red"), usage.word("ink"), usage.word("天"), usage.word("green")) == (3, 2, 1, 0)
    assert (usage.pair("red", "ink"), usage.pair("ink", "red"), usage.pair("蓝", "天")) == (1, 1, 1)
    assert (usage.pair("paint", "ink"), usage.pair("", "red")) == (0, 0)


def test_fillers_are_taken_out_and_nothing_else() -> None:
    assert without_fillers(("please", "name", "a", "tree")) == ("name", "tree")
    assert without_fillers(tuple("麻烦写一首诗")) == tuple("写一首诗")
    assert without_fillers(("not", "this", "不", "三")) == ("not", "this", "不", "三")


def test_letters_keep_numbers_apart() -> None:
    assert read("1 2 plus 3").letters == "1 2plus3"
    assert read("在 2021 年，好").letters == read("在2021年 好").letters
    assert read("a < b").signs != read("a > b").signs
