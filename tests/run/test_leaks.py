"""Held-out rows whose prompt is trained are told while a run is prepared, with the first place of each."""

import json
from pathlib import Path

import pytest

from tests.run.test_prepare import prepared
from tests.small import questions
from tutelage.records import Conversation, Message, Place
from tutelage.run import leaks
from tutelage.run.prepare import IDENTICAL, LEAKING
from tutelage.run.rows import RowReader, RowWriter


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def asked(*prompts: str) -> list[dict[str, str]]:
    return [{"instruction": prompt, "output": "So it is."} for prompt in prompts]


SEEN = "Describe how glaciers shaped the valleys"


def test_a_held_out_prompt_that_is_trained_in_other_words_is_told_with_both_places(make_recipe, tmp_path) -> None:
    trained = questions(12) + asked(SEEN, "Name a bird of prey", "Why is the sea salty today?")
    held = asked("How heavy is a cloud?", "Describe how glacires shaped the valleys.", "Why is the sea salty today?")
    held[2]["output"] = "Because of the rivers."
    recipe = make_recipe(trained, data={"eval_sources": [written(tmp_path / "held.jsonl", held)]})
    for reused in (False, True):
        made = prepared(recipe)
        assert made.reused is reused
        (note,) = [one for one in made.notes if one.startswith(LEAKING)]
        assert made.notes[note] == 2
        assert note.endswith(f"{tmp_path}/held.jsonl:2, as at {tmp_path}/rows.jsonl:13")
        assert IDENTICAL not in made.notes


def test_an_identical_row_is_counted_as_such_only(make_recipe, tmp_path) -> None:
    held = written(tmp_path / "held.jsonl", asked(SEEN, "How heavy is a cloud?"))
    made = prepared(make_recipe(questions(12) + asked(SEEN), data={"eval_sources": [held]}))
    assert made.notes[IDENTICAL] == 1
    assert not [one for one in made.notes if one.startswith(LEAKING)]


def test_a_half_that_is_split_off_is_compared_too(make_recipe) -> None:
    rows = asked(*(f"{SEEN} of the {name}" for name in ("Alps", "ALPS!", "Alps.", "Aalps", "Allps", "Alpss")))
    for number, row in enumerate(rows):
        row["output"] = f"In {number} ways."
    made = prepared(make_recipe(rows, data={"eval_share": 0.5}))
    (note,) = [one for one in made.notes if one.startswith(LEAKING)]
    assert made.notes[note] == len(made.held_out) == 3


def test_rows_beyond_the_sample_are_told(make_recipe, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "LOOKED", 2)
    held = written(tmp_path / "held.jsonl", questions(5, start=100))
    made = prepared(make_recipe(questions(12), data={"eval_sources": [held]}))
    assert [count for note, count in made.notes.items() if "were not compared" in note] == [3]


def test_another_setting_is_another_question_and_plain_text_asks_nothing(make_recipe, tmp_path) -> None:
    held = [{"instruction": SEEN, "output": "By weight.", "system": "In verse."}]
    data = {"eval_sources": [written(tmp_path / "held.jsonl", held)]}
    made = prepared(make_recipe([*asked(SEEN), *questions(12)], data=data, tokens={"max_length": 128}))
    assert len(made.held_out) == 1
    assert not [one for one in made.notes if one.startswith(LEAKING)]
    made = prepared(make_recipe([{"text": f"{SEEN} {number}"} for number in range(12)], data={"eval_share": 0.2}))
    assert len(made.held_out) == 2
    assert not made.notes


def test_what_is_asked_is_read_without_making_conversations(tmp_path: Path) -> None:
    broken = Message("user", "half \ud800 of a pair")
    rows = [
        Conversation(0, Place("r", 1), (Message("system", "Sing."), Message("user", "One"), Message("user", "two"))),
        Conversation(1, Place("r", 2), (broken, Message("assistant", "Indeed."))),
        Conversation(2, Place("r", 3), text="Plain."),
    ]
    with RowWriter(tmp_path) as kept:
        for row in rows:
            kept.add(row)
        kept.close()
    first, second, third = RowReader(tmp_path).asked()
    assert (first.prompt, third.prompt, third.setting, second.setting) == ("One\ntwo", "", b"", b"")
    assert second.prompt == broken.content
    assert b"Sing." in first.setting
