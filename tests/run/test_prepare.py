"""The stored data set: reused where nothing has changed, made anew where anything has."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small import Listening, questions, train_tokenizer
from tutelage.errors import DataError
from tutelage.recipe import Recipe
from tutelage.records import Conversation, Message, Place, ToolCall
from tutelage.run import prepare as preparing
from tutelage.run.assemble import Speech, speech
from tutelage.run.path import conversations
from tutelage.run.prepare import IDENTICAL, Prepared, prepare
from tutelage.run.rows import RowReader, RowWriter, choose, question_of


def prepared(recipe: Recipe, spoken: Speech | None = None) -> Prepared:
    return prepare(recipe, spoken or speech(recipe), terminal=Listening())


def test_a_second_start_takes_the_stored_set(make_recipe, tmp_path: Path) -> None:
    first, second = (prepared(make_recipe(questions(30))) for _ in range(2))
    assert (first.reused, second.reused) == (False, True)
    assert first.store.digest == second.store.digest
    assert first.store.folder == second.store.folder
    assert np.array_equal(first.train, second.train)
    assert np.array_equal(first.held_out, second.held_out)
    assert (first.formats, first.notes) == (second.formats, second.notes)
    assert first.questions(count=5, seed=1) == second.questions(count=5, seed=1)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.store.folder.name]


COLUMNS = {"instruction": "prompt", "output": "response"}
CHANGES: dict[str, dict[str, Any]] = {
    "template": {"template": {"name": "plain"}},
    "system message": {"template": {"name": "chatml", "system": "Sing."}},
    "policy": {"template": {"name": "chatml", "train_on": "last"}},
    "limit": {"tokens": {"max_length": 60}},
    "rows read": {"data": {"max_rows": 20}},
    "columns": {
        "data": {"sources": [{"path": "rows.jsonl", "columns": {"instruction": "prompt", "output": "response"}}]}
    },
}
KEPT: dict[str, dict[str, Any]] = {
    "seed": {"seed": 9},
    "split": {"data": {"eval_share": 0.3}},
    "training": {"train": {"learning_rate": 1e-5}},
    "questions": {"evaluate": {"num_questions": 3}},
}


def varied(make_recipe, tmp_path: Path, changes: dict[str, Any]) -> Recipe:
    text = json.dumps(changes).replace('"rows.jsonl"', json.dumps(str(tmp_path / "rows.jsonl")))
    return make_recipe(questions(30), **json.loads(text))


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_decides_the_tokens_makes_another_store(make_recipe, tmp_path: Path, change: str) -> None:
    before = prepared(make_recipe(questions(30)))
    after = prepared(varied(make_recipe, tmp_path, CHANGES[change]))
    assert not after.reused
    assert after.store.folder != before.store.folder


@pytest.mark.parametrize("change", list(KEPT))
def test_what_does_not_decide_them_does_not(make_recipe, tmp_path: Path, change: str) -> None:
    prepared(make_recipe(questions(30)))
    assert prepared(varied(make_recipe, tmp_path, KEPT[change])).reused


def test_changed_rows_tokenizer_and_code_make_another_store(make_recipe, tmp_path, tiny_model, monkeypatch) -> None:
    recipe = make_recipe(questions(30))
    before = prepared(recipe)
    rows = tmp_path / "rows.jsonl"
    text = rows.read_text(encoding="utf-8")
    rows.write_text(text.replace("says 7", "says 8"), encoding="utf-8")
    assert not prepared(recipe).reused
    rows.write_text(text, encoding="utf-8")
    assert prepared(recipe).reused, "the same content again"
    other = shutil.copytree(tiny_model, tmp_path / "other")
    train_tokenizer(400).save(str(other / "tokenizer.json"))
    changed = prepared(make_recipe(questions(30), model={"name_or_path": str(other)}))
    assert not changed.reused
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "code_version", lambda _: "newer")
        assert not prepared(recipe).reused
    assert prepared(recipe).store.folder == before.store.folder


def test_the_code_that_makes_a_store_is_part_of_its_name() -> None:
    names = {file.name for file in preparing._sources_of("records.py", "data", "template", "tokens", "run/path.py")}
    assert {"records.py", "path.py", "formats.py", "turns.py", "encode.py", "store.py"} <= names


def test_a_damaged_store_is_told(make_recipe) -> None:
    recipe = make_recipe(questions(10))
    folder = prepared(recipe).store.folder
    (folder / "rows.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match=r"rows\.jsonl: the token store is damaged"):
        prepared(recipe)


def test_a_recipe_without_data_is_refused_before_anything_is_read(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(questions(3), data={"sources": []})
    with pytest.raises(DataError, match=r"data\.sources: no data is named[\s\S]*--set data\.sources=FILE"):
        prepared(recipe)
    assert not list((tmp_path / "cache").rglob("store.json"))
    with pytest.raises(DataError, match="no data is named"):
        conversations(recipe.data, (), formats=[])  # at once, not when the first row is asked for


def test_weights_mix_the_sources(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(questions(20))
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(10, start=50)))
    sources = [{"path": recipe.data.sources[0].path, "weight": 1}, {"path": str(tmp_path / "more.jsonl"), "weight": 2}]
    mixed = prepared(make_recipe(questions(20), data={"sources": sources, "eval_share": 0}))
    rows = Counter(mixed.store.rows[mixed.train].tolist())
    assert sum(rows.values()) == 30
    assert sum(count for row, count in rows.items() if row >= 20) == 20
    assert {count for row, count in rows.items() if row >= 20} == {2}


def test_a_mode_reads_only_its_sources_and_other_shares_take_the_same_tokens(make_recipe, tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(60, start=50)))
    first = {"path": str(tmp_path / "rows.jsonl"), "role": "domain"}
    sources = [{"path": str(tmp_path / "more.jsonl"), "role": "general"}, first]

    def of(mode: str, **settings: Any) -> Prepared:
        return prepared(
            make_recipe(questions(38), data={"sources": sources, "eval_share": 0, "mode": mode, **settings})
        )

    domain = of("domain")
    assert domain.ledger.rows == 38, "rows of the other sources are not even read: the ledger is of what is trained"
    assert [(share.name, share.rows) for share in domain.shares] == [(first["path"], 38)]
    continual = of("continual")
    general, own = continual.shares
    assert (general.role, general.held, general.rows) == ("general", 60, 2)
    assert (own.held, own.rows) == (38, 38)
    rows = continual.store.rows[continual.train]
    assert Counter(continual.source_of_row[rows].tolist()) == {0: 2, 1: 38}
    lengths = continual.store.lengths[continual.train]
    assert general.tokens == lengths[rows < 60].sum() > 0
    assert general.tokens + own.tokens == lengths.sum()
    assert general.token_share + own.token_share == pytest.approx(1)
    replayed = of("continual", replay_share=0.5)
    assert replayed.reused
    assert [share.rows for share in replayed.shares] == [38, 38]


def test_held_out_files_are_held_out_whole(make_recipe, tmp_path: Path) -> None:
    same = questions(1)
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*same, *questions(4, start=50)]))
    made = prepared(make_recipe(questions(20), data={"eval_sources": [str(tmp_path / "held.jsonl")]}))
    assert made.store.rows[made.train].tolist() == list(range(20))
    assert made.store.rows[made.held_out].tolist() == list(range(20, 25))
    assert made.notes[IDENTICAL] == 1, "a row that stands in both is told"
    assert [entry.split for entry in made.ledger.entries()] == ["train"] * 20 + ["eval"] * 5


def test_groups_stay_together(make_recipe) -> None:
    rows = [{**row, "topic": f"t{n % 7}"} for n, row in enumerate(questions(42))]
    made = prepared(make_recipe(rows, data={"group_by": "topic", "eval_share": 0.3}))
    halves = {entry.split: set() for entry in made.ledger.entries()}
    for entry in made.ledger.entries():
        halves[entry.split].add(rows[entry.row]["topic"])
    assert halves["train"]
    assert halves["eval"]
    assert not halves["train"] & halves["eval"]


TALK = Conversation(
    3,
    Place("a.jsonl", 4),
    (
        Message("user", "Weather?\nhere", input="here"),
        Message("assistant", "", tool_calls=(ToolCall("look", {"where": "港口", "when": None}, "c1"),)),
        Message("tool", "sun", name="look", tool_call_id="c1"),
        Message("assistant", "Sun.", reasoning="It says so.", weight=0.5),
        Message("user", "Thanks."),
        Message("assistant", "", tool_calls=(ToolCall("bye", "raw"),)),
    ),
    tools=({"name": "look"},),
    group="g",
)


def test_rows_are_read_back_as_they_were_understood(tmp_path: Path) -> None:
    text = Conversation(9, Place("b.txt", 1), text="Once.\n\n\u2028End", source=1)
    with RowWriter(tmp_path) as writer:
        writer.add(TALK)
        writer.add(text)
        writer.close()
    reader = RowReader(tmp_path)
    assert (reader[3], reader[9]) == (TALK, text)


def test_a_question_is_the_last_answer_in_words() -> None:
    question = question_of(TALK)
    assert question is not None
    assert question.references == ("Sun.",)
    assert [message.role for message in question.messages] == ["user", "assistant", "tool"]
    assert question.tools == TALK.tools
    assert question_of(Conversation(1, TALK.place, (Message("assistant", "I start."),))) is None
    assert question_of(Conversation(1, TALK.place, text="Once.")) is None


def test_choices_are_seeded_and_in_order() -> None:
    chosen = choose(range(100), count=10, seed=4)
    assert chosen == choose(range(100), count=10, seed=4) == sorted(chosen)
    assert len(set(chosen)) == 10
    assert chosen != choose(range(100), count=10, seed=5)
    assert choose([5, 7], count=10, seed=4) == [5, 7]
    assert choose([5, 7], count=0, seed=4) == []
