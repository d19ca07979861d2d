"""What prompts surely demand of the form of their answers."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.following.demands import demands


def kinds(prompt: str) -> list[str]:
    return [demand.kind for demand in demands(prompt)]


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("List the planets in JSON.", "json"),
        ("Return a JSON object with the name and the age.", "json"),
        ("以 JSON 格式输出姓名和年龄。", "json"),
        ("Compare cats and dogs in a table.", "table"),
        ("用表格比较猫和狗。", "table"),
        ("Write a Python function that adds two numbers.", "code"),
        ("用 Python 编写一个加法函数。", "code"),
        ("Summarize the text in bullet points.", "bullets"),
        ("用无序列表列出优点。", "bullets"),
        ("Give me a numbered list of rivers.", "numbered"),
        ("Give step-by-step instructions for making tea.", "steps"),
        ("请一步一步说明怎样泡茶。", "steps"),
        ("Describe the sea in one word.", "one_word"),
        ("用一个词形容大海。", "one_word"),
        ("How many are there? Answer with only a number.", "number_only"),
        ("只输出数字。", "number_only"),
        ("Is water wet? Answer yes or no.", "yes_no"),
        ("水是湿的吗？请回答是或否。", "yes_no"),
        ("True or false: water is wet.", "true_false"),
        ("判断下面的说法正确或错误。", "true_false"),
        ("Suggest a catchy title for this article.", "title"),
        ("给这篇文章写一个标题。", "title"),
        ("Write the answer in capital letters.", "uppercase"),
        ("全部用小写字母。", "lowercase"),
        ("Translate this into French: good day.", "language"),
        ("把这句话翻译成英文。", "language"),
    ],
)
def test_a_demand_is_found(prompt: str, kind: str) -> None:
    assert kinds(prompt) == [kind]


@pytest.mark.parametrize(
    ("prompt", "kind", "low", "high"),
    [
        ("Describe it in 50 words or less.", "words", 1, 50),
        ("Describe it in no more than 1,000 words.", "words", 1, 1000),
        ("Write at least two hundred words.", "words", 200, inf),
        ("Write at least 20 words.", "words", 20, inf),
        ("Write between 100 and 150 words.", "words", 100, 150),
        ("Write 150-100 words.", "words", 100, 150),
        ("Write a 500-word essay.", "words", 500, 500),
        ("Explain gravity in two sentences.", "sentences", 2, 2),
        ("In a single sentence, explain gravity.", "sentences", 1, 1),
        ("Write exactly three paragraphs.", "paragraphs", 3, 3),
        ("Use under 140 characters.", "characters", 1, 140),
        ("Sum it up in 3 bullet points.", "bullets", 3, 3),
        ("用不超过五十字回答。", "han", 1, 50),
        ("写一篇 300 字左右的文章。", "han", 300, 300),
        ("写一篇不少于两百字的文章。", "han", 200, inf),
        ("写 100 到 150 字。", "han", 100, 150),
        ("用一句话概括。", "sentences", 1, 1),
        ("用３句话概括。", "sentences", 3, 3),
        ("字数在一百二十字以内。", "han", 1, 120),
        ("分三段描述。", "paragraphs", 3, 3),
    ],
)
def test_counts_have_their_bounds(prompt: str, kind: str, low: float, high: float) -> None:
    found = next(demand for demand in demands(prompt) if demand.kind == kind)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "What is a river?",
        "Do not use bullet points, but not in JSON either.",
        "List five rivers, each in one sentence.",
        'What does "answer yes or no" mean?',
        "Generate a comedy sketch with 3 characters.",
        "What is a multiplication table?",
        "Count the words: in the house there are 3 sentences of Latin.",
        "How to write a Python function well?",
        "Read the table of contents.",
        "Write a story titled “In a table”.",
        "Write the first part in 3 sentences and the second part in 5 sentences.",
        "不要用表格回答。",
        "每段用三句话描述。",
        "什么是 JSON？",
        "表格里的数字是什么意思？",
        "这篇文章有 300 个字母。",
    ],
)
def test_what_is_not_surely_demanded_is_not_found(prompt: str) -> None:
    assert demands(prompt) == ()


def test_several_demands_stand_side_by_side() -> None:
    assert set(kinds("In JSON, answer in French with at most 20 words.")) >= {"json", "words"}
    assert kinds("用英文回答，不超过 20 个字。") == ["han", "language"]


def test_demands_stand_at_the_start_and_at_the_end_of_a_long_prompt() -> None:
    passage = "The river is long and old. " * 400
    assert kinds("Sum it up in two sentences.\n" + passage) == ["sentences"]
    assert kinds(passage + "\nSum it up in two sentences.") == ["sentences"]
    assert kinds(passage + "\nSum it up in two sentences.\n" + passage) == []


@given(st.integers(1, 9_999))
def test_chinese_numerals_are_the_numbers_that_they_write(number: int) -> None:
    written, digits = "", "〇一二三四五六七八九"
    for power, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        if digit := number // power % 10:
            written += digits[digit] + unit
    if len(written) <= 5 and "0" not in str(number).rstrip("0"):
        assert demands(f"用不超过{written}字回答。")[0].high == number


@given(st.text(max_size=200))
def test_no_prompt_is_too_odd(text: str) -> None:
    assert all(demand.low <= demand.high for demand in demands(text))
