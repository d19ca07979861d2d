"""The library: every template exact and merged, well-known formats as published, names and files found or refused."""

import json
from pathlib import Path

import pytest
from template_oracle import SPECIAL, battery, conversation, faults

from tutelage.errors import TemplateError
from tutelage.recipe import TemplateSection
from tutelage.records import Message, Rendered
from tutelage.template import ChatTemplate, load, names, prompt, render_conversation, stop_tokens

WANTED = (
    "alpaca alpaca-zh basic-qa chain-of-thought chatml chinese classification conversation dolly generation "
    "human-assistant instruction-response llama2 plain qa simple summarization task translation vicuna"
)
CONTROL = frozenset({"<|im_start|>", "<|im_end|>", "<s>", "</s>"})


def library(name: str) -> ChatTemplate:
    return load(name, None, special_tokens=SPECIAL, control_tokens=CONTROL)


def test_the_library_is_complete() -> None:
    assert " ".join(names()) == WANTED


@pytest.mark.parametrize("kind", [kind for kind in battery() if kind != "reasoning" and "tools" not in kind])
@pytest.mark.parametrize("name", names())
def test_exact_and_merged(name: str, kind: str) -> None:
    case = conversation(battery()[kind])
    rendered = render_conversation(case, library(name), policy=TemplateSection())
    assert isinstance(rendered, tuple)
    assert faults(case, rendered, library(name)) == []
    assert len(rendered) == 1
    assert len(rendered[0].spans) == sum(m.role == "assistant" for m in case.messages)
    assert rendered[0].notes == ()


@pytest.mark.parametrize("kind", ["input", "inputs", "late input"])
@pytest.mark.parametrize("name", names())
def test_inputs_are_seen_once_never_trained_and_prompted_as_trained(name: str, kind: str) -> None:
    messages = battery()[kind]
    (rendered,) = _rendered(messages, name)
    inputs = [message.input for message in messages if message.input is not None]
    assert inputs
    for text in inputs:
        assert rendered.text.count(text) == 1
        assert not any(text in rendered.text[span.start : span.end] for span in rendered.spans)
    for span in rendered.spans:
        asked = prompt(messages[: span.turn], library(name), policy=TemplateSection())
        assert asked == rendered.text[: span.start]


@pytest.mark.parametrize("name", names())
def test_contents_are_written_as_they_are_between_bos_and_stop(name: str) -> None:
    case = conversation(battery()["system"])
    (rendered,) = _rendered(case.messages, name)
    stop = "<|im_end|>" if name == "chatml" else "</s>"
    assert rendered.text.startswith("<s>")
    assert rendered.text.endswith(stop)
    positions = [rendered.text.index(m.content) for m in case.messages]
    assert positions == sorted(positions)
    assert stop_tokens(library(name))[0] == stop


def _rendered(messages: tuple[Message, ...], name: str) -> tuple[Rendered, ...]:
    rendered = render_conversation(conversation(messages), library(name), policy=TemplateSection())
    assert isinstance(rendered, tuple)
    return rendered


@pytest.mark.parametrize(
    ("name", "system", "text"),
    [
        (
            "alpaca",
            "",
            "<s>Below is an instruction that describes a task. Write a response that appropriately completes the "
            "request.\n\n### Instruction:\nQ\n\n### Response:\n",
        ),
        (
            "vicuna",
            "",
            "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
            "detailed, and polite answers to the user's questions. USER: Q ASSISTANT:",
        ),
        ("llama2", "S", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST]"),
        ("chatml", "S", "<s><|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"),
        ("plain", "S", "<s>System: S\nUser: Q\nAssistant:"),
        ("alpaca-zh", "", "<s>### 指令：\nQ\n\n### 回答：\n"),
    ],
)
def test_prompts_of_well_known_formats(name: str, system: str, text: str) -> None:
    assert prompt((Message("user", "Q"),), library(name), policy=TemplateSection(system=system or None)) == text


ASKED = (Message("user", "Add\n1, 2", input="1, 2"),)
PAIRED = (
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
    "response that appropriately completes the request.\n\n"
)
ALPACA = "### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n"
INPUTS = {
    "alpaca": PAIRED + ALPACA,
    "instruction-response": ALPACA,
    "alpaca-zh": "### 指令：\nAdd\n\n### 输入：\n1, 2\n\n### 回答：\n",
    "chinese": "以下是一个描述任务的指令，请写出一个能恰当完成该请求的回答。\n\n"
    "### 指令：\nAdd\n\n### 输入：\n1, 2\n\n### 回答：\n",
    "task": "### Task:\nAdd\n\n### Input:\n1, 2\n\n### Output:\n",
    "dolly": "Instruction:\nAdd\n\nContext:\n1, 2\n\nResponse:\n",
    "summarization": "Add\n\nText: 1, 2\n\nSummary:",
    "translation": "Add\n\nText: 1, 2\n\nTranslation:",
    "classification": "Add\n\nText: 1, 2\n\nCategory:",
    "qa": "Context: 1, 2\nQuestion: Add\nAnswer:",
}


