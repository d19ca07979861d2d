"""Law 1: every input row ends in exactly one state, the counts add up, and an answer is never cut."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.small import Listening, questions
from tutelage import recipe as recipes
from tutelage import recipe_keys
from tutelage.errors import DataError, LedgerError
from tutelage.recipe import Recipe
from tutelage.records import Entry, Message
from tutelage.run.assemble import Speech, speech
from tutelage.run.prepare import Prepared, prepare

LONG = "the river runs past the old mill " * 12

# kind of row -> (the row, its state, the reason)
KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "good": ({"instruction": "Say cat.", "output": "The cat says it."}, "used", ""),
    "same": ({"instruction": "Say it twice.", "output": "It, it."}, "used", ""),
    "too long": ({"instruction": "Tell it.", "output": LONG}, "dropped", "too long"),
    "empty": ({"instruction": "Say nothing.", "output": " "}, "dropped", "empty answer"),
    "gap": ({"instruction": "Say nothing."}, "dropped", "missing column"),
}


def turns(*contents: str) -> dict[str, Any]:
    roles = ("user", "assistant") * len(contents)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]}


SHORTENED = turns("Say cat.", "The cat.", "Say more.", "More.", "Tell it all.", LONG)


def prepared_from(recipe: Recipe) -> tuple[Prepared, Speech]:
    spoken = speech(recipe)
    return prepare(recipe, spoken, terminal=Listening()), spoken


def check_the_law(prepared: Prepared, rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The ledger against what was read and what is stored."""
    entries = list(prepared.ledger.entries())
    assert [entry.row for entry in entries] == list(range(len(rows)))
    summary = prepared.ledger.summary()
    assert summary["rows"] == len(rows) == summary["used"] + summary["shortened"] + summary["dropped"]
    assert sum(summary["reasons"].values()) == summary["dropped"]
    stored = set(prepared.store.rows.tolist())
    assert stored == {entry.row for entry in entries if entry.state != "dropped"}
    halves = {"train": prepared.train, "eval": prepared.held_out}
    for entry in entries:
        for split, numbers in halves.items():
            held = entry.row in set(prepared.store.rows[numbers].tolist())
            assert held == (entry.state != "dropped" and entry.split == split)
    return entries


def text_of(prepared: Prepared, spoken: Speech, row: int) -> tuple[str, str]:
    """What a stored row says: (all of it, its trained part)."""
    (number,) = np.flatnonzero(prepared.store.rows == row)
    example = prepared.store[int(number)]
    decode = spoken.tokenizer.backend.decode
    trained = [int(one) for one, weight in zip(example.token_ids, example.weights, strict=True) if weight > 0]
    return decode(example.token_ids.tolist(), skip_special_tokens=False), decode(trained, skip_special_tokens=False)


def test_each_row_has_one_state_and_no_answer_is_cut(make_recipe, tmp_path: Path) -> None:
    order = ["good", "too long", "same", "empty", "good", "same", "gap"]
    rows = [*questions(30), *(KINDS[kind][0] for kind in order)]
    prepared, spoken = prepared_from(make_recipe(rows, data={"max_lost_share": 0.2}))
    entries = check_the_law(prepared, rows)
    assert [(entry.state, entry.reason) for entry in entries[30:]] == [KINDS[kind][1:] for kind in order]
    assert Counter(entry.state for entry in entries) == {"used": 34, "dropped": 3}
    assert str(entries[31].place) == f"{tmp_path / 'rows.jsonl'}:32"
    assert "tokens.max_length is 64" in entries[31].detail
    for entry in entries:
        if entry.state == "used":
            whole, trained = text_of(prepared, spoken, entry.row)
            assert trained == f"{rows[entry.row]['output']}<|im_end|>"
            assert rows[entry.row]["instruction"] in whole
    assert {entry.split for entry in entries} == {"train", "eval"}


def test_whole_trailing_turns_are_left_out_and_counted(make_recipe) -> None:
    rows = [*(turns(f"Say {n}.", f"{n}.") for n in range(20)), SHORTENED]
    prepared, spoken = prepared_from(make_recipe(rows))
    entry = check_the_law(prepared, rows)[20]
    assert (entry.state, entry.turns_lost) == ("shortened", 1)
    whole, trained = text_of(prepared, spoken, 20)
    assert trained == "The cat.<|im_end|>More.<|im_end|>"
    assert LONG[:40] not in whole
    ids = len(spoken.tokenizer.backend.encode(whole, add_special_tokens=False).ids)
    all_turns = spoken.template.render([Message(**turn) for turn in SHORTENED["messages"]])
    everything = len(spoken.tokenizer.backend.encode(all_turns.rstrip("\n"), add_special_tokens=False).ids)
    assert entry.tokens_lost == everything - ids > 0


