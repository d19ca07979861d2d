"""Scores of whole rows: what goes into them, and what they do not depend on."""

import pickle
from dataclasses import replace

import pytest

from tutelage.curate.consistency import consistency_doubts
from tutelage.curate.doubts import score
from tutelage.curate.length import length_doubts
from tutelage.curate.quality import WEIGHTS, assess
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import Sample
from tutelage.text import language

NO_EVIDENCE = Relevance.fit([])
GOOD = Sample(("What do bees do?",), ("Bees gather nectar and make honey. They live in hives.",), "en")
CUT = Sample(("What do bees do?",), ("Bees gather nectar and make honey. They live in the",), "en")
GOOD_ZH = Sample(("蜜蜂做什么？",), ("蜜蜂采集花蜜并酿造蜂蜜。它们住在蜂巢里。",), "zh")
CUT_ZH = Sample(("蜜蜂做什么？",), ("蜜蜂采集花蜜并酿造蜂蜜。它们住在",), "zh")


def test_good_rows_score_one_and_cut_ones_less() -> None:
    good, cut, good_zh, cut_zh = assess([GOOD, CUT, GOOD_ZH, CUT_ZH], NO_EVIDENCE)
    for one in (good, good_zh):
        assert (one.overall, one.completeness, one.length, one.consistency, one.reasons) == (1, 1, 1, 1, ())
    for one in (cut, cut_zh):
        assert one.completeness < 0.6
        assert one.overall < 1
        assert [doubt.reason for doubt in one.reasons] == ["cut off"]


def test_the_overall_score_is_the_weighted_mean_of_what_there_is() -> None:
    (cut,) = assess([CUT], NO_EVIDENCE)
    assert cut.relevance is None
    rest = WEIGHTS["completeness"] + WEIGHTS["length"] + WEIGHTS["consistency"]
    assert cut.overall == pytest.approx(
        (WEIGHTS["completeness"] * cut.completeness + rest - WEIGHTS["completeness"]) / rest
    )
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    about = [f"the tale of {first} and {second}" for first in ("bees", "wolves", "ships", "owls", "smiths", "elks")
             for second in ("rain", "gold", "bread", "winter", "music", "horses", "fog")]  # fmt: skip
    samples = [
        Sample((f"Tell me {tale}.",), (f"Once, in {tale}, all was well. Then {tale} ended.",), "en") for tale in about
    ]
    scores = assess(samples, Relevance.fit(samples))
    told = [one for one in scores if one.relevance is not None]
    assert told
    for one in told:
        parts = {"completeness": one.completeness, "length": one.length, "consistency": one.consistency}
        expected = sum(WEIGHTS[name] * part for name, part in parts.items()) + WEIGHTS["relevance"] * (
            one.relevance or 0
        )
        assert one.overall == pytest.approx(expected)


def test_the_worst_exchange_decides() -> None:
    both = Sample(GOOD.prompts + CUT.prompts, GOOD.answers + CUT.answers, "en")
    alone, together = assess([CUT, both], NO_EVIDENCE)
    assert together.completeness == alone.completeness < 0.6


def test_plain_text_and_rows_without_answers() -> None:
    text, nothing = assess([Sample((), GOOD.answers, "en"), Sample((), (), "und")], NO_EVIDENCE)
    assert (text.overall, text.relevance) == (1, None)
    assert nothing.overall == 0


def test_scores_do_not_depend_on_the_chunk_and_can_be_sent_to_workers() -> None:
    samples = [GOOD, CUT, GOOD_ZH, CUT_ZH, replace(GOOD, answers=("No.",))] * 3
    whole = assess(samples, NO_EVIDENCE)
    parts = [one for start in range(0, len(samples), 4) for one in assess(samples[start : start + 4], NO_EVIDENCE)]
    assert pickle.loads(pickle.dumps(parts)) == whole
    assert len({one.overall for one in whole}) > 1


