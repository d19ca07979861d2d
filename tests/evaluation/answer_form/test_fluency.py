"""Loops, odd characters, stray scripts and word salad."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.doubts import score
from tutelage.evaluation.answer_form.fluency import fluency_doubts

PROMPT = "Tell me about the old bridge over the river."
EN = (
    "The old bridge was built from grey stone by the people of the village. It has three arches, and each of them is "
    "wider than the one before. When the river is high, the water comes near the road, but it has never been over it."
)
ZH = "老桥是村里人用灰色的石头建成的。它有三个拱，每一个都比前一个更宽。河水上涨的时候，水会漫到路边，但从不淹没桥面。"
SENTENCES = ["It stands.", "Yes.", "The arch holds.", "桥很老。", "老桥有三个拱。", "It is 40.", "x = 3"]


def reasons(prompt: str, answer: str) -> set[str]:
    return {doubt.reason for doubt in fluency_doubts(prompt, answer)}


@pytest.mark.parametrize("answer", [EN, ZH, "", "42", "}\n}\n}", "Yes, yes, yes!", "ha ha ha", "| - | - |\n" * 9])
def test_what_people_write_has_no_doubts(answer: str) -> None:
    assert reasons("桥？" if "桥" in answer else PROMPT, answer) == set()


@pytest.mark.parametrize("last", SENTENCES)
@pytest.mark.parametrize("between", [" ", "\n", "\n\n"])
def test_the_last_sentence_ten_times_more_is_a_loop(last: str, between: str) -> None:
    start = ZH if "桥" in last else EN
    prompt = "老桥怎么样？" if "桥" in last else PROMPT
    once, often = (start + between + between.join([last] * times) for times in (1, 11))
    assert reasons(prompt, once) == set()
    assert "loop" in reasons(prompt, often)
    assert score(fluency_doubts(prompt, often)) < score(fluency_doubts(prompt, once))


@given(st.lists(st.sampled_from(["arch", "stone", "river", "road", "tower", "gate"]), min_size=3, max_size=12))
def test_a_loop_of_several_sentences_is_found_wherever_it_stands(block: list[str]) -> None:
    text = " ".join(f"The {word} is old." for word in block)
    found = fluency_doubts(PROMPT, f"{EN} {' '.join([text] * 5)} {EN}")
    assert "loop" in {doubt.reason for doubt in found}


@given(times=st.integers(4, 40))
def test_the_longer_the_loop_the_lower_the_score(times: int) -> None:
    shorter, longer = (score(fluency_doubts(PROMPT, EN + " The bridge is old." * n)) for n in (times, times + 1))
    assert longer < shorter <= 0.5


def test_loops_that_are_asked_for_are_none() -> None:
    assert reasons("Repeat this line: It stands.", "It stands. " * 20) == set()
    assert "loop" in reasons("Find the non-repeating words.", "It stands. " * 20)
    assert reasons("把“老桥”写二十遍。", "老桥，" * 20) == set()


@pytest.mark.parametrize("odd", ["\ufffd", "\x07", "â€™", "Ã©", "\ue000", "锟斤拷"])
def test_odd_characters_are_found_unless_the_prompt_has_them(odd: str) -> None:
    assert "odd characters" in reasons(PROMPT, EN + odd)
    assert "odd characters" not in reasons(f"{PROMPT} {odd}", EN + odd)


def test_a_sprinkle_of_another_script_is_stray_and_a_quoted_word_is_not() -> None:
    assert "stray letters" in reasons(PROMPT, EN + " мост")
    assert "stray letters" in reasons(PROMPT, EN.replace("village", "villаge"))  # a Cyrillic a
    assert "stray letters" not in reasons(PROMPT, EN + " (мост)")
    assert "stray letters" not in reasons("What is мост?", EN + " мост")
    assert "stray letters" in reasons("老桥怎么样？", ZH + "다리")


def test_prose_without_small_words_is_salad() -> None:
    nouns = ["bridge", "stone", "river", "arch", "village", "tower", "market", "garden", "engine", "planet", "forest"]
    salad = " ".join(nouns[(number * 7 + number // 5) % len(nouns)] for number in range(60))
    assert "word salad" in reasons(PROMPT, salad)
    assert "word salad" not in reasons(PROMPT, salad.replace(" ", ", "))
    assert "word salad" in reasons(PROMPT, EN + " " + "qwrtzpsdfg" * 5)
    assert "word salad" not in reasons(PROMPT, EN + " https://example.org/" + "abcdefghij" * 5)


@pytest.mark.parametrize(
    "text", ["桥" * 100_000, "a" * 100_000, "it is. " * 20_000, "| " * 50_000, "�" * 100_000, "\n" * 100_000]
)
def test_long_answers_take_little_time(text: str) -> None:
    start = time.perf_counter()
    fluency_doubts(PROMPT, text)
    assert time.perf_counter() - start < 5


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    assert 0 < score(fluency_doubts(text, text[::-1])) <= 1
