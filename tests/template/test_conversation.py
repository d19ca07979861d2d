"""The mask law on templates small enough to read: what is trained, what stops it, what is told, what is refused."""

import pytest
from template_oracle import SPECIAL, conversation

from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Dropped, Message, Place, Rendered, ToolCall
from tutelage.template import ChatTemplate, notes, prompt, render_conversation, stop_tokens

TURN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
CONTROL = frozenset({"<|user|>", "<|assistant|>", "<|system|>", "<|tool|>", "<|end|>", "<|call|>", "<|/call|>"})
TWO = (Message("user", "q1"), Message("assistant", "a1"), Message("user", "q2"), Message("assistant", "a2"))


def chat(source: str = TURN + PROMPT, **special: str) -> ChatTemplate:
    return ChatTemplate("test", source, special or SPECIAL, CONTROL)


def render(
    template: ChatTemplate, messages: tuple[Message, ...] = TWO, policy: TemplateSection | None = None
) -> tuple[Rendered, ...]:
    rendered = render_conversation(conversation(messages), template, policy=policy or TemplateSection())
    assert isinstance(rendered, tuple), rendered
    return rendered


def refusal(
    template: ChatTemplate, messages: tuple[Message, ...] = TWO, policy: TemplateSection | None = None
) -> Dropped:
    dropped = render_conversation(conversation(messages), template, policy=policy or TemplateSection())
    assert isinstance(dropped, Dropped)
    return dropped


def trained(rendered: tuple[Rendered, ...]) -> list[str]:
    return [text.text[span.start : span.end] for text in rendered for span in text.spans]


def test_a_stable_history_is_one_text_with_a_span_per_turn() -> None:
    (text,) = render(chat())
    assert text.text == "<|user|>q1<|end|><|assistant|>a1<|end|><|user|>q2<|end|><|assistant|>a2<|end|>"
    assert trained((text,)) == ["a1<|end|>", "a2<|end|>"]
    assert [span.turn for span in text.spans] == [1, 3]
    assert (text.turns, text.notes) == (4, ())


APART = "{{ m.instruction ~ '#' ~ m.input if m.input is defined else m.content }}"


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        (APART, "q#i"),
        ("{{ m.content }}", "q\ni"),
        ("{{ m.content if m.role == 'assistant' else m | tojson }}", '{"role": "user", "content": "q\\ni"}'),
    ],
)
def test_only_templates_that_write_an_input_apart_are_given_it(content: str, asked: str) -> None:
    own = chat(TURN.replace("{{ m.content }}", content) + PROMPT)
    (text,) = render(own, (Message("user", "q\ni", input="i"), Message("assistant", "a1"), *TWO[2:]))
    assert text.text.startswith(f"<|user|>{asked}<|end|><|assistant|>a1<|end|><|user|>")
    assert trained((text,)) == ["a1<|end|>", "a2<|end|>"]


def test_a_system_message_is_put_before_an_instruction_with_an_input() -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TURN + PROMPT
    own = chat(refusing.replace("{{ m.content }}", APART))
    (text,) = render(own, (Message("system", "s"), Message("user", "q\ni", input="i"), Message("assistant", "a")))
    assert text.text == "<|user|>s\n\nq#i<|end|><|assistant|>a<|end|>"


def test_a_rewritten_history_is_one_text_per_turn() -> None:
    mark = "{{ '!' if m.role == 'assistant' and loop.last }}"
    last_only = TURN.replace("<|end|>", mark + "<|end|>")
    texts = render(chat(last_only + PROMPT))
    assert [text.spans[0].turn for text in texts] == [1, 3]
    assert trained(texts) == ["a1!<|end|>", "a2!<|end|>"]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (TemplateSection(train_on="last"), ["a2<|end|>"]),
        (
            TemplateSection(train_on="all"),
            ["<|user|>q1<|end|><|assistant|>a1<|end|><|user|>q2<|end|><|assistant|>a2<|end|>"],
        ),
    ],
)
def test_what_the_policy_trains(policy: TemplateSection, wanted: list[str]) -> None:
    assert trained(render(chat("{{ bos_token }}" + TURN + PROMPT), policy=policy)) == wanted


