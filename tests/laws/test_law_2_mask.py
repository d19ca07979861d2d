"""Law 2: the tokens before a trained turn are those of its generation prompt, and the turn alone is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.laws.masks import Chat, chat, check_mask, examples_of, joint_ids, prepared_from, server_prompt, trained_runs
from tutelage.tokens.encode import SPLIT_BOUNDARY, SPLIT_PER_TURN

BATTERY = [
    chat("Say cat.", "The cat."),
    chat("Say cat.", "The cat.", "And now?", "The baker sings.", "Again!", "No."),
    chat("What is the capital?", "Harbour.", system="You are brief."),
    chat("这个岛的首都是哪里？", "首都是港口。", "河水呢？", "河水流过旧磨坊。"),
    chat("A spider 🕷 and  two  spaces", "Eight 🦵 legs.\n\n- one\n- two", "12 + 30?", "42"),
    chat("Code?", "```python\nprint('a')\n```"),
]
# The prompt ends in a space, in a letter and in a quote: the first token of an answer would take each of them in.
MERGING = {
    "space": "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}",
    "letter": "{% for m in messages %}{{ m.role[0] }}{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}a{% endif %}",
}
REAL = ("smollm2", "qwen2.5", "qwen3", "llama3.1", "llama2", "phi-3-mini", "mistral")
TEMPLATES = (None, "chatml", "alpaca-zh")


def rows_of(chats: Sequence[Chat]) -> list[dict[str, Any]]:
    return [{"messages": messages} for messages in chats]


def contents(messages: Chat, role: str) -> list[str]:
    return [message["content"] for message in messages if message["role"] == role]


@pytest.mark.parametrize("template", ["chatml", "plain", "alpaca", "vicuna", "llama2", "conversation", "chinese"])
def test_each_turn_is_trained_after_exactly_its_prompt(make_recipe, template: str) -> None:
    prepared, spoken = prepared_from(
        make_recipe(rows_of(BATTERY), template={"name": template}, tokens={"max_length": 256}, data={"eval_share": 0})
    )
    assert prepared.ledger.count("used") == len(BATTERY)
    for row, messages in enumerate(BATTERY):
        texts = check_mask(prepared, spoken, row, messages)
        assert [text.strip() for text in texts] == contents(messages, "assistant")


@pytest.mark.parametrize("kind", list(MERGING))
def test_what_would_merge_across_the_boundary_is_trained_as_inference_sees_it(make_recipe, tmp_path, kind: str) -> None:
    (tmp_path / "merging.jinja").write_text(MERGING[kind], encoding="utf-8")
    chats = [chat("Say it", "the cat"), chat("Say it", "the river", "Now", "nd the baker sings")]
    recipe = make_recipe(
        rows_of(chats), template={"name": str(tmp_path / "merging.jinja")}, data={"eval_share": 0, "max_lost_share": 0}
    )
    prepared, spoken = prepared_from(recipe)
    merged = 0
    for row, messages in enumerate(chats):
        assert check_mask(prepared, spoken, row, messages) == contents(messages, "assistant")
        prompt = server_prompt(spoken, messages[:1])
        text = spoken.tokenizer.backend.decode(prompt, skip_special_tokens=False) + messages[1]["content"]
        merged += list(joint_ids(spoken, text)[: len(prompt)]) != prompt
    assert merged == 2, "prompt and answer of every first turn would have merged"
    assert len(examples_of(prepared, 0)) == 1
    assert len(examples_of(prepared, 1)) == 2, "one example per turn, each after its own prompt"
    assert prepared.notes == {SPLIT_BOUNDARY: 2, SPLIT_PER_TURN: 1}


WORDS = st.sampled_from(
    ["cat", "the river", "sings", "12", "港口", "🕷", "a\nb", "é", "<b>", "{{ x }}", "'s", "  x", "I"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join).filter(lambda text: text == text.strip())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chats=st.lists(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), min_size=1, max_size=4),
    template=st.sampled_from(["chatml", "plain", "space", "letter"]),
    typed=st.tuples(*[st.sampled_from(["", "<|im_end|>", "<|im_start|>assistant\n<|endoftext|>."])] * 2),
)
def test_the_law_holds_for_any_text(
    make_recipe, tmp_path: Path, chats: list[Any], template: str, typed: tuple[str, str]
) -> None:
    """Control tokens that are typed before a turn are seen as a server would see them: as control tokens. Those that
    the answer itself spells are trained as ordinary text: no stop but its own stands in it."""
    if template in MERGING:
        (tmp_path / f"{template}.jinja").write_text(MERGING[template], encoding="utf-8")
    name = str(tmp_path / f"{template}.jinja") if template in MERGING else template
    made = [chat(*(text for asked, told in turns for text in (asked + typed[0], told + typed[1]))) for turns in chats]
    recipe = make_recipe(
        rows_of(made), template={"name": name}, tokens={"max_length": 256}, data={"eval_share": 0, "max_lost_share": 0}
    )
    prepared, spoken = prepared_from(recipe)
    for row, messages in enumerate(made):
        texts = check_mask(prepared, spoken, row, messages)
        assert [text.removeprefix(" ") for text in texts] == contents(messages, "assistant")


def weights_of_turns(make_recipe, messages: Chat, **template: Any) -> list[float]:
    """The weight of each assistant turn of a row; 0 where it is not trained."""
    recipe = make_recipe(
        rows_of([messages]), template={"name": "chatml", **template}, data={"eval_share": 0}, tokens={"max_length": 256}
    )
    prepared, spoken = prepared_from(recipe)
    (example,) = examples_of(prepared, 0)
    decode = spoken.tokenizer.backend.decode
    ids = example.token_ids.tolist()
    found = {decode(ids[start:end]): float(example.weights[start]) for start, end in trained_runs(example)}
    assert set(found) <= set(contents(messages, "assistant"))
    return [found.get(text, 0.0) for text in contents(messages, "assistant")]


def test_policies_choose_the_turns(make_recipe) -> None:
    messages = chat("Say cat.", "The cat.", "More.", "The mill.", "Again.", "No.")
    assert weights_of_turns(make_recipe, messages) == [1, 1, 1]
    assert weights_of_turns(make_recipe, messages, train_on="last") == [0, 0, 1]
    flagged = [*messages[:3], {**messages[3], "train": False}, *messages[4:]]
    assert weights_of_turns(make_recipe, flagged) == [1, 0, 1]
    weighted = [messages[0], {**messages[1], "weight": 0.25}, *messages[2:]]
    assert weights_of_turns(make_recipe, weighted) == [0.25, 1, 1]


def test_train_on_all_trains_every_token(make_recipe) -> None:
    messages = chat("Say cat.", "The cat.", "More.", "The mill.")
    recipe = make_recipe(rows_of([messages]), template={"name": "chatml", "train_on": "all"}, data={"eval_share": 0})
    prepared, spoken = prepared_from(recipe)
    (example,) = examples_of(prepared, 0)
    assert trained_runs(example) == [(0, len(example.token_ids))]
    assert example.token_ids[-1] in spoken.stop_ids


def test_a_default_system_message_is_part_of_prompt_and_training(make_recipe) -> None:
    messages = chat("Say cat.", "The cat.")
    recipe = make_recipe(rows_of([messages]), template={"name": "chatml", "system": "Sing."}, data={"eval_share": 0})
    prepared, spoken = prepared_from(recipe)
    told = [{"role": "system", "content": "Sing."}, *messages]
    (example,) = examples_of(prepared, 0)
    ((start, _),) = trained_runs(example)
    assert example.token_ids[:start].tolist() == server_prompt(spoken, told[:2])


def test_a_question_is_asked_with_the_very_prompt_of_training(make_recipe) -> None:
    prepared, spoken = prepared_from(
        make_recipe(rows_of(BATTERY), data={"eval_share": 0.5}, tokens={"max_length": 256})
    )
    asked = prepared.questions(count=10, seed=0)
    assert len(asked) == len(set(prepared.store.rows[prepared.held_out].tolist())) > 1
    for question in asked:
        last = examples_of(prepared, question.row)[-1]
        start, _ = trained_runs(last)[-1]
        assert spoken.prompt(question) == last.token_ids[:start].tolist()
        assert question.references == (BATTERY[question.row][-1]["content"],)


@pytest.mark.shared
@pytest.mark.parametrize("tokenizer", REAL)
def test_the_law_holds_with_real_tokenizers(make_recipe, shared: Path, tokenizer: str) -> None:
    trained = 0
    for template in TEMPLATES:
        recipe = make_recipe(
            rows_of(BATTERY),
            model={"name_or_path": str(shared / "tokenizers" / tokenizer)},
            template={"name": template},
            tokens={"max_length": 1024},
            data={"eval_share": 0, "max_lost_share": 0.9},
        )
        prepared, spoken = prepared_from(recipe)
        switched = (
            {"enable_thinking": False} if any("enable_thinking: false" in note for note in prepared.notes) else {}
        )
        for row, messages in enumerate(BATTERY):
            if examples_of(prepared, row):
                texts = check_mask(prepared, spoken, row, messages, **switched)
                for text, content in zip(texts, contents(messages, "assistant"), strict=True):
                    # To a tokenizer that does not know it, ChatML's end is ordinary text before its own eos.
                    assert text.strip().removesuffix("<|im_end|>").endswith(content)
                    assert not any(asked in text for asked in contents(messages, "user"))
                trained += 1
        print(f"{tokenizer} {spoken.template.name}: {prepared.ledger.summary()}")
    assert trained >= 2 * len(BATTERY)
