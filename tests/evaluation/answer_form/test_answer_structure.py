"""What answers are built of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.answer_form.structure import (
    bullets,
    fenced,
    headed,
    items,
    json_of,
    numbers,
    paragraphs,
    skipped,
    tabled,
    unified,
)

MARKS = ("{}. ", "{}) ", "({}) ", "{}、", "（{}）", "{}：", "Step {}: ", "**{}.** ", "第{}点，")


@pytest.mark.parametrize("mark", MARKS)
@given(count=st.integers(2, 30))
def test_numbered_lines_are_counted_whatever_their_mark(mark: str, count: int) -> None:
    text = "\n".join(f"{mark.format(number)}pear" for number in range(1, count + 1))
    assert numbers(text) == list(range(1, count + 1))
    assert items(text) == count
    assert skipped(text) is None


@pytest.mark.parametrize("mark", ["-", "*", "•", "+", "·", "–"])
@given(count=st.integers(2, 30))
def test_bulleted_lines_are_counted(mark: str, count: int) -> None:
    assert bullets("\n".join([f"{mark} pear"] * count)) == count


def test_numbers_are_read_in_full_width_in_chinese_and_in_circles() -> None:
    assert numbers("１．梨\n２．苹果") == [1, 2]
    assert numbers("一、梨\n二、苹果\n十二、桃") == [1, 2, 12]
    assert numbers("①梨\n②苹果") == [1, 2]


@pytest.mark.parametrize("text", ["3.14 is pi", "2024 was long", "1.5 and 2.5", "- pear", "", "...", "一个苹果"])
def test_what_is_no_list_is_none(text: str) -> None:
    assert numbers(text) == []
    assert items(text) == 0


@given(count=st.integers(3, 20), data=st.data())
def test_one_gap_in_a_list_is_found(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(2, count - 1))
    text = "\n".join(f"{number}. pear" for number in range(1, count + 1) if number != lost)
    assert skipped(text) == lost + 1


def test_lists_may_start_anew_and_repeat_their_first_number() -> None:
    assert skipped("1. a\n2. b\n\n1. c\n2. d\n3. e") is None
    assert skipped("1. a\n1. b\n1. c") is None
    assert skipped("Across\n4. a\n9. b\nDown\n1. c\n6. d") is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=8
    )
)
def test_json_is_what_the_parser_gives(value: object) -> None:
    written = json.dumps([value])
    assert json_of(written) == [value]
    assert json_of(f"```json\n{written}\n```") == [value]
    assert json_of(f"Here it is: {written}") is None


@pytest.mark.parametrize("text", ["", "42", '"pear"', "{", "[1, 2", "[" * 100_000])
def test_scalars_and_broken_json_are_none(text: str) -> None:
    assert json_of(text) is None


def test_tables_are_known_by_bars_tabs_rules_and_tags() -> None:
    assert tabled("| a | b |\n|---|---|\n| 1 | 2 |")
    assert tabled("a | b\n--- | ---\n1 | 2")
    assert tabled("a\tb\n1\t2")
    assert tabled("<table><tr><td>1</td></tr></table>")
    assert not tabled("Either a | b, or c.\nNo more.")


def test_fences_headings_and_paragraphs() -> None:
    assert fenced("```python\nx\n```")
    assert not fenced("```python\nx")
    assert headed("# Pears\nThey are sweet.")
    assert headed("**Pears**\nThey are sweet.")
    assert headed("Pears\n=====\nThey are sweet.")
    assert not headed("#pears are **sweet**")
    assert paragraphs("one\n\ntwo\n  \nthree\nstill three") == 3
    assert paragraphs(" \n\n ") == 0


def test_all_kinds_of_line_ends_are_one() -> None:
    assert unified("a\r\nb\rc\nd") == "a\nb\nc\nd"
