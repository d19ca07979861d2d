"""Where a transcript opens a turn otherwise than the generation prompt: what is trained after the prompt, and told."""

import pytest
from test_conversation import CONTROL, TURN, TWO, chat, refusal, render, trained

from tutelage.records import Message
from tutelage.template import notes

ADD = "{% if add_generation_prompt %}"
REASONED = (Message("user", "q1"), Message("assistant", "a1", reasoning="so"))
UNTAGGED = TURN.replace(
    "{{ m.content }}", "{{ m.reasoning_content ~ '[ANSWER]' if m.reasoning_content }}{{ m.content }}"
)


@pytest.mark.parametrize(
    ("source", "messages", "wanted", "note"),
    [
        # An untagged block: the template's own turn with reasoning shows what closes it.
        (UNTAGGED + ADD + "<|assistant|>Steps:\n{% endif %}", TWO[:2], "[ANSWER]a1<|end|>", notes.THINK_EMPTY),
        (UNTAGGED + ADD + "<|assistant|>Steps:\n{% endif %}", REASONED, "so[ANSWER]a1<|end|>", notes.REASONING_FILLED),
        # The prompt closes an empty block; the transcript writes a channel, or only the end of the block.
        (
            TURN.replace("{{ m.content }}", "{{ '[SAY]' if m.role == 'assistant' }}{{ m.content }}")
            + ADD
            + "<|assistant|><think></think>{% endif %}",
            TWO[:2],
            "[SAY]a1<|end|>",
            notes.THINK_IN_PROMPT,
        ),
        (
            TURN.replace("{{ m.content }}", "{{ '</think>' if m.role == 'assistant' }}{{ m.content }}")
            + ADD
            + "<|assistant|><think></think>{% endif %}",
            TWO[:2],
            "a1<|end|>",
            notes.THINK_IN_PROMPT,
        ),
        # The prompt opens a block; the transcript opens a channel without one.
        (
            TURN.replace("{{ m.content }}", "{{ '[SAY]' if m.role == 'assistant' }}{{ m.content }}")
            + ADD
            + "<|assistant|><deep:thinking>\n{% endif %}",
            TWO[:2],
            "\n</deep:thinking>\n\n[SAY]a1<|end|>",
            notes.THINK_EMPTY,
        ),
        # The prompt writes a reminder before the opening.
        (
            TURN + ADD + "<|system|>Be brief.<|end|><|assistant|>{% endif %}",
            TWO[:2],
            "a1<|end|>",
            notes.PROMPT_WINS_HISTORY,
        ),
        # White space in the middle of the opening.
        (
            TURN.replace("|>{{", "|>{{ ' [SAY] ' if m.role == 'assistant' }}{{")
            + ADD
            + "<|assistant|>[SAY]{% endif %}",
            TWO[:2],
            "a1<|end|>",
            notes.PROMPT_WINS_SPACE,
        ),
    ],
)
def test_the_prompt_wins_and_the_turn_follows(
    source: str, messages: tuple[Message, ...], wanted: str, note: str
) -> None:
    (text,) = render(chat(source), messages)
    assert trained((text,)) == [wanted]
    assert text.notes == (note,)
    assert text.text[: text.spans[0].start] == chat(source).render(messages[:1], add_generation_prompt=True)


def test_an_opened_block_that_nothing_closes_is_refused() -> None:
    dropped = refusal(chat(TURN + ADD + "<|assistant|><judge>{% endif %}"), TWO[:2])
    assert dropped.reason == notes.DIVERGES
    assert "<judge>" in dropped.detail


def test_a_turn_joined_to_the_one_before_follows_the_usual_prompt() -> None:
    joining = (
        "{% for m in messages %}{% if m.role == 'assistant' and loop.previtem and loop.previtem.role == 'assistant' %}"
        "{{ m.content }}{% else %}<|{{ m.role }}|>{{ m.content }}{% endif %}<|end|>{% endfor %}"
        + ADD
        + "<|assistant|>{% endif %}"
    )
    texts = render(chat(joining), (*TWO[:2], Message("assistant", "more"), *TWO[2:]))
    assert trained(texts) == ["a1<|end|>", "more<|end|>", "a2<|end|>"]
    assert [[span.turn for span in text.spans] for text in texts] == [[1, 2], [4]]
    assert (texts[0].notes, texts[1].notes) == ((notes.PROMPT_WINS_HISTORY,), ())


@pytest.mark.parametrize(
    ("closing", "eos", "wanted"),
    [
        ("<|call|>message<|end|>", "</s>", "a1<|call|>message<|end|>"),
        ("<|/call|><|end|>{{ '<|user|>' if loop.last and m.role == 'assistant' }}", "<|end|>", "a1<|/call|><|end|>"),
        ("<|end|>\n{{ eos_token if loop.last and not add_generation_prompt }}", "</s>", "a1<|end|>"),
    ],
)
def test_of_several_tokens_after_the_answer_the_one_that_ends_the_turn_is_trained(
    closing: str, eos: str, wanted: str
) -> None:
    source = TURN.replace("<|end|>", closing) + ADD + "<|assistant|>{% endif %}"
    assert trained(render(chat(source, eos_token=eos), TWO[:2])) == [wanted]
    assert "<|end|>" in CONTROL
