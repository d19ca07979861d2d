"""Asking models: the same questions, the same prompts, the same decoding."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.suite import Suite, by_number
from tutelage.inference.generate import Decoding, generate
from tutelage.model import loading, vocabulary
from tutelage.recipe import EvaluateSection, ModelSection
from tutelage.records import Generation, Question
from tutelage.run.allocator import give_back_freed_memory
from tutelage.run.assemble import Speech
from tutelage.run.device import device, has_fast_bf16
from tutelage.run.fingerprint import model_files
from tutelage.terminal import Terminal

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Asker:
    """How models are asked.

    Attributes:
        kept: folder of answers that are known already, and to which new ones are added; None: none are kept.
    """

    section: EvaluateSection
    terminal: Terminal
    kept: Path | None = None

    def answers(
        self, name: str, model: ModelSection, *, questions: Sequence[Question], spoken: Speech
    ) -> list[Generation]:
        """A model's greedy answers to some questions, in their order; no model is loaded where nothing is asked."""
        decoding = spoken.decoding(max_new_tokens=self.section.max_new_tokens, batch_size=self.section.batch_size)
        prompts = [spoken.prompt(question) for question in questions]
        store = _Store(self.kept, _identity(model, decoding)) if self.kept else None
        known = store.known(prompts) if store else {}
        missing = [number for number in range(len(prompts)) if number not in known]
        if known:
            self.terminal.say(f"{len(known):,} of {len(prompts):,} answers of {name} are known already")
        if not missing:
            return [known[number] for number in range(len(prompts))]
        loaded = load_for_answers(model)
        vocabulary.add_missing_rows(loaded, spoken.tokenizer.new_ids)  # the base is asked with tokens that it lacks
        found = dict(known)
        with self.terminal.progress(f"asking the {name} model", len(prompts), start=len(known)) as update:

            def done(answers: Mapping[int, Generation]) -> None:
                batch = {missing[number]: answer for number, answer in answers.items()}
                found.update(batch)
                if store:
                    store.add({number: prompts[number] for number in batch}, batch)
                update(len(found), "")

            asked = [prompts[number] for number in missing]
            generate(loaded, spoken.tokenizer.wrapped, prompts=asked, decoding=decoding, done=done)
        del loaded
        give_back_freed_memory()
        return [found[number] for number in range(len(prompts))]

    def suites(
        self, name: str, model: ModelSection, *, suites: Sequence[Suite], spoken: Speech
    ) -> dict[str, list[Generation]]:
        """Name of the suite -> a model's answers to it. All suites are asked together."""
        questions = [item.question for suite in suites for item in suite.items]
        answers = self.answers(name, model, questions=questions, spoken=spoken)
        return {name: answers[part] for name, part in by_number({one.name: len(one.items) for one in suites})}


class _Store:
    """Answers that are kept as they come, one a line, under a hash of all that decides them. A line that was cut off by
    a stop is passed over."""

    def __init__(self, folder: Path, identity: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._identity = folder / ANSWERS, identity

    def known(self, prompts: Sequence[Sequence[int]]) -> dict[int, Generation]:
        """Number of the prompt -> its answer, of those that are kept."""
        kept = dict(self._lines()) if self._path.exists() else {}
        keys = {number: self._key(prompt) for number, prompt in enumerate(prompts)}
        return {number: kept[key] for number, key in keys.items() if key in kept}

    def add(self, prompts: Mapping[int, Sequence[int]], answers: Mapping[int, Generation]) -> None:
        """Keep some answers."""
        lines = [{"key": self._key(prompts[number]), **asdict(answer)} for number, answer in answers.items()]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n")  # ends a line that was cut off
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def _lines(self) -> list[tuple[str, Generation]]:
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                fields = json.loads(line)
                found.append((fields.pop("key"), Generation(**fields)))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        return found

    def _key(self, prompt: Sequence[int]) -> str:
        return blake2b(f"{self._identity} {list(prompt)}".encode(), digest_size=16).hexdigest()


def _identity(model: ModelSection, decoding: Decoding) -> str:
    """All that decides an answer besides its prompt."""
    decisive = {**asdict(decoding), "batch_size": 0}  # how many are generated together decides nothing
    name = loading.absolute(model.name_or_path)
    return json.dumps([name, model.revision, model_files(model), decisive, torch.__version__, str(device())])


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
            turns = _turns(question)
            row = {"messages": [*turns, {"role": "assistant", "content": question.references[0]}]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_comparisons(comparisons: Sequence[Comparison], path: Path) -> None:
    """Every item of every suite with its references, and each model's answer with its score, as JSON."""
    suites = [
        {"suite": one.suite.name, "summary": one.summary(), "items": [_item(one, n) for n in range(len(one.items))]}
        for one in comparisons
    ]
    path.write_text(json.dumps({"suites": suites}, indent=1, ensure_ascii=False), encoding="utf-8")


def _item(comparison: Comparison, number: int) -> dict[str, Any]:
    item = comparison.items[number]
    return {
        "row": item.question.row,
        "place": item.place,
        "task": item.task,
        "metric": item.metric,
        "messages": _turns(item.question),
        "references": list(item.references),
        "answers": {name: comparison.answers[name][number].text for name in comparison.names},
        "stopped": {name: comparison.answers[name][number].stopped for name in comparison.names},
        "scores": {name: comparison.scores[name][number] for name in comparison.names},
    }


def _turns(question: Question) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in question.messages]
