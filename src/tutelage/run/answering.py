"""Asking models: the same questions, the same prompts, the same decoding."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.exact_match import exact_match
from tutelage.inference.generate import generate
from tutelage.model import loading, vocabulary
from tutelage.recipe import EvaluateSection, ModelSection
from tutelage.records import Generation, Question
from tutelage.run.assemble import Speech
from tutelage.run.device import device, has_fast_bf16
from tutelage.terminal import Terminal


def answers_of(
    name: str,
    model: ModelSection,
    *,
    questions: Sequence[Question],
    spoken: Speech,
    section: EvaluateSection,
    terminal: Terminal,
) -> list[Generation]:
    """A model's greedy answers to some questions, in their order; no model is loaded where nothing is asked."""
    if not questions:
        return []
    loaded = load_for_answers(model)
    vocabulary.add_missing_rows(loaded, spoken.tokenizer.new_ids)  # the base is asked with tokens that it lacks
    decoding = spoken.decoding(max_new_tokens=section.max_new_tokens, batch_size=section.batch_size)
    prompts = [spoken.prompt(question) for question in questions]
    with terminal.progress(f"asking the {name} model", len(prompts)) as update:
        return generate(
            loaded,
            spoken.tokenizer.wrapped,
            prompts=prompts,
            decoding=decoding,
            progress=lambda done: update(done, ""),
        )


def load_for_answers(model: ModelSection) -> PreTrainedModel:
    """A model ready to generate, in the dtype that it is stored in; on a CPU that is not fast in it, fp32."""
    dtype = loading.stored_dtype(loading.load_config(model))
    if device().type == "cpu" and not (dtype == torch.bfloat16 and has_fast_bf16()):
        dtype = torch.float32
    return loading.load_model(model, dtype=dtype).to(device())


def write_questions(questions: Sequence[Question], path: Path) -> None:
    """The questions with their first reference as ordinary rows, for `compare --data`."""
    with path.open("w", encoding="utf-8") as file:
        for question in questions:
            turns = [{"role": message.role, "content": message.content} for message in question.messages]
            row = {"messages": [*turns, {"role": "assistant", "content": question.references[0]}]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Every question with its references and each model's answer, as JSON."""
    rows = [
        {
            "row": question.row,
            "messages": [{"role": message.role, "content": message.content} for message in question.messages],
            "references": list(question.references),
            "answers": {name: comparison.answers[name][number].text for name in comparison.names},
            "right": {
                name: exact_match(comparison.answers[name][number].text, question.references)
                for name in comparison.names
            },
        }
        for number, question in enumerate(comparison.questions)
    ]
    text = json.dumps({"summary": comparison.summary(), "questions": rows}, indent=1, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
