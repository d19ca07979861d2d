"""Numbers as answers write them, in English and Chinese, and what must not pass for one."""

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.numeric_answer import number, numeric_match

WRITTEN = {
    "18": (
        "18",
        "18.0",
        "$18",
        "１８",
        "18.",
        "**18**",
        "18%",
        "十八",
        "_18_",
        "¥ 18",
        "USD 18",
        "18元",
        "1.8e1",
        "36/2",
    ),
    "1234.5": ("1,234.5", "$1,234.50", "１，２３４．５", "1{,}234.5", "1234½", "一千二百三十四点五"),
    "-5": ("-5", "−5", "-$5", "$-5", "负五", "minus 5", "x = -5", "是-5度"),
    "1/2": (
        "1/2",
        "0.5",
        ".5",
        "½",
        "\\frac{1}{2}",
        "\\dfrac{2}{4}",
        "二分之一",
        "1:2",
        "3⁄6",
        "\\boxed{\\frac{1}{2}}",
    ),
    "-2/3": ("-2/3", "-\\frac{2}{3}", "负三分之二"),
    "7/2": ("3 1/2", "3½", "3.5", "三点五"),
    "1500000": ("1.5e6", "1.5×10^6", "1.5 \\times 10^{6}", "1.5 million", "150万", "一百五十万", "1,500,000"),
    "12000": ("1万2千", "一万二", "1.2万", "12 thousand", "壹万贰仟", "1万2000"),
    "320": ("三百二十", "三百二"),
    "105": ("一百零五", "一百〇五"),
    "2024": ("二〇二四", "两千零二十四"),
    "120000000": ("一亿二千万", "1.2亿"),
    "1000000000000": ("一万亿", "10^12", "10¹²", "1 trillion"),
    "0.01": ("10^{-2}", "1e-2"),
    "20": ("百分之二十", "20 %", "20\\%"),
    "5": ("5千克", "5千米", "5 km", "5 m²", "5 m^2", "5 cm3"),
}
CHOSEN = [
    ("She has 3 eggs, eats 2, and 1 is left.\n#### 18", 18),
    ("3 + 4 = <<3+4=7>>7\nA: 7\n", 7),
    ("A: 18\r\nBecause 2 of 20 are gone", 18),
    ("The answer is $9 * 2 = $18. I used 2 steps.", 18),
    ("The answer is 18, because 3 are left", 18),
    ("**Answer:** 42", 42),
    ("Final answer: \\boxed{\\$1,200}", 1200),
    ("所以一共是 9 个，答案是18，因为 9×2=18。剩下 3", 18),
    ("答：一共三十二人，分 4 组", 32),
    ("最终答案为：三百二十。", 320),
    ("So it is 5 and then 6.", 6),
    ("总共18个，一起分", 18),
    ("5 - 3 = 2", 2),
    ("between 5-8", 8),
    ("(3)-7", 7),
    ("the answer is 4. No: the answer is 5.", 5),
]
NO_NUMBER = [
    "",
    "   ",
    "...",
    "。。。",
    "🙂",
    "none",
    "H2O",
    "x_1",
    "第三名",
    "统一",
    "万一",
    "千万别",
    "1/0",
    "零分之三",
]


@pytest.mark.parametrize(("value", "texts"), WRITTEN.items())
def test_the_value_counts_and_not_how_it_is_written(value: str, texts: tuple[str, ...]) -> None:
    assert {text: number(text) for text in texts} == dict.fromkeys(texts, Fraction(value))
    assert all(numeric_match(f"It is {text}", [value]) for text in texts)


@pytest.mark.parametrize(("text", "value"), CHOSEN)
def test_the_number_that_the_answer_gives_is_chosen(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", NO_NUMBER)
def test_where_there_is_no_number_none_is_made_up(text: str) -> None:
    assert number(text) is None
    assert not numeric_match(text, ["0", "1", text])


def test_a_marker_without_a_number_is_no_answer() -> None:
    assert number("I counted 18. The answer is unknown") is None
    assert number("#### 18\n\nAnswer:") == 18, "the last marker that has one"


def test_equality_is_exact() -> None:
    assert numeric_match("0.1", ["1/10"])
    assert not numeric_match("0.3333", ["1/3"])
    assert not numeric_match("18.0000000000000000000000001", ["18"])
    assert numeric_match("It takes 7:30", ["7:30"])
    assert not numeric_match("It takes 8:30", ["7:30"])
    assert numeric_match("at 3:00 PM", ["3"])
    assert numeric_match("5", ["4", "5"])
    assert not numeric_match("5", [])


@given(st.integers(0, 10**9), st.integers(0, 3))
def test_whatever_is_written_is_read(value: int, decimals: int) -> None:
    written = f"{value:,}.{'7' * decimals}" if decimals else f"{value:,}"
    exact = Fraction(written.replace(",", ""))
    assert number(f"So we get {written} apples.") == exact
    assert number(f"答案是-{written}") == -exact
    assert number(written.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})) == exact


def in_chinese(value: int) -> str:
    """A number below 10,000 as it is counted aloud."""
    digits, said = "零一二三四五六七八九", ""
    for place, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // place % 10
        if digit:
            said += digits[digit] + unit
        elif said and value % place and not said.endswith("零"):
            said += "零"
    return said or "零"


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_chinese_numerals_are_read_as_they_are_counted(ten_thousands: int, rest: int) -> None:
    assert number(f"是{in_chinese(rest)}") == rest
    if ten_thousands and rest >= 1000:
        assert number(f"{in_chinese(ten_thousands)}万{in_chinese(rest)}") == ten_thousands * 10_000 + rest


ENDLESS = [
    "1",
    "一",
    "十",
    "1,",
    "A: \n",
    "answer is ",
    "答案是1=",
    "1/",
    "一点",
    "\\frac{1",
    "{,}",
    "-",
    "$ ",
    "10^",
    "* ",
]


@pytest.mark.parametrize("piece", ENDLESS)
def test_answers_that_never_stop_are_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    number(piece * (100_000 // len(piece)))
    assert time.perf_counter() - started < 3


def test_numbers_that_never_stop_are_none() -> None:
    assert number("0." + "3" * 5000) is None
    assert number("1e999999999") is None
    assert number("9" * 1000) == 10**1000 - 1


@pytest.mark.shared
def test_the_stored_verdicts_of_gsm8k_come_out(shared: Path) -> None:
    path = shared / "datasets" / "gsm8k" / "example_model_solutions.jsonl"
    counts = {True: 0, False: 0}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for system in row.keys() - {"question", "ground_truth"}:
            stored = row[system]["is_correct"]
            assert numeric_match(row[system]["solution"], [row["ground_truth"]]) == stored, row[system]["solution"]
            counts[stored] += 1
    assert sum(counts.values()) == 4 * 1319
    assert min(counts.values()) > 1000