def test_the_run_stops_when_too_much_is_lost(make_recipe, tmp_path: Path) -> None:
    rows = [*questions(8), KINDS["too long"][0], KINDS["empty"][0]]
    with pytest.raises(LedgerError) as refusal:
        prepared_from(make_recipe(rows))
    message = str(refusal.value)
    assert "2 of 10 rows would be lost (20.0%)" in message
    assert f"{tmp_path / 'rows.jsonl'}:9" in message
    assert f"{tmp_path / 'rows.jsonl'}:10" in message
    assert "raise tokens.max_length" in message
    assert "--set data.max_lost_share=0.2" in message
    assert not (tmp_path / "run").exists()
    kept, _ = prepared_from(make_recipe(rows, data={"max_lost_share": 0.2}))
    assert kept.ledger.count("dropped") == 2


def test_the_limit_holds_for_a_stored_set_too(make_recipe) -> None:
    rows = [*questions(8), KINDS["empty"][0]]
    first, _ = prepared_from(make_recipe(rows, data={"max_lost_share": 0.5}))
    again, _ = prepared_from(make_recipe(rows, data={"max_lost_share": 0.5}))
    assert (first.reused, again.reused) == (False, True)
    assert list(again.ledger.entries()) == list(first.ledger.entries())
    with pytest.raises(LedgerError):
        prepared_from(make_recipe(rows))


def test_nothing_to_train_is_refused(make_recipe) -> None:
    with pytest.raises(DataError, match="nothing is left to train on"):
        prepared_from(make_recipe([KINDS["empty"][0], KINDS["too long"][0]], data={"max_lost_share": 1.0}))


def test_a_malformed_line_is_refused_or_counted(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(questions(9), data={"malformed": "drop", "max_lost_share": 0.2})
    source = tmp_path / "rows.jsonl"
    source.write_text(source.read_text(encoding="utf-8") + '{"instruction": "Say', encoding="utf-8")
    prepared, _ = prepared_from(recipe)
    entries = list(prepared.ledger.entries())
    assert [(entry.state, entry.reason, entry.place.line) for entry in entries[9:]] == [
        ("dropped", "malformed line", 10)
    ]
    strict = recipe.model_copy(update={"data": recipe.data.model_copy(update={"malformed": "refuse"})})
    with pytest.raises(DataError, match=r"rows\.jsonl:10"):
        prepared_from(strict)


def test_rows_of_several_formats_keep_their_order_and_their_examples(make_recipe, tmp_path: Path) -> None:
    """Texts and conversations of one chunk: each row's examples are found again by its number."""
    recipe = make_recipe(questions(12))
    texts = [tmp_path / f"{n}.txt" for n in range(3)]
    for n, path in enumerate(texts):
        path.write_text(f"The old mill stands by the river {n}. " * (3 + 8 * n), encoding="utf-8")
    tree = {
        **recipe_keys.flat(recipe.data),
        "sources": [*map(str, texts), recipe.data.sources[0].path],
        "eval_share": 0.2,
    }
    prepared, spoken = prepared_from(recipe.model_copy(update={"data": recipes.DataSection.model_validate(tree)}))
    check_the_law(prepared, [{}] * 15)
    assert np.all(np.diff(prepared.store.rows) >= 0)
    assert len(prepared.store) > 15, "a text longer than the limit becomes several examples"
    used = np.concatenate([prepared.train, prepared.held_out])
    assert sorted(used.tolist()) == list(range(len(prepared.store)))
    for row in range(3, 15):
        assert text_of(prepared, spoken, row)[1] == f"{questions(12)[row - 3]['output']}<|im_end|>"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from([*KINDS, "shortened"]), min_size=2, max_size=25), seed=st.integers(0, 9))
def test_any_mix_of_rows_adds_up(make_recipe, kinds: list[str], seed: int) -> None:
    known = {**KINDS, "good": ({}, "used", ""), "shortened": (SHORTENED, "shortened", "trailing turns too long")}
    rows = [
        turns(f"Say {n}.", f"{n}, {n}.") if kind == "good" else _as_turns(known[kind][0])
        for n, kind in enumerate(kinds)
    ]
    wanted = [(known[kind][1], known[kind][2]) for kind in kinds]
    recipe = make_recipe(rows, seed=seed, data={"max_lost_share": 1.0, "eval_share": 0.3})
    usable = [kind for kind, (state, _) in zip(kinds, wanted, strict=True) if state != "dropped"]
    if not usable or set(kinds) == {"gap"}:
        with pytest.raises(DataError):
            prepared_from(recipe)
        return
    prepared, _ = prepared_from(recipe)
    entries = check_the_law(prepared, rows)
    states = [entry.state for entry in entries]
    assert states == [state for state, _ in wanted]
    assert json.dumps(prepared.ledger.summary())
    identical = [entry.split for entry, kind in zip(entries, kinds, strict=True) if kind == "same"]
    assert len(set(identical)) <= 1, "equal rows stand in the same half"


def _as_turns(row: dict[str, Any]) -> dict[str, Any]:
    if "messages" in row:
        return row
    if "output" not in row:
        return {"other": row["instruction"]}
    return turns(row["instruction"], row["output"])
