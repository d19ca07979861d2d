"""Rows that mean the same, in a curation: after those of the same words, the best stays, and the reason is told."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.curate.test_meaning import embed, small_model
from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.curate.meaning import Vectors
from tutelage.errors import MissingExtra, ModelError
from tutelage.run.curating import cleaning
from tutelage.run.curating.cleaning import Cleaned, clean
from tutelage.run.curating.workers import Workers

ASKED = [
    "How to make bread",
    "how to make bread?",  # the same words
    "How to bake a loaf",  # means the same
    "How to not bake a loaf",
    "Why blue sky",
    "How to make a loaf",  # means the same, and its answer is cut off
]


def cleaned(tmp_path: Path, asked: Sequence[str] = ASKED, *, model: str, **data: Any) -> Cleaned:
    rows = [{"instruction": one, "output": f"Like this, number {number}."} for number, one in enumerate(asked)]
    rows[2]["output"] = "Like this, with flour and water and salt."
    rows[-1]["output"] = "As an AI language model, I cannot help with that."
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources = {"sources": [str(tmp_path / "rows.jsonl")], **data}
    recipe = recipes.build({"data": sources, "curate": {"semantic_model": model}})
    return clean(recipe, output=tmp_path / "out", workers=Workers(1), terminal=Listening())


def dropped(tmp_path: Path) -> dict[int, dict[str, Any]]:
    text = (tmp_path / "out" / "dropped.jsonl").read_text(encoding="utf-8")
    return {row["provenance"]["row"]: row for row in map(json.loads, text.splitlines())}


def test_what_means_the_same_goes_after_what_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()

    def noted(texts: Sequence[str]) -> Vectors:
        read.extend(texts)
        return embed(texts)

    monkeypatch.setattr(cleaning, "embedder", lambda name: noted)
    result = cleaned(tmp_path, model="any")
    gone = dropped(tmp_path)
    assert {row: one["reason"] for row, one in gone.items()} == {
        1: "asked before",
        2: "means the same as another row",
        5: "incomplete: refusal",
    }
    assert gone[2]["detail"].startswith("meaning, ")
    assert gone[2]["detail"].endswith(f"as at {tmp_path}/rows.jsonl:1")
    assert sorted(read) == sorted([ASKED[0], *ASKED[2:5]]), "rows that go anyhow are not embedded"
    assert result.ledger.reasons()["means the same as another row"] == 1


def test_held_out_rows_are_compared_with_by_their_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "embedder", lambda name: embed)
    (tmp_path / "held.jsonl").write_text(json.dumps({"instruction": "Why, blue sky?", "output": "It is."}) + "\n")
    cleaned(tmp_path, model="any", eval_sources=[str(tmp_path / "held.jsonl")])
    gone = dropped(tmp_path)
    assert gone[4]["reason"] == "in an evaluation set"
    assert gone[2]["reason"] == "means the same as another row"


def test_a_model_that_cannot_be_had_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra if find_spec("model2vec") is None else ModelError):
        cleaned(tmp_path, model=str(tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("model2vec") is None, reason="the extra `semantic` is not installed")
def test_with_a_real_model(tmp_path: Path) -> None:
    asked = [one.lower() for one in ASKED]
    cleaned(tmp_path, asked, model=str(small_model(tmp_path / "model")))
    assert dropped(tmp_path)[2]["reason"] == "means the same as another row"