@pytest.mark.parametrize(
    ("prompt", "answer", "reason"),
    [
        ("Explain why the sky is blue.", "Light.", "too short"),
        ("解释天空为什么是蓝色的。", "光。", "too short"),
        ("Write an essay about bees.", "Bees are nice animals.", "too short"),
        ("写一篇关于蜜蜂的文章。", "蜜蜂是可爱的动物。", "too short"),
        ("Write 200 words about bees.", "Bees are nice animals. They fly and sing.", "too short"),
        ("用300字介绍蜜蜂。", "蜜蜂是可爱的动物，会飞。", "too short"),
        ("Say something.", "   ", "empty answer"),
        ("Say something.", "word " * 9_000, "far too long"),
        ("说点什么。", "字" * 9_000, "far too long"),
    ],
)
def test_lengths_that_do_not_suit_the_task(prompt: str, answer: str, reason: str) -> None:
    found = length_doubts(prompt, answer)
    assert [doubt.reason for doubt in found] == [reason]
    assert score(found) < 1


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Suggest a title for an essay about bees.", "The Life of Bees"),
        ("给关于蜜蜂的文章起个标题。", "蜜蜂的一生"),
        ("Is it positive or negative?\nGreat!", "Positive"),
        ("Summarise in at most 100 words.\nBees fly.", "Bees fly."),
        ("用100字以内总结。\n蜜蜂会飞。", "蜜蜂会飞。"),
        ("What is the capital of Peru?", "Lima"),
        ("秘鲁的首都是哪里？", "利马"),
    ],
)
def test_short_answers_are_right_for_most_tasks(prompt: str, answer: str) -> None:
    assert length_doubts(prompt, answer) == ()


LONG_EN = "The bees live in a hive near the house and they gather nectar from the flowers of the garden, "
LONG_ES = "Las abejas viven en una colmena cerca de la casa y recogen el néctar de las flores del jardín todo el día, "
LONG_ZH = "蜜蜂住在房子附近的蜂巢里，它们从花园的花朵中采集花蜜，然后带回蜂巢酿造蜂蜜。"


@pytest.mark.parametrize(
    ("prompt", "answer", "reason"),
    [
        ("请介绍一下蜜蜂的生活习性。", LONG_EN * 2, "other language"),
        ("Please tell me what the bees do all day long.", LONG_ZH, "other language"),
        ("Please tell me what the bees do all day long.", LONG_ES * 3, "other language"),
        ("Return the name and the age as JSON.\nTom, 7", "The name is Tom and the age is seven.", "not JSON"),
        ("请以JSON格式返回姓名和年龄。\n小明，7岁", "姓名是小明，年龄是七岁。", "not JSON"),
        ("Describe bees.", "## Bees\n\n<b>Bees</b> fly and **sing**.", "mixed markup"),
    ],
)
def test_forms_that_were_not_asked_for(prompt: str, answer: str, reason: str) -> None:
    found = consistency_doubts(prompt, answer, language=language(f"{prompt}\n{answer}"))
    assert [doubt.reason for doubt in found] == [reason]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("请介绍一下蜜蜂的生活习性。", LONG_ZH),
        ("把下面的句子翻译成英文。\n" + LONG_ZH, LONG_EN),
        ("Translate to Spanish: " + LONG_EN, LONG_ES * 3),
        ("Please tell me in Chinese what the bees do all day long.", LONG_ZH),
        ("总结一下：\n" + LONG_EN * 3, LONG_ZH),  # asked about a text in another language
        ("请写一个把两个数字相加的函数。", "def add(first, second):\n    total = first + second\n    return total"),
        (
            "推荐一些纽约的餐馆给我的朋友们。",
            "Magnolia Bakery, Katz's Delicatessen, Juniors Cheesecake, Peter Luger Steak House",
        ),
        ("生成一个从一到十的数字序列。", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        ("Return the name and the age as JSON.\nTom, 7", 'Here:\n```json\n{"name": "Tom", "age": 7}\n```'),
        ("Write HTML with a heading.", "<h1>Bees</h1>\n<p>**Bees** fly</p>"),
        ("¿Qué hacen las abejas en el jardín de la casa?", LONG_ES * 3),
    ],
)
def test_forms_that_follow_the_prompt(prompt: str, answer: str) -> None:
    assert consistency_doubts(prompt, answer, language=language(f"{prompt}\n{answer}")) == ()