@pytest.mark.parametrize("name", names())
def test_an_input_has_its_own_heading_or_stands_in_the_question(name: str) -> None:
    written = prompt(ASKED, library(name), policy=TemplateSection())
    assert library(name).dialect.inputs == (name in INPUTS)
    if name in INPUTS:
        assert written == f"<s>{INPUTS[name]}"
    else:
        assert written == prompt((Message("user", "Add\n1, 2"),), library(name), policy=TemplateSection())


def test_the_first_question_chooses_the_introduction_and_a_system_message_takes_its_place() -> None:
    talk = (Message("user", "Q"), Message("assistant", "A"), *ASKED, Message("assistant", "3"))
    (rendered,) = _rendered(talk, "alpaca")
    assert rendered.text.count("Below is") == 1
    assert PAIRED not in rendered.text
    assert rendered.text.endswith(f"</s>\n\n{ALPACA}3</s>")
    assert _rendered((*talk[2:], *talk[:2]), "alpaca")[0].text.startswith(f"<s>{PAIRED}{ALPACA}3</s>")
    assert prompt(ASKED, library("alpaca"), policy=TemplateSection(system="S")) == f"<s>S\n\n{ALPACA}"
    named = prompt(ASKED, library("task"), policy=TemplateSection(system="S"))
    assert named == "<s>### Task:\nS\n\n### Input:\nAdd\n1, 2\n\n### Output:\n"


def test_second_turns_of_well_known_formats() -> None:
    messages = tuple(Message(role, word) for role, word in zip(("user", "assistant") * 2, "qarb", strict=True))
    assert _rendered(messages, "llama2")[0].text == "<s>[INST] q [/INST] a </s><s>[INST] r [/INST] b </s>"
    assert _rendered(messages, "vicuna")[0].text.endswith("USER: q ASSISTANT: a</s>USER: r ASSISTANT: b</s>")


def test_reasoning_is_the_solution_of_a_chain_of_thought() -> None:
    messages = (Message("user", "2+2?"), Message("assistant", "4", reasoning="Count."))
    (rendered,) = _rendered(messages, "chain-of-thought")
    assert rendered.text == "<s>### Problem:\n2+2?\n\n### Solution:\nCount.\n\n### Answer:\n4</s>"


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(TemplateError) as caught:
        library("alpacca")
    assert "alpaca" in caught.value.remedy
    assert "vicuna" in caught.value.expected


def test_the_tokenizers_own_template_and_the_default() -> None:
    assert load(None, "{{ 1 }}", special_tokens={}).source == "{{ 1 }}"
    assert load(None, {"tool_use": "t", "default": "d"}, special_tokens={}).source == "d"
    assert load(None, [{"name": "default", "template": "d"}], special_tokens={}).source == "d"
    assert load(None, None, special_tokens={}).name == "plain"
    with pytest.raises(TemplateError, match="none named default: rag, tool_use"):
        load(None, {"tool_use": "t", "rag": "r"}, special_tokens={})


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "from json"}))
    (tmp_path / "mine.jinja").write_text("from jinja", encoding="utf-8")
    assert load(str(tmp_path / "mine.jinja"), None, special_tokens={}).source == "from jinja"
    assert load(str(tmp_path / "tokenizer_config.json"), None, special_tokens={}).source == "from json"
    assert load(str(tmp_path), None, special_tokens={}).source == "from json"
    (tmp_path / "chat_template.jinja").write_text("first", encoding="utf-8")
    assert load(str(tmp_path), None, special_tokens={}).source == "first"


@pytest.mark.parametrize(
    ("content", "message"), [("{}", "no `chat_template`"), ("{", "not valid JSON"), ("[1]", "no `chat_template`")]
)
def test_files_without_a_template_are_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "tokenizer_config.json"
    file.write_text(content)
    with pytest.raises(TemplateError, match=message):
        load(str(file), None, special_tokens={})
    with pytest.raises(TemplateError):
        load(str(tmp_path), None, special_tokens={})
