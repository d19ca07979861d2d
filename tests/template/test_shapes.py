"""Turns by substitution equal turns by rendering, also where a template treats some contents apart."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from template_oracle import SPECIAL

from tutelage.data import read, recognise
from tutelage.recipe import Source
from tutelage.records import Message, Row
from tutelage.template import ChatTemplate, load, names, shapes, turns

CONTROL = frozenset({"<|im_start|>", "<|im_end|>"})
ALTERNATING = "{% for m in messages %}<{{ m.role }}>{{ CONTENT }}{{ eos_token }}{% endfor %}"
contents = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "")


def template(content: str) -> ChatTemplate:
    return ChatTemplate("test", ALTERNATING.replace("CONTENT", content), SPECIAL)


def messages(*words: str) -> tuple[Message, ...]:
    return tuple(Message("user" if n % 2 == 0 else "assistant", word) for n, word in enumerate(words))


def learned(own: ChatTemplate, length: int = 2) -> shapes.Shapes:
    """Patterns that have passed their check."""
    known = shapes.Shapes(own)
    for n in range(20):
        known.turn(messages(*(f"text {n} {m}" for m in range(length))))
    return known


@pytest.mark.parametrize("name", names())
@settings(max_examples=15, deadline=None)
@given(words=st.tuples(contents, contents, contents, contents))
def test_equal_to_rendering(name: str, words: tuple[str, ...]) -> None:
    own = load(name, None, special_tokens=SPECIAL, control_tokens=CONTROL)
    known = learned(own, 4)
    assert known.turn(messages(*words)) == turns.turn(own, messages(*words))


def with_inputs(*words: str) -> tuple[Message, ...]:
    """Two questions, the second with an input."""
    first, answer, second, given, last = words
    return (*messages(first, answer), Message("user", f"{second}\n{given}", input=given), Message("assistant", last))


@pytest.mark.parametrize("name", names())
@settings(max_examples=15, deadline=None)
@given(words=st.tuples(contents, contents, contents, contents, contents))
def test_equal_to_rendering_with_inputs(name: str, words: tuple[str, ...]) -> None:
    own = load(name, None, special_tokens=SPECIAL, control_tokens=CONTROL)
    known = learned(own, 4)
    for n in range(20):
        known.turn(with_inputs(*(f"text {n} {m}" for m in range(5))))
    assert known.turn(with_inputs(*words)) == turns.turn(own, with_inputs(*words))
    assert known.turn(messages(*words[:4])) == turns.turn(own, messages(*words[:4]))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["alpaca", "qa", "chatml"])
def test_alpaca_rows_are_filled_in_as_they_are_rendered(
    name: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list(read([Source(path=str(shared / "datasets" / "alpaca" / "*.json"))]))[::40]
    form = recognise([row for row in rows if isinstance(row, Row)])
    talks = [form.convert(row).messages for row in rows if isinstance(row, Row)]  # type: ignore[union-attr]
    own = load(name, None, special_tokens=SPECIAL, control_tokens=CONTROL)
    expected = [turns.turn(own, talk) for talk in talks]
    rendered = []
    monkeypatch.setattr(shapes, "turn", lambda *args, **more: rendered.append(args) or turns.turn(*args, **more))
    known = shapes.Shapes(own)
    assert [known.turn(talk) for talk in talks] == expected
    assert sum(talk[0].input is not None for talk in talks) > len(talks) / 4
    assert len(rendered) < len(talks) / 10, "most rows are filled in"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("m.content.split('</think>')[-1]", "so</think>\n answer"),
        ("m.content | trim", " padded "),
        ("(m.content | tojson)", 'a "quote"'),
        ("m.content.split() | join(' ')", "two  spaces"),
        ("m.content | indent(2)", "two\nlines"),
        ("m.content | replace('word', 'WORD')", "a word"),
        ("'nothing' if m.content == 'empty' else m.content", "empty"),
        ("'A' ~ m.content if 'shout' in m.content else m.content", "shout it"),
    ],
)
def test_contents_that_a_template_treats_apart_are_rendered(content: str, word: str) -> None:
    own = template(content)
    known = learned(own)
    try:
        real: Any = turns.turn(own, messages(word, "answer"))
    except turns.InexactError as error:
        real = error.reason
    assert known.turn(messages(word, "answer")) == real


def test_patterns_are_used_once_checked_and_given_up_where_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def counted(own: ChatTemplate, *args: Any, **kwargs: Any) -> turns.Turn:
        rendered.append(args)
        return turns.turn(own, *args, **kwargs)

    monkeypatch.setattr(shapes, "turn", counted)
    known = learned(template("m.content"))
    before = len(rendered)
    assert known.turn(messages("q", "a")).completion == "<assistant>a</s>"
    assert len(rendered) == before, "a known shape is not rendered again"
    short = "m.content if m.role == 'assistant' or m.content | length > 9 else m.content ~ '.'"
    unlike = learned(template(short))
    before = len(rendered)
    assert unlike.turn(messages("q", "a long answer")).prompt.startswith("<user>q.")
    assert len(rendered) > before, "a shape whose check failed is rendered"
