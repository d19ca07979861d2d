"""Answers that speak of what was asked."""

from statistics import fmean

import pytest

from tests.evaluation.following.pairs import PAIRS
from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.following.component import Component
from tutelage.evaluation.following.relevance import BORDER, FEWEST, Relevance

RELEVANCE = Relevance.bundled()
ASKED = "Why do the old stone bridges of this valley have three arches?"
SAID = (
    "The valley floods each spring, and three arches let more water pass under a stone bridge than a single one would."
)
ELSEWHERE = "To bake bread, mix flour, water, salt and yeast, and knead the dough until it is smooth and soft."
ASKED_ZH, SAID_ZH = "为什么山谷里的老石桥有三个拱？", "山谷每年春天涨水，三个拱能让更多的河水从石桥下面流过。"
ELSEWHERE_ZH = "做面包需要面粉、酵母和盐，把面团揉到光滑为止。"


def relevance(prompt: str, answer: str, *references: str) -> Component:
    return RELEVANCE.scores([Exchange(prompt, answer, references)])[0]


@pytest.mark.parametrize(("prompt", "own", "other"), [(ASKED, SAID, ELSEWHERE), (ASKED_ZH, SAID_ZH, ELSEWHERE_ZH)])
def test_the_border_stands_between_own_and_other_answers(prompt: str, own: str, other: str) -> None:
    assert relevance(prompt, own).score > 0.8 > BORDER > relevance(prompt, other).score
    assert relevance(prompt, own).findings[0].reason == "speaks of what was asked"
    assert relevance(prompt, other).findings[0].reason in ("speaks of something else", "shares nothing with the prompt")
    assert relevance(prompt, other).findings[0].effect < 0


def test_swapped_answers_are_less_relevant_on_average() -> None:
    own = RELEVANCE.scores([Exchange(prompt, answer) for prompt, answer in PAIRS])
    swapped = RELEVANCE.scores([Exchange(PAIRS[at][0], PAIRS[at - 14][1]) for at in range(len(PAIRS))])
    assert fmean(one.score for one in own) > fmean(one.score for one in swapped) + 0.3


@pytest.mark.parametrize("prompt", [ASKED, ASKED_ZH])
def test_an_echo_is_told_and_does_not_pass_the_border(prompt: str) -> None:
    for echo in (prompt, f"  {prompt}\n", prompt.upper(), f"{prompt} {prompt}", f'"{prompt}"'):
        found = relevance(prompt, echo)
        assert found.score <= BORDER
        assert found.findings[0].reason == "repeats the prompt"


def test_a_prompt_that_is_repeated_first_is_left_out() -> None:
    found = relevance(ASKED, f"{ASKED}\n{SAID}")
    assert found.findings[0].reason == "repeats the prompt first"
    assert found.score == pytest.approx(relevance(ASKED, SAID).score)
    assert relevance(ASKED, f"{ASKED}\n{ELSEWHERE}").score < BORDER


def test_what_says_the_reference_is_relevant() -> None:
    assert relevance("Which river is it?", "the NILE.", "The Nile").score == 1
    assert relevance("Which river is it?", "It is the Nile, of course.", "Rhine", "the Nile").score == 1
    assert relevance("是哪条河？", "是黄河。", "黄河").score == 1
    assert relevance(ASKED, ASKED, ASKED).score == 1  # as in tasks that ask for a correction
    assert relevance("Which river is it?", "It is the Niles band.", "the Nile").score < 1
    assert relevance("How many?", "14", "4").score < 1


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("2 + 2?", "4"),
        (ASKED, "Yes"),
        ("", SAID),
        ("Translate into Chinese: the bridge has three old arches.", SAID_ZH),
    ],
)
def test_what_cannot_be_told_stands_at_the_border(prompt: str, answer: str) -> None:
    found = relevance(prompt, answer)
    assert found.score == BORDER
    assert found.findings[-1].reason == "relevance cannot be told"


def test_a_suite_calibrates_itself_where_it_is_large_enough() -> None:
    few, own = Relevance.fitted(PAIRS[: FEWEST // 4]), Relevance.fitted(_many())
    assert few.calibrations["en"] is RELEVANCE.calibrations["en"]
    assert not few.idf
    assert own.calibrations["en"].found == "the suite's own references"
    assert own.calibrations["zh"] is RELEVANCE.calibrations["zh"]
    scored = own.scores([Exchange(*PAIRS[0]), Exchange(PAIRS[0][0], PAIRS[-1][1])])
    assert scored[0].score > BORDER > scored[1].score


def _many() -> list[tuple[str, str]]:
    again = [(asked.replace("Tell me", "Say"), said.replace("morning", "evening")) for asked, said in PAIRS]
    found = [*PAIRS, *again]
    assert len(found) >= FEWEST
    return found


def test_a_score_does_not_depend_on_its_company() -> None:
    exchanges = [Exchange(ASKED, SAID), Exchange(ASKED_ZH, SAID_ZH), Exchange(ASKED, ""), Exchange(ASKED, ELSEWHERE)]
    together = RELEVANCE.scores(exchanges)
    assert [one.score for one in together] == pytest.approx([RELEVANCE.scores([one])[0].score for one in exchanges])
    assert together[2].score == 0
    assert RELEVANCE.scores([]) == []