def test_rows_may_say_what_is_trained_and_how_much() -> None:
    messages = (TWO[0], Message("assistant", "a1", train=False), TWO[2], Message("assistant", "a2", weight=0.5))
    (text,) = render(chat(), messages)
    assert [(span.turn, span.weight) for span in text.spans] == [(3, 0.5)]
    kept = (TWO[0], Message("assistant", "a1", train=True), *TWO[2:])
    assert len(trained(render(chat(), kept, TemplateSection(train_on="last")))) == 2
    untrained = (TWO[0], Message("assistant", "a1", weight=0.0))
    assert refusal(chat(), untrained).reason == notes.NOTHING_TRAINED


def test_plain_text_is_trained_whole_but_for_its_bos() -> None:
    place = Place("f", 3)
    rendered = render_conversation(Conversation(2, place, text="Once."), chat(), policy=TemplateSection())
    assert isinstance(rendered, tuple)
    assert (rendered[0].text, trained(rendered)) == ("<s>Once.</s>", ["Once.</s>"])
    dropped = render_conversation(Conversation(2, place, text=" \n"), chat(), policy=TemplateSection())
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.place) == (notes.EMPTY_ANSWER, place)


def test_the_end_of_a_turn_may_be_left_to_the_next_message() -> None:
    glm = chat("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}" + PROMPT)
    (text,) = render(glm)
    assert trained((text,)) == ["a1<|user|>", "a2<|user|>"]
    assert text.notes == (notes.STOP_FROM_NEXT,)
    assert stop_tokens(glm) == ("<|user|>", "</s>")


def test_without_a_special_token_the_eos_token_ends_the_turn_or_nothing_can() -> None:
    source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    texts = render(chat(source + "{% if add_generation_prompt %}assistant: {% endif %}"))
    assert trained(texts) == ["a1</s>", "a2</s>"]
    assert texts[0].notes == (notes.STOP_ADDED,)
    assert refusal(chat(source, bos_token="<s>")).reason == notes.NO_STOP


@pytest.mark.parametrize(
    ("opening", "reasoning", "wanted", "note"),
    [
        ("<think>\n", None, "\n</think>\n\na1<|end|>", notes.THINK_EMPTY),
        ("<think>\n", "so", "so\n</think>\n\na1<|end|>", notes.REASONING_FILLED),
        ("<think></think>", None, "a1<|end|>", notes.THINK_IN_PROMPT),
        ("\n", None, "a1<|end|>", notes.PROMPT_WINS_SPACE),
        ("", "so", "a1<|end|>", notes.REASONING_UNKNOWN),
    ],
)
def test_the_generation_prompt_wins(opening: str, reasoning: str | None, wanted: str, note: str) -> None:
    template = chat(TURN + "{% if add_generation_prompt %}<|assistant|>{{ '" + repr(opening)[1:-1] + "' }}{% endif %}")
    (text,) = render(template, (TWO[0], Message("assistant", "a1", reasoning=reasoning)))
    assert trained((text,)) == [wanted]
    assert text.text[: text.spans[0].start] == "<|user|>q1<|end|><|assistant|>" + opening
    assert text.notes == (note,)


HYBRID = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' and loop.last %}<think>"
    "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}"
    "<|assistant|>{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}"
)


def test_thinking_is_switched_off_for_turns_without_reasoning_in_training_and_inference() -> None:
    (text,) = render(chat(HYBRID), TWO[:2])
    assert trained((text,)) == ["a1<|end|>"]
    assert "enable_thinking: false" in text.notes[0]
    assert prompt(TWO[:1], chat(HYBRID), policy=TemplateSection()) == text.text[: text.spans[0].start]
    (reasoned,) = render(chat(HYBRID), (TWO[0], Message("assistant", "a1", reasoning="so")))
    assert trained((reasoned,)) == ["<think>so</think>a1<|end|>"]
    start = prompt(TWO[:1], chat(HYBRID), policy=TemplateSection(), reasoning=True)
    assert start == reasoned.text[: reasoned.spans[0].start]


