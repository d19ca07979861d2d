"""The score of instruction following, and its laws."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.following.pairs import PAIRS
from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.following.component import WEIGHTS, Following
from tutelage.evaluation.following.relevance import Relevance
from tutelage.evaluation.following.score import following

RELEVANCE = Relevance.bundled()
SENTENCES = ["The bridge is old.", "It has three arches!", "Is it of stone?", "People cross it each day."]
SENTENCES_ZH = ["桥很老。", "它有三个拱！", "它是石头做的吗？", "人们每天从桥上走过。"]
ASKED, ASKED_ZH = "Tell me of the old bridge.", "介绍一下老桥。"


def judged(prompt: str, answer: str, *, stopped: bool = True) -> Following:
    return following([Exchange(prompt, answer, stopped=stopped)], RELEVANCE)[0]


def reasons(prompt: str, answer: str) -> set[str]:
    return {finding.reason for finding in judged(prompt, answer).completeness.findings}


def test_the_weights_are_those_of_the_field() -> None:
    assert WEIGHTS == {"format": 0.3, "relevance": 0.4, "completeness": 0.2, "quality": 0.1}
    one = judged(ASKED, SENTENCES[0])
    parts = one.format.score * 0.3 + one.relevance.score * 0.4 + one.completeness.score * 0.2 + one.quality.score * 0.1
    assert one.total == pytest.approx(parts)


@pytest.mark.parametrize("answer", ["", " ", "\r\n\t", "...", "。！", "—", "\u200b", "\x00"])
def test_an_empty_answer_has_nothing(answer: str) -> None:
    found = judged(ASKED, answer)
    assert [one.score for one in found.components.values()] == [0, 0, 0, 0]
    assert found.total == 0
    assert all(one.findings for one in found.components.values())


@given(st.lists(st.sampled_from(SENTENCES + SENTENCES_ZH), min_size=1, max_size=6), st.data())
def test_truncating_a_whole_answer_never_raises_its_completeness(sentences: list[str], data: st.DataObject) -> None:
    answer = " ".join(sentences)
    cut = data.draw(st.integers(0, len(answer)))
    assert judged(ASKED, answer).completeness.score == 1
    assert judged(ASKED, answer[:cut]).completeness.score <= judged(ASKED, answer).completeness.score


@given(given_=st.integers(1, 6), data=st.data())
def test_truncating_a_list_that_is_too_short_never_raises_its_completeness(given_: int, data: st.DataObject) -> None:
    answer = "\n".join(f"{number}. The bridge of {number}00 is old." for number in range(1, given_ + 1))
    cut = data.draw(st.integers(0, len(answer)))
    whole, part = (judged("List five old bridges.", text).completeness.score for text in (answer, answer[:cut]))
    assert (whole == 1) is (given_ >= 5)
    assert part <= whole


@pytest.mark.parametrize(("prompt", "sentences"), [(ASKED, SENTENCES), (ASKED_ZH, SENTENCES_ZH)])
def test_an_answer_that_is_cut_within_its_last_sentence_is_less_complete(prompt: str, sentences: list[str]) -> None:
    answer = " ".join(sentences) if prompt is ASKED else "".join(sentences)
    assert judged(prompt, answer).completeness.score == 1
    assert judged(prompt, answer[:-3]).completeness.score < 1
    assert judged(prompt, answer, stopped=False).completeness.score < 1


@pytest.mark.parametrize(("prompt", "sentences"), [(ASKED, SENTENCES), (ASKED_ZH, SENTENCES_ZH)])
@given(data=st.data())
def test_the_last_sentence_ten_times_more_lowers_quality(
    prompt: str, sentences: list[str], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sentences), min_size=1, max_size=3, unique=True))
    once, often = (judged(prompt, " ".join(chosen + [chosen[-1]] * times)) for times in (0, 10))
    assert once.quality.score == 1
    assert often.quality.score < 0.5
    assert often.total < once.total


def test_refusals_promises_and_open_questions_are_told() -> None:
    assert reasons(ASKED, "I'm sorry, but I cannot help with that request.") == {"refusal"}
    assert reasons("List five old bridges.", "1. Rialto\n2. Charles\n3. Tower") == {"fewer items than promised"}
    assert reasons(ASKED, "TODO") == {"placeholder answer"}
    assert reasons("列出五座老桥。", "1. 赵州桥\n2. 卢沟桥\n3. 广济桥") == {"fewer items than promised"}


@pytest.mark.parametrize(
    ("prompt", "answer", "is_open"),
    [
        ("Who built the bridge? When did it collapse? What did the repair cost?", "The Romans built it.", True),
        ("Who built the bridge? When did it collapse?", "The Romans built it. It collapsed in 1640.", False),
        ("Who built the bridge? When did it collapse?", "Built by Romans, it collapsed in 1640.", False),
        ("Who built the bridge?", "The Romans.", False),
        ("谁建了桥？桥什么时候倒塌的？修理费是多少？", "罗马人建了桥。", True),
        ("谁建了桥？桥什么时候倒塌的？", "罗马人建了桥，后来倒塌了。", False),
        ("Correct it: who are you? where is you? he is here.", "Who are you?", False),
    ],
)
def test_questions_without_an_answer_are_open(prompt: str, answer: str, is_open: bool) -> None:
    assert ("questions left open" in reasons(prompt, answer)) is is_open


@given(st.text(max_size=150), st.text(max_size=150))
def test_every_component_is_between_0_and_1(prompt: str, answer: str) -> None:
    found = judged(prompt, answer)
    assert all(0 <= one.score <= 1 for one in found.components.values())
    assert 0 <= found.total <= 1


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_do_not_matter(ends: str) -> None:
    answer = "1. The bridge is old.\n2. It has arches.\n\nIt stands."
    assert judged(ASKED, answer.replace("\n", ends)) == judged(ASKED, answer)


def test_scores_do_not_depend_on_their_company_or_order() -> None:
    exchanges = [Exchange(*pair) for pair in PAIRS[:20]] + [Exchange(ASKED_ZH, "".join(SENTENCES_ZH)), Exchange("", "")]
    together = following(exchanges, RELEVANCE)
    backwards = following(exchanges[::-1], RELEVANCE)[::-1]
    assert [one.total for one in together] == pytest.approx([one.total for one in backwards])
    assert [one.total for one in together] == pytest.approx([following([one], RELEVANCE)[0].total for one in exchanges])


@pytest.mark.parametrize(
    "text",
    [
        "桥" * 100_000,
        "a" * 100_000,
        "It is. " * 15_000,
        "(" * 100_000,
        "1. a\n" * 25_000,
        "“" * 100_000,
        "😀" * 100_000,
    ],
)
def test_a_hundred_thousand_characters_take_seconds_at_most(text: str) -> None:
    start = time.perf_counter()
    judged(ASKED, text)
    judged(text, "It is old.")
    assert time.perf_counter() - start < 10


@pytest.mark.shared
@pytest.mark.parametrize("name", ["alpaca", "ruozhiba"])
def test_real_references_score_well_above_shuffled_cut_and_looped_ones(name: str, shared: Path) -> None:
    from benchmarks.following import SPOILT, calibration_figures

    found = calibration_figures(name, RELEVANCE, most=200)
    assert found["n"] == 200
    assert set(SPOILT) == {"shuffled", "truncated", "looped"}
    assert found["real"]["total"] > found["shuffled"]["total"] + 0.2
    assert found["shuffled"]["auc"] > 0.9
    assert found["real"]["completeness"] > found["truncated"]["completeness"] + 0.1
    assert found["looped"]["paired"] > 0.95
    assert found["completeness raised by cutting"] <= 4
