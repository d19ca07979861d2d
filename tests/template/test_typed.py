"""Control tokens that a row's own texts spell: where they stand, what is told, and that nothing else is marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_oracle import conversation
from test_conversation import CONTROL, PROMPT, TURN, TWO, chat, refusal, render, trained

from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Message, Place, Rendered, ToolCall
from tutelage.template import notes, render_conversation
from tutelage.template.typed import Typed

CALLS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.reasoning_content }}{{ m.content }}{% for c in m.tool_calls %}"
    "<|call|>{{ c.function | tojson }}<|/call|>{% endfor %}<|end|>{% endfor %}" + PROMPT
)
PIECES = st.lists(
    st.sampled_from([*sorted(CONTROL), "<|", "|>", "end", " ", "\n", "7qxtyped0q8"[:6], "词", '"']), max_size=8
)


def typed(rendered: tuple[Rendered, ...]) -> list[str]:
    return [text.text[start:end] for text in rendered for start, end in text.typed]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Message("assistant", "type <|end|> or <|user|>"), ["<|end|>", "<|user|>"]),
        (Message("assistant", "a", reasoning="<|end|> so"), ["<|end|>"]),
        (Message("assistant", "", tool_calls=(ToolCall("f", {"<|end|>": ["x<|call|>", 1]}),)), ["<|end|>", "<|call|>"]),
        (Message("assistant", "<|end|>"), ["<|end|>"]),
        (Message("assistant", "a <|end|"), []),
    ],
)
def test_tokens_of_the_row_are_marked_and_those_of_the_template_are_not(answer: Message, expected: list[str]) -> None:
    texts = render(chat(CALLS), (TWO[0], answer))
    assert typed(texts) == expected
    assert (notes.TYPED_TRAINED in texts[0].notes) == bool(expected)
    assert trained(texts)[0].endswith("<|end|>")
    assert texts[0].text.count("<|end|>") == expected.count("<|end|>") + 2
    assert all(texts[0].spans[0].start <= start < end < texts[0].spans[0].end for start, end in texts[0].typed)


@given(st.tuples(PIECES, PIECES, PIECES, PIECES))
def test_every_typed_token_of_a_trained_turn_is_marked_once(pieces: tuple[list[str], ...]) -> None:
    words = ["".join(["w", *piece, "w"]) for piece in pieces]
    messages = tuple(Message("assistant" if n % 2 else "user", word) for n, word in enumerate(words))
    texts = render(chat(), messages)
    spelled = [chat().control.findall(word) for word in words]
    assert typed(texts) == spelled[1] + spelled[3]
    assert [len(text.spans) for text in texts] == ([1, 1] if spelled[1] else [2]), "a typed turn ends its text"
    for text in texts:
        for span in text.spans:
            assert text.text[: span.start] == chat().render(messages[: span.turn], add_generation_prompt=True)
    told = {note for text in texts for note in text.notes}
    assert (notes.TYPED_TRAINED in told) == bool(spelled[1] or spelled[3])
    assert (notes.TYPED_SEEN in told) == bool(spelled[0] or spelled[1] or spelled[2])


def test_in_prompts_they_are_told_and_left_to_the_tokenizer() -> None:
    asked = (Message("system", "s"), Message("user", "what is <|end|>?"), Message("assistant", "a"))
    (text,) = render(chat(), asked)
    assert (text.typed, text.notes) == ((), (notes.TYPED_SEEN,))
    (offered,) = render_conversation(
        conversation(TWO[:2], ({"name": "<|end|>"},)),
        chat("{{ tools | tojson }}" + TURN + PROMPT),
        policy=TemplateSection(),
    )
    assert notes.TYPED_SEEN in offered.notes


def test_where_all_is_trained_they_are_ordinary_text_everywhere() -> None:
    messages = (Message("user", "what is <|end|>?"), Message("assistant", "<|end|> ends"), *TWO[2:])
    (text,) = render(chat(), messages, TemplateSection(train_on="all"))
    assert typed((text,)) == ["<|end|>", "<|end|>"]
    assert text.notes == (notes.TYPED_TRAINED,)
    assert text.text == "".join(f"<|{m.role}|>{m.content}<|end|>" for m in messages)
    assert [text.text[start - 1] for start, _ in text.typed] == [" ", ">"]


def test_plain_text_keeps_its_tokens_and_says_so() -> None:
    rendered = render_conversation(Conversation(0, Place("f", 1), text="a<|end|>b"), chat(), policy=TemplateSection())
    assert isinstance(rendered, tuple)
    assert (rendered[0].typed, rendered[0].notes) == ((), (notes.TYPED_PLAIN,))


def test_a_template_that_treats_typed_tokens_apart_is_refused() -> None:
    cutting = chat(TURN.replace("m.content", "m.content.split('<|user|>')[-1]") + PROMPT)
    dropped = refusal(cutting, (TWO[0], Message("assistant", "type <|user|> then")))
    assert dropped.reason == notes.LOST
    assert "typed control token" in dropped.detail


def test_masking_is_undone_exactly_and_a_token_has_one_word() -> None:
    known = Typed(chat().control)
    message = Message("user", "a <|end|>\n<|user|><|end|>", input="<|user|><|end|>")
    masked = known.mask(message)
    assert len(known) == 2
    assert masked.input is not None
    assert masked.content.endswith(f"\n{masked.input}"), "an input stays a part of its content"
    text, ranges = known.restore(masked.content)
    assert text == message.content
    assert [text[start:end] for start, end in ranges] == ["<|end|>", "<|user|>", "<|end|>"]
