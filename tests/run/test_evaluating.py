"""Models on suites: what is asked, kept, resumed, judged and told."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRecipe
from tests.endpoints import completion, running
from tests.small import Listening, questions
from tutelage import recipe as recipes
from tutelage.errors import DataError, RecipeError, TutelageError
from tutelage.recipe import Recipe
from tutelage.run import answering
from tutelage.run.evaluating import RESULT, compare, evaluate
from tutelage.run.judging import JUDGED
from tutelage.run.training import train


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[str, str]:
    """A tiny model, and the same after a few steps."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(20)), encoding="utf-8")
    tree = {
        "model": {"name_or_path": str(tiny_model)},
        "data": {"sources": str(folder / "rows.jsonl"), "eval_share": 0.0},
        "output_dir": str(folder / "run"),
        "train": {"max_steps": 3, "learning_rate": 0.01, "per_device_train_batch_size": 2},
    }
    train(recipes.build(tree), terminal=Listening())
    return str(tiny_model), str(folder / "run" / "model")


def suite_file(folder: Path, n: int = 8) -> str:
    path = folder / "sums.yaml"
    lines = ["metric: exact_match", "items:"]
    lines += [f"  - {{question: 'What is {k} and {k}?', expected: '{2 * k}', task: sums}}" for k in range(n)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def asking(folder: Path, **evaluate: Any) -> Recipe:
    section = {"suites": [suite_file(folder)], "max_new_tokens": 4, "batch_size": 3, **evaluate}
    return recipes.build({"evaluate": section})


def test_a_model_is_asked_and_its_answers_are_written(models: tuple[str, str], tmp_path: Path) -> None:
    terminal = Listening()
    result = evaluate(models[0], asking(tmp_path), output=str(tmp_path / "out"), terminal=terminal)
    (suite,) = json.loads((tmp_path / "out" / RESULT).read_text(encoding="utf-8"))["suites"]
    assert [item["references"] for item in suite["items"]] == [[str(2 * k)] for k in range(8)]
    assert all(set(item["answers"]) == {models[0]} for item in suite["items"])
    assert suite["items"][3]["place"].endswith("sums.yaml:6"), "the line of the item"
    figures = result.summary()["suites"]["sums"]
    assert (figures["n"], figures["pairs"]) == (8, [])
    assert (tmp_path / "out" / "report.html").exists()
    assert "difference" in terminal.text, "what can be seen is told before anything is asked"


def test_an_interrupted_evaluation_goes_on_where_it_stopped(
    models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, plain = asking(tmp_path), answering.generate
    whole = evaluate(models[0], recipe, output=str(tmp_path / "whole"), terminal=Listening())

    def stops(*parts: Any, done: Any, **more: Any) -> Any:
        def once(batch: Any) -> None:
            done(batch)
            raise KeyboardInterrupt

        return plain(*parts, done=once, **more)

    monkeypatch.setattr(answering, "generate", stops)
    with pytest.raises(KeyboardInterrupt):
        evaluate(models[0], recipe, output=str(tmp_path / "cut"), terminal=Listening())
    kept = (tmp_path / "cut" / answering.ANSWERS).read_text(encoding="utf-8")
    (tmp_path / "cut" / answering.ANSWERS).write_text(kept + '{"key": "cut o', encoding="utf-8")

    asked = list[int]()

    def counts(*parts: Any, prompts: Any, **more: Any) -> Any:
        asked.append(len(prompts))
        return plain(*parts, prompts=prompts, **more)

    monkeypatch.setattr(answering, "generate", counts)
    again = evaluate(models[0], recipe, output=str(tmp_path / "cut"), terminal=Listening())
    assert asked == [8 - 3], "a batch of three was kept"
    assert again.comparisons[0].answers == whole.comparisons[0].answers
    evaluate(models[0], recipe, output=str(tmp_path / "cut"), terminal=Listening())
    assert asked == [5], "all are known"


def test_another_model_and_another_limit_are_asked_anew(models: tuple[str, str], tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    first = evaluate(models[0], asking(tmp_path), output=out, terminal=Listening())
    other = evaluate(models[1], asking(tmp_path), output=out, terminal=Listening())
    assert other.comparisons[0].answers[models[1]] != first.comparisons[0].answers[models[0]]
    longer = evaluate(models[0], asking(tmp_path, max_new_tokens=6), output=out, terminal=Listening())
    assert max(one.tokens for one in longer.comparisons[0].answers[models[0]]) > 4


def test_models_are_compared_in_all_pairs(models: tuple[str, str], tmp_path: Path) -> None:
    result = compare(models, asking(tmp_path), terminal=Listening())
    pairs = result.summary()["suites"]["sums"]["pairs"]
    assert [(pair["before"], pair["after"]) for pair in pairs] == [models]
    assert result.output is None
    assert result.summary()["report"] is None


def test_rows_are_questions_too(models: tuple[str, str], make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(questions(12), evaluate={"metric": "f1", "num_questions": 5, "max_new_tokens": 3})
    (comparison,) = evaluate(models[0], recipe, terminal=Listening()).comparisons
    assert len(comparison.items) == 5
    assert comparison.suite.metric == "f1"
    assert all(item.place for item in comparison.items)


REFUSED = {
    "nothing": ({}, "nothing is asked"),
    "unknown": ({"evaluate": {"suites": ["nosuch.yaml"]}}, "there is no such suite"),
    "twice": ({"evaluate": {"suites": ["world_en", "world_en"]}}, "two suites are called"),
    "numbers": ({"evaluate": {"metric": "numeric"}, "data": {"sources": "ROWS"}}, "numeric cannot measure the row"),
    "judge": ({"evaluate": {"suites": ["world_en"], "judge_url": "http://localhost:1/v1"}}, "no model"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_asked_or_measured_is_refused_before_a_model_is_loaded(name: str, tmp_path: Path) -> None:
    tree, said = REFUSED[name]
    row = {"messages": [{"role": "user", "content": "Say."}, {"role": "assistant", "content": "No number"}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    tree = json.loads(json.dumps(tree).replace("ROWS", str(tmp_path / "rows.jsonl")))
    with pytest.raises(TutelageError, match=said) as error:
        evaluate("no/such/model", recipes.build(tree), terminal=Listening())
    assert isinstance(error.value, DataError | RecipeError)
    assert error.value.expected or error.value.remedy


def test_a_judge_is_told_beside_the_metrics_and_asked_once(models: tuple[str, str], tmp_path: Path) -> None:
    with running() as endpoint:
        endpoint.answer = lambda request, times: completion("I cannot say.")
        recipe = asking(tmp_path, judge_url=endpoint.url, judge_model="judge")
        terminal = Listening()
        result = compare(models, recipe, output=str(tmp_path / "out"), terminal=terminal)
        asked = len(endpoint.requests)
        again = compare(models, recipe, output=str(tmp_path / "out"), terminal=Listening())
        assert len(endpoint.requests) == asked, "replies are kept"
    (told,) = result.judged
    assert again.summary() == result.summary()
    assert told.judgement.calibration.refusal
    assert (told.told, told.result) == (0, None), "unknown replies count for nobody"
    assert result.summary()["judge"]["sums"]["verdict"] is None
    assert "not evidence" in terminal.text
    (record,) = json.loads((tmp_path / "out" / JUDGED).read_text(encoding="utf-8"))
    assert (record["suite"], record["unknown"]) == ("sums", 8)


def test_references_are_measured_beside_the_scores(models: tuple[str, str], tmp_path: Path) -> None:
    result = compare(models, asking(tmp_path), output=str(tmp_path / "out"), terminal=Listening())
    told = {one.name: one for one in result.beside}
    assert set(told) == {"perplexity of the references", "token accuracy on the references"}
    for one in told.values():
        assert set(one.values) == set(models)
        assert one.against[models[1]].n == 8
    base, tuned = (told["perplexity of the references"].values[name] for name in models)
    assert 1 < base != tuned > 1
    assert "perplexity of the references" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    written = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(result.summary()))


def test_set_figures_have_their_signatures(models: tuple[str, str], tmp_path: Path) -> None:
    figures = evaluate(models[0], asking(tmp_path), terminal=Listening()).summary()["suites"]["sums"]
    assert "tok:" in figures["corpus"][models[0]]["bleu"]["signature"]
    assert figures["diversity"][models[0]]["answers"] == 8
