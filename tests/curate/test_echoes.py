"""Held-out prompts that are trained are found in other dress, and others are left alone, as deduplication has it."""

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest

from tutelage.curate.duplicates import Duplicate, clusters
from tutelage.curate.echoes import Asked, echoes

TRAINED = [
    "Describe how glaciers shaped the valleys of the Alps",
    "What is 12 + 7?",
    "介绍一下北京的历史和文化",
    "Name a bird of prey that hunts at night",
    "List three large cities in Europe",
    "Why do people love old violins so much?",
    "hi!",
]


def found(held: Sequence[str], trained: Sequence[str] = TRAINED) -> list[Duplicate]:
    asked = [Asked(one) for one in trained]
    return echoes([Asked(one) for one in held], lambda: asked)


@pytest.mark.parametrize(
    ("held", "kept", "stage"),
    [
        ("describe how glaciers shaped the valleys of the ALPS.", 0, "exact"),
        ("Describe how glacires shaped the valleys of the Alps", 0, "short"),
        ("请介绍一下北京的历史和文化。", 2, "short"),
        ("介绍一下北京的历吏和文化", 2, "short"),
        ("Please list three large cities, in Europe", 4, "short"),
        ("Ｗhy do people love old violins so much", 5, "exact"),
        ("HI", 6, "exact"),
    ],
)
def test_the_same_prompt_in_other_dress_is_found(held: str, kept: int, stage: str) -> None:
    (one,) = found(["Tell me of the sea", held])
    assert (one.row, one.kept, one.stage) == (1, kept, stage)


@pytest.mark.parametrize(
    "held",
    [
        "What is 12 + 9?",
        "介绍一下南京的历史和文化",
        "Name a bird of prey that sings at night",
        "Why do people loathe old violins so much?",
        "ho!",
        "",
        "?!",
        "🙂" * 20,
        "\ud800",
        "a" * 100_000,
    ],
)
def test_another_prompt_is_left_alone(held: str) -> None:
    assert found([held]) == []


def test_only_in_the_same_setting_are_prompts_the_same() -> None:
    held = [Asked("Name a bird of prey that hunts at night", b"Answer in verse.")]
    for setting, count in ((b"", 0), (b"Answer in verse.", 1)):
        trained = [Asked("name a brid of prey that hunts at night", setting)]
        assert len(echoes(held, lambda trained=trained: trained)) == count


def test_of_several_the_first_equal_one_is_named_else_the_most_alike() -> None:
    near, equal = "Name a brid of prey that hunts at night", "name a bird of prey that hunts at night!"
    (one,) = found([TRAINED[3]], [near, equal, equal])
    assert (one.kept, one.stage) == (1, "exact")
    (one,) = found([TRAINED[3]], ["Name a brid of pery that hunts at night", near])
    assert (one.kept, one.stage) == (1, "short")


def test_nothing_held_or_nothing_trained_is_no_error() -> None:
    assert found([]) == found(["Why?"], []) == found([], []) == []


def _slipped(draw: random.Random, text: str) -> str:
    place = draw.randrange(1, len(text))
    return draw.choice((text[:place] + text[place + 1 :], text[:place] + text[place - 1] + text[place:], f"{text} ?"))


def test_what_deduplication_finds_is_found() -> None:
    draw = random.Random(2)
    names = ["".join(draw.choices("aeioubdklmnrst", k=7)) for _ in range(4000)]
    forms = ("Who was the first to cross the river {} by boat?", "Describe {} to a child", "请写一篇关于{}的短文")
    trained = [draw.choice(forms).format(name) for name in names]
    held = [_slipped(draw, text) for text in trained[:300]] + ["What is the weight of a cloud?"] * 20
    scores = np.r_[np.ones(len(held)), np.zeros(len(trained))].astype(np.float32)
    same = clusters([*held, *trained], scores).duplicates
    expected = {one.kept for one in same if one.kept < len(held) <= one.row}
    assert len(expected) > 200
    told = {one.row for one in found(held, trained)}
    assert len(told & expected) >= 0.97 * len(expected)
    assert max(told) < 300


def test_many_rows_of_one_pattern_take_little_time() -> None:
    draw = random.Random(3)
    trained = [
        f"Write a poem about {draw.randrange(10**6)} and a {''.join(draw.choices('abc', k=6))}" for _ in range(20_000)
    ]
    start = time.process_time()
    found(trained[:1000], trained[1000:])
    assert time.process_time() - start < 10
