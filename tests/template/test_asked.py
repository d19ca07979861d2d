"""What a template leaves out of a prompt is told; a turn whose question is left out is refused."""

import pytest
from template_oracle import TOOLS, conversation
from test_conversation import PROMPT, TURN, TWO, chat, refusal, render

from tutelage.recipe import TemplateSection
from tutelage.records import Message, Rendered, ToolCall
from tutelage.template import notes, render_conversation

KNOWN = TURN.replace("in messages", "in messages if m.role in ('user', 'assistant')") + PROMPT
FIRST_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}"
    "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}" + PROMPT
)


@pytest.mark.parametrize(
    ("source", "messages", "told"),
    [
        (KNOWN, (Message("critic", "c"), *TWO), [notes.LEFT_OUT.format(role="critic")]),
        (KNOWN, (*TWO[:2], Message("tool", "t", name="f"), *TWO[2:]), [notes.LEFT_OUT.format(role="tool")]),
        (TURN + PROMPT, (Message("critic", "c"), *TWO), []),
        (FIRST_SYSTEM, (*TWO[:2], Message("system", "q"), *TWO[2:]), [notes.LEFT_OUT.format(role="system")]),
        (KNOWN, (Message("user", "q", name="Ann"), TWO[1]), [notes.NAME_LEFT_OUT.format(role="user")]),
        (TURN.replace("m.role }}", "m.name or m.role }}") + PROMPT, (Message("user", "q", name="Ann"), TWO[1]), []),
        (TURN.replace("m.content", "m.content | upper if m.role == 'user' else m.content") + PROMPT, TWO, []),
        (KNOWN, (Message("critic", " "), *TWO), []),
    ],
)
def test_left_out_messages_are_told(source: str, messages: tuple[Message, ...], told: list[str]) -> None:
    (text,) = render(chat(source), messages)
    assert list(text.notes) == told


@pytest.mark.parametrize("role", ["tool", "critic"])
def test_a_turn_whose_question_is_left_out_is_refused(role: str) -> None:
    dropped = refusal(chat(KNOWN), (TWO[0], Message(role, "read me"), TWO[1]))
    assert dropped.reason == notes.UNASKED
    assert role in dropped.detail


def test_that_a_text_stands_elsewhere_too_hides_nothing() -> None:
    (text,) = render(chat(KNOWN), (Message("critic", "q1"), *TWO))
    assert text.notes == (notes.LEFT_OUT.format(role="critic"),)


def test_the_shortcut_for_plain_shapes_tells_the_same() -> None:
    template = chat(KNOWN)
    for n in range(12):
        (text,) = render(
            template, (Message("critic", f"c{n}"), Message("user", f"q{n}"), Message("assistant", f"a{n}"))
        )
        assert text.notes == (notes.LEFT_OUT.format(role="critic"),)


@pytest.mark.parametrize(("writes", "told"), [("{{ tools | tojson if tools }}", False), ("", True)])
def test_tools_on_offer_that_are_not_written_are_told(writes: str, told: bool) -> None:
    rendered = render_conversation(conversation(TWO, TOOLS), chat(writes + TURN + PROMPT), policy=TemplateSection())
    assert isinstance(rendered, tuple)
    assert isinstance(rendered[0], Rendered)
    assert (notes.TOOLS_LEFT_OUT in rendered[0].notes) == told
    assert notes.TOOLS_LEFT_OUT not in render(chat(TURN + PROMPT))[0].notes, "nothing was on offer"


def test_an_opening_turn_of_the_assistant_is_history_and_told() -> None:
    messages = (Message("assistant", "Welcome!"), *TWO)
    (text,) = render(chat(), messages)
    assert [span.turn for span in text.spans] == [2, 4]
    assert text.text.startswith("<|assistant|>Welcome!<|end|><|user|>")
    assert text.notes == (notes.GREETING,)
    for policy in (TemplateSection(), TemplateSection(train_on="last"), TemplateSection(train_on="all")):
        assert refusal(chat(), messages[:1], policy).reason == notes.NOTHING_TRAINED
    call = Message("assistant", "", tool_calls=(ToolCall("f", {}),))
    assert refusal(chat(), (call,)).reason == notes.NOTHING_TRAINED
