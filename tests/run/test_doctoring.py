"""The conformance report: right verdicts on templates whose faults are known, and a check that can fail."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tests.small import Listening, train_tokenizer
from tutelage import build, doctor
from tutelage.errors import TemplateError
from tutelage.run.assemble import speech
from tutelage.run.diagnosis import Diagnosis, Finding, Stops, Token, show_diagnosis
from tutelage.run.doctoring import diagnose
from tutelage.template.battery import SINGLE, battery

HEAD = "{% for m in messages %}<|im_start|>{{ m.role }}\n"
TAIL = "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CHAT = HEAD + "{{ m.content }}" + TAIL
THINKS = CHAT.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
FORGETS = (
    HEAD + "{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}) {% endif %}{{ m.content }}" + TAIL
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHAT
PARTS = HEAD + "{% for part in m.content %}{{ part.text }}{% endfor %}" + TAIL
SWITCH = CHAT.replace(
    "assistant\n{% endif", "assistant\n{% if enable_thinking is not false %}<think>\n{% endif %}{% endif"
)
CALLS = (
    HEAD + "{{ m.content }}{% for call in m.tool_calls or [] %}<call>{{ call.function.name }}"
    "{{ call.function.arguments | tojson }}</call>{% endfor %}" + TAIL
)


@pytest.fixture
def examine(tiny_model: Path, tmp_path: Path) -> Any:
    """The diagnosis of a template's source with the tiny tokenizer."""

    def run(source: str, *, model: Path = tiny_model, **section: Any) -> Diagnosis:
        file = tmp_path / "own.jinja"
        file.write_text(source, encoding="utf-8")
        return doctor(build({"model": {"name_or_path": str(model)}, "template": {"name": str(file), **section}}))

    return run


def by_case(found: Diagnosis) -> dict[str, Finding]:
    return {finding.case: finding for finding in found.findings}


def test_a_plain_template_is_exact_and_every_turn_is_compared(examine: Any) -> None:
    found = by_case(examine(CALLS))
    assert found.keys() == {case.name for case in battery("x")}
    for case in battery("x"):
        assert found[case.name].exact, found[case.name]
        assert found[case.name].turns == sum(message.role == "assistant" for message in case.messages)
    assert found["several turns"].verdict == "exact, merged"
    assert found["several turns"].asked == found["several turns"].notes == ()


def test_rewritten_history_is_one_example_per_turn(examine: Any) -> None:
    found = by_case(examine(FORGETS))
    assert found["reasoning"].verdict == "exact, per turn"
    assert found["several turns"].verdict == "exact, merged"


def test_a_difference_to_the_transcript_is_shown_where_it_begins(examine: Any) -> None:
    found = by_case(examine(THINKS))[SINGLE]
    [question, answer] = battery("x")[0].messages
    prompt = f"<|im_start|>user\n{question.content}<|im_end|>\n<|im_start|>assistant\n"
    assert found.exact
    assert found.transcript is not None
    assert found.transcript.position == len(prompt)
    assert prompt.endswith(found.transcript.before)
    assert found.transcript.training.startswith("<think>\n")
    assert found.transcript.other.startswith(answer.content)
    assert by_case(examine(CHAT))[SINGLE].transcript is None


@pytest.mark.parametrize(
    ("source", "case", "asked"),
    [
        (NO_SYSTEM, "system message", "system message inside the first question"),
        (PARTS, SINGLE, "contents as lists of text parts"),
        (SWITCH, SINGLE, "enable_thinking=false"),
    ],
)
def test_what_a_server_must_be_asked_with_is_told(examine: Any, source: str, case: str, asked: str) -> None:
    found = by_case(examine(source))[case]
    assert found.exact
    assert found.asked == (asked,)


def test_an_argument_that_the_recipe_sets_is_not_asked_for_again(examine: Any) -> None:
    found = by_case(examine(SWITCH, arguments={"enable_thinking": False}))[SINGLE]
    assert (found.verdict, found.asked) == ("exact, merged", ())


def test_the_recipes_system_message_is_part_of_every_prompt(examine: Any) -> None:
    found = by_case(examine(CALLS, system="Speak softly.", train_reasoning=False))
    assert all(finding.exact and finding.turns for finding in found.values())


def test_what_a_template_cannot_write_is_refused_with_the_reason(examine: Any) -> None:
    found = examine(CHAT)
    tools = by_case(found)["tool call"]
    assert tools.verdict == "refused"
    assert "town_weather" in tools.detail
    assert found.healthy
    assert tools.reason in found.sentence


def test_a_template_that_always_raises_is_a_table_of_refusals(examine: Any) -> None:
    found = examine("\n{{ raise_exception('only cats may speak') }}")
    assert {finding.verdict for finding in found.findings} == {"refused"}
    assert all("own.jinja:2" in finding.detail and "only cats" in finding.detail for finding in found.findings)
    assert not found.healthy
    assert found.stops.endings == ()


def test_invalid_jinja_is_one_error(examine: Any) -> None:
    with pytest.raises(TemplateError, match=r"own\.jinja:1"):
        examine("{% if x")


