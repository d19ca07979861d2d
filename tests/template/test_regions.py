"""Whose text it is: every message stands where its words stand, and nowhere else."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_oracle import SPECIAL, TOOLS, battery, chat_template, conversation

from tutelage.recipe import TemplateSection
from tutelage.records import Conversation, Dropped, Message, Place, Rendered, ToolCall
from tutelage.template import ChatTemplate, Region, regions, render_conversation

TURN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
CONTROL = frozenset({"<|user|>", "<|assistant|>", "<|system|>", "<|tool|>", "<|end|>"})
TWO = (Message("user", "q1"), Message("assistant", "a1"), Message("user", "q2"), Message("assistant", "a2"))
DEFAULT = TemplateSection()


def chat(source: str = TURN + PROMPT) -> ChatTemplate:
    return ChatTemplate("test", source, SPECIAL, CONTROL)


def texts(case: Conversation, template: ChatTemplate, policy: TemplateSection = DEFAULT) -> tuple[Rendered, ...]:
    rendered = render_conversation(case, template, policy=policy)
    assert not isinstance(rendered, Dropped), rendered
    return rendered


def owned(case: Conversation, template: ChatTemplate, policy: TemplateSection = DEFAULT) -> list[list[tuple[str, str]]]:
    """Role and text of each region of each text."""
    return [
        [(one.role, text.text[one.start : one.end]) for one in regions(text, case, template=template, policy=policy)]
        for text in texts(case, template, policy)
    ]


def test_each_message_has_what_it_says_and_a_trained_turn_its_stop() -> None:
    said = [("user", "q1"), ("assistant", "a1<|end|>"), ("user", "q2"), ("assistant", "a2<|end|>")]
    assert owned(conversation(TWO), chat()) == [said]


def test_a_turn_that_is_only_seen_has_what_it_says() -> None:
    """Untrained by the row, and untrained by the policy."""
    quiet = (TWO[0], replace(TWO[1], train=False), *TWO[2:])
    said = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2<|end|>")]
    assert owned(conversation(quiet), chat()) == [said]
    assert owned(conversation(TWO), chat(), TemplateSection(train_on="last")) == [said]


def test_rewritten_history_has_a_text_per_turn_with_its_own_regions() -> None:
    strict = TURN.replace(
        "{{ m.content }}",
        "{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}",
    )
    thinking = tuple(replace(one, reasoning="why") if one.role == "assistant" else one for one in TWO)
    assert owned(conversation(thinking), chat(strict + PROMPT)) == [
        [("user", "q1"), ("assistant", "(why)a1<|end|>")],
        [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "(why)a2<|end|>")],
    ]


def test_with_all_trained_the_words_still_belong_to_who_says_them() -> None:
    everything = TemplateSection(train_on="all")
    said = [("user", "q1"), ("assistant", "a1<|end|>"), ("user", "q2"), ("assistant", "a2<|end|>")]
    assert owned(conversation(TWO), chat(), everything) == [said]
    quiet = (TWO[0], replace(TWO[1], train=False), *TWO[2:])
    assert owned(conversation(quiet), chat(), everything) == [said]
    mute = (TWO[0], replace(TWO[1], content=""), *TWO[2:])  # it cannot be trained alone, but it can be seen
    found = owned(conversation(mute), chat(), everything)
    assert found == [[("user", "q1"), ("user", "q2"), ("assistant", "a2<|end|>")]]


def test_a_default_system_message_is_the_systems() -> None:
    policy = TemplateSection(system="Be kind.")
    assert owned(conversation(TWO[:2]), chat(), policy) == [
        [("system", "Be kind."), ("user", "q1"), ("assistant", "a1<|end|>")]
    ]


def test_a_system_message_that_is_moved_stays_the_systems() -> None:
    only = TURN.replace("{{ m.content }}", "{{ raise_exception('no') if m.role == 'system' else m.content }}")
    case = conversation((Message("system", "s"), *TWO[:2]))
    expected = [[("system", "s"), ("user", "q1"), ("assistant", "a1<|end|>")]]
    assert owned(case, chat(only + PROMPT)) == expected
    assert owned(conversation(TWO[:2]), chat(only + PROMPT), TemplateSection(system="s")) == expected


def test_an_input_is_the_users_with_its_heading() -> None:
    apart = TURN.replace("{{ m.content }}", "{{ m.instruction ~ '#' ~ m.input if m.input is defined else m.content }}")
    case = conversation((Message("user", "q\ni", input="i"), TWO[1]))
    assert owned(case, chat(apart + PROMPT)) == [[("user", "q#i"), ("assistant", "a1<|end|>")]]
    assert owned(case, chat()) == [[("user", "q\ni"), ("assistant", "a1<|end|>")]]


def test_calls_and_results_are_told_apart() -> None:
    source = TURN.replace(
        "{{ m.content }}", "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}"
    )
    call = Message("assistant", "", tool_calls=(ToolCall("look", {"at": "sky"}),), train=False)
    case = conversation((TWO[0], call, Message("tool", "blue"), TWO[3]))
    (found,) = owned(case, chat(source + PROMPT))
    assert [role for role, _ in found] == ["user", "assistant", "tool", "assistant"]
    assert found[0] == ("user", "q1")
    assert found[2:] == [("tool", "blue"), ("assistant", "a2<|end|>")]
    assert "look" in found[1][1]
    assert "sky" in found[1][1]


def test_a_result_that_is_written_into_the_turn_of_its_call_has_its_part() -> None:
    """As templates do that let a turn go on after the result."""
    source = (
        "{% for m in messages %}{% if m.role != 'tool' %}<|{{ m.role }}|>{% if m.tool_calls %}"
        "{{ m.tool_calls[0].function | tojson }}[{{ messages[loop.index0 + 1].content }}]{% endif %}"
        "{{ m.content }}<|end|>{% endif %}{% endfor %}"
    )
    call = Message("assistant", "so", tool_calls=(ToolCall("look", {"at": "sky"}),), train=False)
    case = conversation((TWO[0], call, Message("tool", "blue"), *TWO[2:]))
    (found,) = owned(case, chat(source + PROMPT))
    assert [role for role, _ in found] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert (found[2], found[3]) == (("tool", "blue"), ("assistant", "]so"))


@pytest.mark.parametrize(
    "content",
    [
        "{{ m.content if m.content != 'q1' }}",
        "{{ m.content }}{{ m.content if loop.first }}",
        "{{ raise_exception('no') if loop.first and loop.length > 2 and m.content != 'q1' else m.content }}",
    ],
)
def test_what_cannot_be_located_is_the_templates(content: str) -> None:
    """Written nowhere, written twice, and a template that takes no other content."""
    case = conversation(TWO)
    policy = TemplateSection(train_on="last")
    (found,) = owned(case, chat(TURN.replace("{{ m.content }}", content) + PROMPT), policy)
    assert found == [("assistant", "a1"), ("user", "q2"), ("assistant", "a2<|end|>")]


def test_plain_text_is_text() -> None:
    case = Conversation(0, Place("a.txt", 1), text="Once upon a time.")
    assert owned(case, chat()) == [[("text", "Once upon a time.</s>")]]


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<|>"), min_size=1).map(str.strip).filter(bool)


@given(st.lists(WORDS, min_size=4, max_size=4))
def test_any_content_is_found_where_it_stands(contents: list[str]) -> None:
    """Also contents that are equal, and those that hold the words that are put in place of them."""
    case = conversation(tuple(replace(one, content=text) for one, text in zip(TWO, contents, strict=True)))
    (found,) = owned(case, chat())
    ends = ["", "<|end|>", "", "<|end|>"]
    assert found == [(one.role, text + end) for one, text, end in zip(TWO, contents, ends, strict=True)]


def misplaced(text: Rendered, case: Conversation, found: tuple[Region, ...]) -> list[str]:
    """Contents that stand in the text but not in a region of their role, or in one of another role."""
    wrong = []
    for message in case.messages[: text.turns]:
        for part in filter(None, message.content.split("\n")):
            at = text.text.find(part)
            roles = {one.role for one in found if at >= 0 and one.start <= at and at + len(part) <= one.end}
            if at >= 0 and roles != {message.role}:
                wrong.append(f"{message.role} {part!r}: {roles}")
    return wrong


@pytest.mark.shared
def test_real_templates_say_whose_every_content_is(shared: Path) -> None:
    rows = [json.loads(line) for line in (shared / "chat_templates.jsonl").read_text(encoding="utf-8").splitlines()]
    control = frozenset({"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>"})
    checked, wrong = 0, {}
    for row in rows:
        template = chat_template(row, control)
        for kind in ("inputs", "reasoning", "parallel tools"):
            case = conversation(battery()[kind], TOOLS if "tools" in kind else ())
            rendered = render_conversation(case, template, policy=DEFAULT)
            for text in () if isinstance(rendered, Dropped) else rendered:
                checked += 1
                found = regions(text, case, template=template, policy=DEFAULT)
                assert all(before.end <= after.start for before, after in pairwise(found))
                if bad := misplaced(text, case, found):
                    wrong[row["name"], kind] = bad
    assert checked > 250
    assert wrong == {}
