"""Leaks of evaluation prompts are found in any dress; rows that only sound alike are not."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.decontamination import WIDESPREAD, Index, benchmark, benchmarks
from tutelage.errors import RecipeError
from tutelage.text import words

ENGLISH = (
    "A farmer keeps 17 goats and 23 hens on a hill; how many legs does he count, if two goats hide behind the barn?"
)
CHINESE = "小明有三十七颗玻璃球，他把其中的一半多两颗送给了妹妹，请问他自己还剩下多少颗玻璃球？"
MIXED = "请用Python的pandas库读取sales.csv文件，并按照地区统计每个月的平均销售额，最后画出折线图。"
PROMPTS = [
    ("farm", ENGLISH),
    ("zh", CHINESE),
    ("zh", MIXED),
    ("short", "What is 2+2?"),
    ("short", "Name the largest planet of all."),
    ("short", "Why?"),
    ("short", "Add two:\n5 and 6"),
    ("short", "天空为什么是蓝色的？"),
]
DRESSES = [
    lambda text: text,
    lambda text: text.upper(),
    lambda text: text.replace(" ", "\n  "),
    lambda text: text.replace(",", "").replace("，", " ").replace("；", "").replace(";", " -").rstrip("?？。"),
    lambda text: f"Please help me with my homework. {text} Thank you very much.",
    lambda text: f"请帮帮我：{text}谢谢！",
    lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
    lambda text: text[: int(0.8 * len(text))],
]
INNOCENT = [
    "A farmer keeps goats. How many legs has a hen?",
    "How many legs does he count in the picture of a hill?",
    "小明有一半的玻璃球，请问他的妹妹还剩下多少？",
    "What is 2+2*5?",
    "In the course I asked what is 2 and what is 2 of 2.",
    "Tell me why? I do not know the largest planet of all stars",
    "天空为什么是蓝色的呢，海为什么也是蓝色的",
    "He asked me: why?",
    "",
    "…",
]


@pytest.fixture(scope="module")
def index() -> Index:
    return Index.of(PROMPTS)


@pytest.mark.parametrize("prompt", [ENGLISH, CHINESE, MIXED])
@pytest.mark.parametrize("dress", DRESSES)
def test_a_leak_is_found_in_any_dress(index: Index, prompt: str, dress: "type[str]") -> None:
    text = dress(prompt)
    (match,) = index.matches([text])
    assert match is not None, text
    assert match.prompt == prompt
    assert (match.name, match.prompt) in PROMPTS
    assert match.share >= 0.5
    assert set(words(match.passage)) <= set(words(prompt.casefold()))


@pytest.mark.parametrize("text", INNOCENT)
def test_what_sounds_alike_is_no_leak(index: Index, text: str) -> None:
    assert index.matches([text]) == [None]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("what is 2+2", "What is 2+2?"),
        ("What is 2+2?\nIt is 4.", "What is 2+2?"),
        ("why", "Why?"),
        ("I have one. Name the largest planet of all. Then stop.", "Name the largest planet of all."),
        ("天空为什么是蓝色的\n因为散射。", "天空为什么是蓝色的？"),
        ("Add two:\n\n5 and 6\nThat makes 7 and 8.", "Add two:\n5 and 6"),
    ],
)
def test_short_prompts_are_found_as_texts_lines_and_sentences(index: Index, text: str, prompt: str) -> None:
    (match,) = index.matches([text])
    assert match is not None
    assert (match.prompt, match.share) == (prompt, 1.0)


def test_the_passage_is_what_is_shared() -> None:
    index = Index.of([("farm", ENGLISH), ("zh", CHINESE)])
    text = "Once upon a time a farmer keeps 17 goats and 23 hens on a hill; how many legs do they have in sum?"
    (match,) = index.matches([text], least_share=0)
    assert match is not None
    assert match.passage == "a farmer keeps 17 goats and 23 hens on a hill how many legs"
    assert match.share == pytest.approx(len(words(match.passage)) / len(words(ENGLISH)))
    (chinese,) = index.matches(["听说" + CHINESE[:17] + "卖掉了"], least_share=0)
    assert chinese is not None
    assert chinese.passage == CHINESE[:17].replace("，", "")


def test_of_several_prompts_the_one_that_is_held_most_of_is_named() -> None:
    start = "The train leaves the old station at seven in the morning and"
    prompts = [("a", f"{start} arrives at nine; how fast is it?"), ("b", f"{start} nobody is on it, so who drives it?")]
    matches = Index.of(prompts).matches([prompt + " Be brief." for _, prompt in prompts])
    assert [match and match.name for match in matches] == ["a", "b"]


def test_boilerplate_does_not_count() -> None:
    task = "Choose the correct answer from the following options and write only its letter"
    rare = [("set", f"{task}: {animal}?") for animal in ("cat", "dog")]
    common = [("set", f"{task}: {number}?") for number in range(WIDESPREAD + 1)]
    row = [f"{task}: purple?"]
    assert Index.of(rare).matches(row) != [None]
    index = Index.of(common)
    assert index.widespread > 0
    assert index.matches(row) == [None]
    assert Index.of(common[:1] * 10).matches(row) != [None]  # the same prompt many times is one prompt
    (match,) = index.matches([f"Question\n{task}: 3?"])
    assert match is not None
    assert match.prompt == common[3][1]  # a whole prompt is one, whatever its words


def test_a_long_passage_is_a_leak_whatever_its_share() -> None:
    passage = " ".join(f"word{number}" for number in range(24))
    index = Index.of([("reading", passage + " " + " ".join(f"other{number}" for number in range(100)))])
    assert index.matches([passage]) != [None]
    assert index.matches([passage.removesuffix(" word23")]) == [None]
    assert index.matches([passage.removesuffix(" word23")], least_share=0) != [None]


def test_nothing_to_compare_with() -> None:
    assert Index.of([]).matches(["any text of more than eight words, so that it has n-grams"]) == [None]
    assert Index.of([("empty", " "), ("marks", "?!")]).prompts == ()
    assert Index.of(PROMPTS).matches([]) == []


WORD = st.sampled_from(["a", "b", "c", "1", "猫", "狗", ",", "\n", "。"])
TEXT = st.lists(WORD, max_size=40).map(" ".join)


@given(st.lists(TEXT, max_size=4), TEXT)
def test_n_grams_are_those_of_a_plain_search(prompts: list[str], text: str) -> None:
    """With hashes, cut vocabularies and joined texts, the answer is that of comparing lists of words."""

    def grams(of: str) -> set[tuple[str, ...]]:
        all_words = words(of)
        runs = [tuple(all_words[at : at + n]) for n in (8, 13) for at in range(len(all_words) - n + 1)]
        return {run for run in runs if len(run) == (13 if any(not word.isascii() for word in run) else 8)}

    index = Index.of([("set", prompt) for prompt in prompts])
    (match,) = index.matches([text], least_share=0)
    if any(grams(prompt) & grams(text) for prompt in prompts):
        assert match is not None
    elif match is not None:
        assert match.share == 1
        assert match.prompt in prompts


def test_rows_do_not_run_into_each_other() -> None:
    halves = ENGLISH[: len(ENGLISH) // 2], ENGLISH[len(ENGLISH) // 2 :]
    pieces = [" ".join(words(half)[:7]) for half in halves]
    assert Index.of([("farm", ENGLISH)]).matches(pieces, least_share=0) == [None, None]


def test_many_rows_in_chunks_give_what_each_gives_alone(index: Index) -> None:
    rows = [f"Row {number} says nothing of interest to anybody here." for number in range(5000)]
    leaks = random.Random(0).sample(range(5000), 20)
    for number in leaks:
        rows[number] += f" {ENGLISH}"
    matches = index.matches(iter(rows))
    assert len(matches) == 5000
    assert {number for number, match in enumerate(matches) if match} == set(leaks)


def test_benchmarks_are_found_by_name() -> None:
    assert len(benchmarks()) >= 16
    for name, one in benchmarks().items():
        assert benchmark(name.upper().replace("_", "-")) == one
        assert one.dataset.count("/") == 1
        assert one.split
        assert one.columns
        assert len(set(one.subsets)) == len(one.subsets)
    with pytest.raises(RecipeError) as error:
        benchmark("gsm9k")
    assert "gsm8k" in error.value.remedy


@pytest.mark.shared
def test_real_benchmarks_are_not_found_where_they_are_not(shared: Path) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        lines = (shared / "datasets" / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    held, train = rows("gsm8k/test.jsonl"), rows("gsm8k/train.jsonl")
    index = Index.of(("gsm8k", row["question"]) for row in held)
    assert all(index.matches(f"Q: {row['question']} A: {row['answer']}" for row in held))
    matches = [match for match in index.matches(row["question"] for row in train) if match]
    assert len(matches) <= 0.001 * len(train)
