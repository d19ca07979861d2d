"""Properties of the readers for lines and elements: rows as the standard library reads them, lines as they stand."""

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tutelage.data.json_files import read_json
from tutelage.data.tables import read_csv

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
SPACES = st.sampled_from(["", " ", "\n", "\r\n", "\n\n  ", "\t"])


def pieces(text: str) -> list[tuple[int, Any]]:
    return list(read_json(io.BytesIO(text.encode()), "f"))


@given(st.lists(st.tuples(SPACES, OBJECTS, SPACES, st.sampled_from([None, 1]))), SPACES, SPACES)
def test_an_array_is_what_json_reads_with_the_line_of_each_element(
    elements: list[tuple[str, Any, str, int | None]], before: str, after: str
) -> None:
    text, starts = before + "[", []
    for number, (space, value, following, indent) in enumerate(elements):
        text += ("," if number else "") + space
        starts.append(text.count("\n") + 1)
        text += json.dumps(value, indent=indent, ensure_ascii=bool(number % 2)) + following
    text += "]" + after
    read = pieces(text)
    assert [value for _, value in read] == json.loads(text)
    assert [line for line, _ in read] == starts


@given(st.lists(st.tuples(OBJECTS, st.integers(0, 2)), min_size=2), st.sampled_from(["\n", "\r\n"]))
def test_jsonl_is_what_json_reads_line_by_line(rows: list[tuple[Any, int]], newline: str) -> None:
    text, starts = "", []
    for value, blanks in rows:
        starts.append(text.count("\n") + 1)
        text += json.dumps(value, ensure_ascii=False) + newline * (1 + blanks)
    assert pieces(text) == list(zip(starts, (json.loads(json.dumps(value)) for value, _ in rows), strict=True))


@given(OBJECTS, st.sampled_from([None, 2]))
def test_one_object_without_a_list_of_objects_is_one_row(value: Any, indent: int | None) -> None:
    if any(isinstance(item, list) and item and isinstance(item[0], dict) for item in value.values()):
        value = {"messages": [value]}
    assert pieces(json.dumps(value, indent=indent)) == [(1, value)]


@given(st.lists(OBJECTS.filter(bool), min_size=1), st.sampled_from([None, 2]), OBJECTS)
def test_a_wrapped_list_is_found_wherever_it_stands(rows: list[Any], indent: int | None, beside: Any) -> None:
    beside = {"note ]}": {"inner": beside}, "n": [1, "[{"]}
    for wrapper in ({"rows": rows, **beside}, {**beside, "rows": rows}):
        text = json.dumps(wrapper, indent=indent)
        read = pieces(text)
        assert [value for _, value in read] == rows
        for line, _ in read:
            assert "{" in text.splitlines()[line - 1]


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=10)


@given(st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1), st.sampled_from(",\t;|"))
def test_csv_is_read_as_it_was_written_with_the_line_of_each_row(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    starts = []
    for row in rows:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    # The header alone tells the delimiter: the usual one is another.
    read = list(read_csv(io.BytesIO(out.getvalue().encode()), "f", delimiter="\t" if delimiter == "," else ","))
    assert read == list(zip(starts, ({"a": a, "b": b} for a, b in rows), strict=True))


def test_answers_longer_than_the_csv_module_allows_by_itself() -> None:
    long = "x" * 200_000
    assert list(read_csv(io.BytesIO(f"a,b\n{long},2\n".encode()), "f", delimiter=",")) == [(2, {"a": long, "b": "2"})]


def test_blank_lines_before_the_header_count() -> None:
    assert list(read_csv(io.BytesIO(b"\n\na,b\n\n1,2\n"), "f", delimiter=",")) == [(5, {"a": "1", "b": "2"})]


def test_lone_surrogates_nan_and_long_integers_are_left_to_the_formats() -> None:
    text = '{"a": "\\ud800"}\n{"a": NaN}\n{"a": 123456789012345678901234567890}\n'
    values = [value["a"] for _, value in pieces(text)]
    assert values[0] == "\ud800"
    assert values[1] != values[1]
    assert values[2] == 123456789012345678901234567890
