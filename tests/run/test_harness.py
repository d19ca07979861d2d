"""lm-evaluation-harness on our models: its own figures, item by item, from tasks and data on this machine."""

import json
import logging
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.conftest import MakeRecipe
from tests.small import Listening, questions, write_small_model
from tutelage.errors import DataError, MissingExtra, ModelError
from tutelage.evaluation.statistics import compare_paired
from tutelage.recipe import Recipe
from tutelage.run import harness as room
from tutelage.run.assemble import speech
from tutelage.run.harness import HarnessTasks, TaskScores, harness

pytest.importorskip("lm_eval")

COLOURS = ("red", "green", "blue")
ROWS = [{"asked": f"Colour {n}?", "colours": list(COLOURS), "right": n % 3, "said": COLOURS[n % 3]} for n in range(7)]
CHOICE = """task: own_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{asked}}}}"
doc_to_choice: "{{{{colours}}}}"
doc_to_target: right
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
WRITTEN = """task: own_written
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{asked}}}}"
doc_to_target: "{{{{said}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 6, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    made = tmp_path / "tasks"
    made.mkdir()
    (made / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    for name, text in (("choice", CHOICE), ("written", WRITTEN)):
        (made / f"{name}.yaml").write_text(text.format(data=made / "rows.jsonl"), encoding="utf-8")
    return made


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe(questions(1), template={"name": "chatml", "system": "Be brief."})


def run(
    recipe: Recipe, folder: Path, *names: str, limit: int | None = None, chat: bool = False
) -> dict[str, TaskScores]:
    tasks = HarnessTasks(names, str(folder), limit=limit, chat=chat, batch_size=3)
    return harness(recipe.model, tasks, spoken=speech(recipe))


def chosen(model: Path, prompt: str) -> int:
    """The colour that a model holds for likeliest after a prompt, with transformers alone."""
    tokenizer, model_ = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    before = tokenizer(prompt)["input_ids"]
    sums = []
    for colour in COLOURS:
        after = tokenizer(f"{prompt} {colour}")["input_ids"][len(before) :]
        with torch.no_grad():
            log_p = model_(torch.tensor([before + after])).logits[0].log_softmax(-1)
        sums.append(sum(float(log_p[len(before) - 1 + at, token]) for at, token in enumerate(after)))
    return sums.index(max(sums))


def test_choices_are_those_of_a_plain_computation(recipe: Recipe, folder: Path) -> None:
    found = run(recipe, folder, "own_choice")["own_choice"]
    hits = tuple(float(chosen(Path(recipe.model.name_or_path), row["asked"]) == row["right"]) for row in ROWS)
    assert found.items == {"acc": hits}
    assert found.metrics == {"acc": pytest.approx(sum(hits) / len(hits))}


def test_the_chat_template_is_ours_and_is_used_on_request(
    recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lm_eval

    seen = []
    plain = lm_eval.simple_evaluate

    def listening(*args: object, **options: object) -> dict[str, object]:
        result: dict[str, object] = plain(*args, **options)
        seen.append(result["samples"]["own_written"][0]["arguments"][0][0])  # type: ignore[index]
        return result

    monkeypatch.setattr(lm_eval, "simple_evaluate", listening)
    for chat in (False, True):
        found = run(recipe, folder, "own_written", chat=chat, limit=2)["own_written"]
        assert len(found.items["exact_match"]) == 2
    spoken = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nColour 0?<|im_end|>\n<|im_start|>assistant\n"
    assert seen == ["Colour 0?", spoken]


def test_two_models_are_compared_item_by_item(
    recipe: Recipe, folder: Path, tmp_path: Path, tiny_tokenizer: Tokenizer
) -> None:
    other = write_small_model(tmp_path / "other", tiny_tokenizer, layers=1, width=64)
    pair = recipe.model_copy(update={"model": recipe.model.model_copy(update={"name_or_path": str(other)})})
    before, after = (run(each, folder, "own_choice", "own_written") for each in (recipe, pair))
    assert before.keys() == after.keys() == {"own_choice", "own_written"}
    result = compare_paired(before["own_choice"].items["acc"], after["own_choice"].items["acc"])
    assert (result.n, result.test) == (len(ROWS), "exact McNemar")
    difference = after["own_choice"].metrics["acc"] - before["own_choice"].metrics["acc"]
    assert result.difference == pytest.approx(difference)


def test_a_task_that_does_not_exist_or_has_no_data_is_told(
    recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gone.yaml").write_text(CHOICE.format(data=folder / "gone.jsonl").replace("own_choice", "own_gone"))
    with pytest.raises(DataError, match="own_gone: the data of the task cannot be had: FileNotFoundError"):
        run(recipe, folder, "own_gone")
    hub = (
        CHOICE.format(data="x").replace("own_choice", "own_hub").replace("dataset_path: json", "dataset_path: no/such")
    )
    (folder / "hub.yaml").write_text(hub.replace("dataset_kwargs: {data_files: {test: x}}\n", ""))
    with pytest.raises(DataError, match="own_hub: the data of the task") as told:
        run(recipe, folder, "own_hub")
    assert "HF_HUB_OFFLINE" in told.value.remedy
    import lm_eval.tasks

    own = lm_eval.tasks.TaskManager
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", lambda include_path, **_: own(None, include_path, False))
    with pytest.raises(DataError, match=r"no task is called 'own_choise'(.|\n)*did you mean own_choice"):
        run(recipe, folder, "own_choise")
    with pytest.raises(DataError, match="there is no such folder"):
        run(recipe, folder / "nowhere", "own_choice")


@pytest.mark.parametrize("line", ["process_docs: !function evil.run", "include: ../outside.yaml"])
def test_code_beside_tasks_runs_only_where_the_folder_is_trusted(recipe: Recipe, folder: Path, line: str) -> None:
    (folder / "evil.py").write_text("def run(docs):\n    return docs.select(range(3))\n")
    (folder.parent / "outside.yaml").write_text("process_docs: !function tasks/evil.run\n")
    (folder / "choice.yaml").write_text(f"{CHOICE.format(data=folder / 'rows.jsonl')}{line}\n")
    with pytest.raises(ModelError, match=r"choice.yaml: the task would run Python code") as told:
        run(recipe, folder, "own_choice")
    assert str(folder) in told.value.remedy
    if "function" in line:
        trusting = recipe.model.model_copy(update={"trust_remote_code": (str(folder),)})
        found = run(recipe.model_copy(update={"model": trusting}), folder, "own_choice")
        assert len(found["own_choice"].items["acc"]) == 3


@pytest.mark.parametrize("only", ["", "asked == 'Colour 5?' and "])
def test_templates_of_tasks_run_in_a_sandbox(recipe: Recipe, folder: Path, only: str) -> None:
    reaching = CHOICE.format(data=folder / "rows.jsonl").replace("{{asked}}", f"{{{{{only}asked.__class__.__mro__}}}}")
    (folder / "choice.yaml").write_text(reaching)
    with pytest.raises(DataError, match="own_choice: the task fails: SecurityError: access to attribute '__class__'"):
        run(recipe, folder, "own_choice")


def test_without_the_package_the_message_says_what_to_install(
    recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lm_eval", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tutelage\[bench\]'"):
        run(recipe, folder, "own_choice")


def test_warnings_of_the_harness_are_notes_told_once() -> None:
    terminal, logger = Listening(), logging.getLogger("lm_eval.anything")
    with room._told(terminal):
        for text in ("metrics differ", "metrics differ", "`pretrained` model kwarg is not of type `str`"):
            logger.warning(text)
        logger.info("loading")
    assert terminal.text == "note lm-eval: metrics differ\n"