def test_reasoning_may_be_left_untrained_or_stand_inside_the_answer() -> None:
    row = (TWO[0], Message("assistant", "a1", reasoning="so"))
    (text,) = render(chat(HYBRID), row, TemplateSection(train_reasoning=False))
    assert "so" not in text.text
    assert notes.REASONING_LEFT_OUT in text.notes
    splitting = chat(HYBRID.replace("m.content", "m.content.split('</think>')[-1]"))
    (inline,) = render(splitting, (TWO[0], Message("assistant", "<think>so</think>\n\na1")))
    assert trained((inline,)) == ["<think>so</think>a1<|end|>"]
    assert notes.REASONING_SPLIT in inline.notes
    opening = chat(TURN + "{% if add_generation_prompt %}<|assistant|><think>{% endif %}")
    (opened,) = render(opening, (TWO[0], Message("assistant", "<think>so</think>\n\na1")))
    assert trained((opened,)) == ["so</think>a1<|end|>"]
    (kept,) = render(chat(), (TWO[0], Message("assistant", "<think>so</think>a1")))
    assert trained((kept,)) == ["<think>so</think>a1<|end|>"]


def test_a_system_message_is_added_and_moved_where_there_is_no_such_role() -> None:
    policy = TemplateSection(system="Be brief.")
    (text,) = render(chat(), policy=policy)
    assert text.text.startswith("<|system|>Be brief.<|end|><|user|>q1")
    assert [span.turn for span in text.spans] == [1, 3]
    strict = chat("{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TURN + PROMPT)
    (moved,) = render(strict, policy=policy)
    assert moved.text.startswith("<|user|>Be brief.\n\nq1<|end|>")
    assert moved.notes == (notes.SYSTEM_MOVED,)
    assert prompt(TWO[:3], strict, policy=policy) == moved.text[: moved.spans[1].start]
    (own,) = render(strict, (Message("system", "s"), *TWO))
    assert [span.turn for span in own.spans] == [2, 4]


def test_calls_are_trained_with_their_own_stop_and_results_are_not() -> None:
    source = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls %}<|call|>{{ c.function.name }}"
        "{{ c.function.arguments | tojson }}<|/call|>{% endfor %}<|end|>{% endfor %}" + PROMPT
    )
    calls = (ToolCall("f", {"x": None}), ToolCall("g", {}))
    messages = (TWO[0], Message("assistant", "", tool_calls=calls), Message("tool", "result"), TWO[3])
    (text,) = render(chat(source), messages)
    assert trained((text,)) == ['<|call|>f{"x": null}<|/call|><|call|>g{}<|/call|><|end|>', "a2<|end|>"]
    assert refusal(chat(), messages).reason == notes.LOST


@pytest.mark.parametrize(
    ("source", "messages", "reason", "detail"),
    [
        ("{{ raise_exception('never') }}", TWO, notes.REFUSED, "test:1: never"),
        (TURN + PROMPT, TWO[:1], notes.NO_ASSISTANT, ""),
        (TURN + PROMPT, (TWO[0], Message("assistant", " ")), notes.EMPTY_ANSWER, ""),
        (TURN.replace("m.content", "m.content | upper") + PROMPT, TWO, notes.LOST, "more than one place, or nowhere"),
        (TURN + "{{ messages[-1].content }}", TWO, notes.LOST, "more than one place"),
        (TURN.replace("m.content", "m.content | replace('a1', 'b')") + PROMPT, TWO, notes.LOST, "'b' where 'a1'"),
        (TURN + PROMPT.replace("<|assistant|>", "<|bot|>"), TWO, notes.DIVERGES, "'bot|>' where 'assistant|>'"),
    ],
)
def test_refusals_say_why(source: str, messages: tuple[Message, ...], reason: str, detail: str) -> None:
    dropped = refusal(chat(source), messages)
    assert dropped.reason == reason
    assert detail in dropped.detail


def test_what_a_template_trims_is_told() -> None:
    (text,) = render(
        chat(TURN.replace("m.content", "m.content | trim") + PROMPT), (TWO[0], Message("assistant", " a "))
    )
    assert trained((text,)) == ["a<|end|>"]
    assert text.notes == (notes.CONTENT_TRIMMED,)


def test_a_date_and_missing_tokens_are_told() -> None:
    (text,) = render(chat("{{ strftime_now('%Y') + sep_token }}" + TURN + PROMPT))
    assert notes.DATE_TODAY in text.notes
    assert any("sep_token" in note for note in text.notes)
