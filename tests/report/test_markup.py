"""Texts from data become part of a page whatever they hold: escaped, printable, cut with a count, marked."""

import time

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from tests.report.elements import ATTACK, Elements
from tutelage.report import markup, wording

ANY = st.text(st.characters(exclude_categories=()), max_size=400)


@given(ANY)
def test_any_text_becomes_a_page(text: str) -> None:
    for shown in (markup.clipped(text), markup.clipped(text, limit=50), markup.marked(text, text[3:20])):
        elements = Elements(shown)
        assert set(elements.tags) <= {"details", "summary", "span", "mark"}
        assert "\x00" not in shown
        shown.encode("utf-8")


@given(ANY)
def test_printable_keeps_the_length_of_what_it_can_show(text: str) -> None:
    shown = markup.printable(text)
    assert len(shown) == len(text.replace("\r\n", "\n"))
    assert markup.printable(shown) == shown


def test_what_cannot_be_seen_is_shown() -> None:
    assert markup.printable("a\x00b\x1b[1m\x7f\ud83d\x85") == "a␀b␛[1m␡��"
    assert markup.printable("a\tb\r\nc\n汉字 🙂 مرحبا") == "a\tb\nc\n汉字 🙂 مرحبا"


def test_a_text_does_not_turn_the_direction_of_the_page() -> None:
    assert markup.printable("\u202ereversed \u2067isolated") == "�reversed �isolated"
    assert markup.printable("\u200fmark of \u200edirection") == "\u200fmark of \u200edirection"


def test_expressions_of_a_template_are_printable_and_escaped() -> None:
    template = markup.environment().from_string("{{ text }}|{{ ready }}|{{ number }}")
    assert template.render(text="<\x07\ud800", ready=Markup("<b>"), number=3) == "&lt;␇�|<b>|3"


def test_long_texts_are_cut_with_the_count_of_what_is_left_out() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(3000))
    shown = markup.clipped(text, limit=1000)
    assert shown.startswith("<details")
    assert text[:1000] in shown
    assert text[:1001] not in shown
    assert "2,000 characters left out" in shown
    assert "left out" not in markup.clipped(text[:1000], limit=1000)
    assert "left out" in markup.clipped(text[:60], limit=50)  # short enough not to be folded, but cut


def test_a_label_fits_a_line_or_two() -> None:
    assert wording.label("violence") == "violence"
    assert len(wording.label("x" * 10**6)) < 200


def test_the_shared_passage_is_marked_where_it_stands() -> None:
    text = "Before. Natalia sold clips to 48 of her friends, in April! After."
    shown = markup.marked(text, "natalia sold clips to 48 of her friends in april")
    assert "Before. <mark>Natalia sold clips to 48 of her friends, in April</mark>! After." in shown
    assert "<mark>小明有五个，苹果</mark>。" in markup.marked("题目：小明有五个，苹果。", "小明有五个苹果")


def test_a_passage_that_is_not_found_is_shown_alone() -> None:
    assert markup.marked("nothing of it", ATTACK).startswith("<mark>&lt;script")
    assert "<mark>" in markup.marked("some text", "…")


def test_only_the_surroundings_of_a_passage_are_shown() -> None:
    text = "a " * 5000 + "the passage itself" + " b" * 5000
    shown = markup.marked(text, "The passage itself")
    assert shown.startswith("…")
    assert "<mark>the passage itself</mark>" in shown
    assert f"{len(text) - 2 * 240 - len('the passage itself'):,} characters left out" in shown


def test_no_text_makes_marking_slow() -> None:
    started = time.process_time()
    markup.marked("a " * 500_000, "a " * 200 + "b")
    markup.marked("a" + " " * 1_000_000, "ab")
    markup.marked("a" * 1_000_000, "a" * 399 + "b")
    assert time.process_time() - started < 2
