"""Titles, lists, highlights, JSON, and how an answer begins and ends."""

import pytest

from tutelage.evaluation.constraints import form


def counts(check: object, answer: str) -> int:
    """The largest number up to 9 with which an answer keeps to a check."""
    assert callable(check)
    return max((n for n in range(1, 10) if check(answer, n)), default=0)


def test_placeholders_stand_in_brackets() -> None:
    assert counts(form.number_placeholders, "Dear [name], [your street] [] [[nested] x]") == 4
    assert counts(form.number_placeholders, "[open [ [ and\nclosed]") == 0


def test_bullets_are_lines() -> None:
    assert counts(form.number_bullet_lists, "* one\n  - two\n** bold\n\n\n*three\ntext - no") == 3
    assert not form.number_bullet_lists("* one\n* two", 1)


def test_highlights_are_not_empty_and_stay_on_their_line() -> None:
    assert counts(form.number_highlighted_sections, "*one* **two** text *three*") == 3
    assert counts(form.number_highlighted_sections, "** **  * *") == 0
    assert counts(form.number_highlighted_sections, "*one\n*two") == 0


@pytest.mark.parametrize(
    ("answer", "marker", "holds"),
    [
        ("Text\nP.S. more", "P.S.", True),
        ("Text\np. s. more", "P.S.", True),
        ("Text\nPS more", "P.S.", False),
        ("Text P.P.S more", "P.P.S", True),
        ("Text P.S more", "P.P.S", False),
    ],
)
def test_postscripts(answer: str, marker: str, holds: bool) -> None:
    assert form.postscript(answer, marker) is holds


def test_sections_have_numbers() -> None:
    answer = "Section 1\nx\nSection2\ny\nSection three"
    assert form.multiple_sections(answer, section_spliter="Section", num_sections=2)
    assert not form.multiple_sections(answer, section_spliter="Section", num_sections=3)
    assert not form.multiple_sections(answer, section_spliter="SECTION", num_sections=1)


@pytest.mark.parametrize("answer", ['{"a": [1]}', ' ```json\n{"a": 1}\n``` ', "```JSON\n[]```", "```\n[1]\n```", "3"])
def test_json(answer: str) -> None:
    assert form.json_format(answer)


@pytest.mark.parametrize("answer", ["", "Here: {}", "{'a': 1}", '{"a": 1', "[" * 100_000, "9" * 100_000])
def test_not_json(answer: str) -> None:
    assert not form.json_format(answer)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("<<A title>>", True),
        ("x\n<<<T>>> y", True),
        ("<<>>", False),
        ("<< >>", False),
        ("<<a\nb>>", False),
        (">> <<", False),
        ("<title>", False),
    ],
)
def test_titles(answer: str, holds: bool) -> None:
    assert form.title(answer) is holds


def test_ends_and_quotes() -> None:
    assert form.end_checker('"That is ALL."  ', "that is all.")
    assert not form.end_checker("That is all. Bye", "that is all.")
    assert form.quotation(' "text" ')
    assert not any(map(form.quotation, ('"', '"text', "'text'", "")))


def test_commas_of_any_script() -> None:
    assert form.no_comma("one; two、three")
    assert not any(map(form.no_comma, ("a, b", "一，二", "ا، ب")))


def test_one_of_three_answers() -> None:
    assert form.constrained_response("Well.\nMy answer is maybe.")
    assert not form.constrained_response("my answer is maybe")