def test_the_check_fails_where_a_server_would_see_other_ids(tiny_model: Path) -> None:
    spoken = speech(build({"model": {"name_or_path": str(tiny_model)}, "template": {"name": "chatml"}}))
    other = PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(300), eos_token="<|endoftext|>")
    found = list(diagnose(replace(spoken, tokenizer=replace(spoken.tokenizer, wrapped=other))))
    plain = next(finding for finding in found if finding.case == SINGLE)
    assert plain.verdict == "WRONG"
    assert not plain.exact
    assert "training sees" in plain.faults[0]
    assert all(finding.verdict in ("WRONG", "refused") for finding in found)


def test_a_turn_that_ends_where_generation_would_not_stop_is_never_exact(examine: Any) -> None:
    long_ends = "{{ m.content }}{{ '<|pad|>' if m.content | length > 15 else '<|im_end|>' }}"
    found = by_case(examine(CHAT.replace("{{ m.content }}<|im_end|>", long_ends)))
    assert found[SINGLE].exact
    assert not found["long conversation"].exact


def test_stops_of_the_models_files_are_held_against_the_trained_ones(
    examine: Any, tiny_model: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    turn, end = (tokenizer.convert_tokens_to_ids(text) for text in ("<|im_end|>", "<|endoftext|>"))
    stops = examine(CHAT).stops
    assert stops.answers == (Token("<|im_end|>", turn),)
    assert stops.missed == stops.answers
    assert f'"eos_token_id": [{turn}, {end}]' in stops.served_sentence
    folder = tmp_path / "mended"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [turn, end]}))
    mended = examine(CHAT, model=folder).stops
    assert mended.missed == ()
    assert "<|im_end|>" in mended.served_sentence
    (folder / "generation_config.json").unlink()  # then config.json counts
    assert examine(CHAT, model=folder).stops.missed == stops.answers
    (folder / "config.json").unlink()
    bare = examine(CHAT, model=folder).stops
    assert bare.served is None
    assert bare.missed == ()
    assert "not known" in bare.served_sentence


def test_stops_say_what_they_end() -> None:
    turn, call, end = Token("<turn>", 1), Token("<call>", 2), Token("<end>", 3)
    words = Stops(answers=(turn,), calls=(turn, call), eos=end, served=(turn,)).trained
    assert "<turn> (1) ends answers and tool calls" in words
    assert "<call> (2) ends tool calls" in words
    assert "eos of the tokenizer is <end> (3)" in words


@pytest.mark.parametrize("by_template", [True, False])
@pytest.mark.parametrize("by_tokenizer", [True, False])
def test_who_writes_the_bos_token_is_told(examine: Any, tmp_path: Path, by_template: bool, by_tokenizer: bool) -> None:
    backend = train_tokenizer()
    if by_tokenizer:
        backend.post_processor = TemplateProcessing(single="<|pad|> $A", special_tokens=[("<|pad|>", 1)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|pad|>", eos_token="<|endoftext|>")
    wrapped.save_pretrained(tmp_path / "with-bos")
    found = examine(("{{ bos_token }}" if by_template else "") + CHAT, model=tmp_path / "with-bos")
    assert found.healthy
    assert found.bos.startswith("<|pad|>, written by the template" if by_template else "none")
    assert ("only the template's is used" in found.bos) == (by_template and by_tokenizer)


def test_the_report_holds_every_case_within_the_width(examine: Any) -> None:
    found = examine(THINKS)
    for width in (80, 120):
        terminal = Listening()
        terminal.console = Console(file=terminal.heard, width=width, soft_wrap=True)
        show_diagnosis(found, terminal)
        framed = [line for line in terminal.text.splitlines() if line.startswith(("│", "┃"))]
        assert len(framed) >= len(found.findings)
        assert max(map(len, framed)) <= width
        names = " ".join(line.split("│")[1].strip() for line in framed if line.startswith("│"))
        assert all(finding.case in names for finding in found.findings)
        assert "'<think>" in terminal.text
        assert "the template does not write" in terminal.text
        assert terminal.text.rstrip().endswith(f"{found.sentence}.")


def test_the_json_holds_everything(examine: Any) -> None:
    found = examine(THINKS)
    told = json.loads(json.dumps(found.summary()))
    assert told["healthy"] is True
    assert {case["case"]: case["verdict"] for case in told["cases"]} == {f.case: f.verdict for f in found.findings}
    assert told["cases"][0]["transcript"]["training"].startswith("<think>")
    assert told["stops"]["answers"][0]["text"] == "<|im_end|>"


@pytest.mark.shared
@pytest.mark.parametrize("name", ["Qwen-Qwen3-0.6B", "meta-llama-Llama-3.1-8B-Instruct", "google-gemma-2-2b-it"])
def test_nothing_is_wrong_on_real_templates(shared: Path, examine: Any, name: str) -> None:
    lines = (shared / "chat_templates.jsonl").read_text(encoding="utf-8").splitlines()
    source = next(row["template"] for row in map(json.loads, lines) if row["name"] == name)
    for folder in ("smollm2", "mistral"):
        found = examine(source, model=shared / "tokenizers" / folder)
        assert found.healthy, found.sentence
        assert sum(finding.turns for finding in found.findings) >= 30
