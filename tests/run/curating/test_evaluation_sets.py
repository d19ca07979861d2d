"""Which prompts must not be trained on."""

import json
from pathlib import Path

import pytest

from tutelage import recipe as recipes
from tutelage.errors import DataError, RecipeError
from tutelage.run.curating.evaluation_sets import evaluation_index


def write(path: Path, *prompts: str) -> str:
    path.write_text("".join(json.dumps({"instruction": one, "output": "yes"}) + "\n" for one in prompts))
    return str(path)


def test_nothing_is_asked_where_nothing_is_named() -> None:
    assert evaluation_index(recipes.build({"data": {"sources": ["a.jsonl"]}})) is None


def test_files_and_the_recipes_own_held_out_rows(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.jsonl", "What is a quark?"), write(tmp_path / "b.jsonl", "What is a gluon?")
    recipe = recipes.build({"data": {"sources": ["x"], "eval_sources": [second]}, "curate": {"decontaminate": [first]}})
    index = evaluation_index(recipe)
    assert index is not None
    assert set(index.prompts) == {(first, "What is a quark?"), (second, "What is a gluon?")}
    assert [match and match.name for match in index.matches(["what is a QUARK", "What is a lepton?"])] == [first, None]


def test_every_turn_of_a_conversation_is_a_prompt(tmp_path: Path) -> None:
    turns = [("user", "First?"), ("assistant", "1"), ("user", "Second?"), ("assistant", "2")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    (tmp_path / "c.jsonl").write_text(json.dumps(row))
    index = evaluation_index(recipes.build({"curate": {"decontaminate": [str(tmp_path / "c.jsonl")]}}))
    assert index is not None
    assert [prompt for _, prompt in index.prompts] == ["First?", "Second?"]


def test_a_benchmark_that_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="gsm8k"):
        evaluation_index(recipes.build({"curate": {"decontaminate": ["gms8k"]}}))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        evaluation_index(recipes.build({"curate": {"decontaminate": [str(tmp_path / "nowhere.jsonl")]}}))
