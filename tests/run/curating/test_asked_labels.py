"""Labels from a model behind an endpoint, in a curation: written, balanced over, and told where there are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, completion, running
from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.errors import RecipeError
from tutelage.recipe import Recipe
from tutelage.run.curating.cleaning import clean
from tutelage.run.curating.selecting import Wanted, select_rows
from tutelage.run.curating.workers import Workers

ANIMALS = ["otter", "heron", "badger", "weasel", "falcon", "turtle"]
UNREAD, OWN = "badger", "falcon"
TOLD = {"type": "analysis", "domain": "life", "difficulty": "hard", "style": "formal"}


def answered(request: dict[str, Any], _: int) -> tuple[int, bytes]:
    asked = str(request["messages"])
    if UNREAD in asked:
        return completion("I would rather not.")
    domain = "business" if "otter" in asked else "somewhere" if "heron" in asked else "life"
    return completion(json.dumps(TOLD | {"domain": domain}))


def recipe_of(tmp_path: Path, url: str) -> Recipe:
    rows: list[dict[str, Any]] = [
        {"instruction": f"Tell me where the {one} sleeps.", "output": f"The {one} sleeps beside the river."}
        for one in ANIMALS
    ]
    rows[ANIMALS.index(OWN)]["task_type"] = "creative"
    rows.append({"instruction": "Tell Gus something.", "output": "As an AI language model, I cannot help with that."})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    curate = {"label_url": url, "label_model": "librarian", "deduplicate": False}
    return recipes.build({"data": {"sources": [str(tmp_path / "rows.jsonl")]}, "curate": curate})


def cleaned(tmp_path: Path, endpoint: Endpoint) -> tuple[dict[str, dict[str, Any]], str]:
    terminal = Listening()
    clean(recipe_of(tmp_path, endpoint.url), output=tmp_path / "out", workers=Workers(1), terminal=terminal)
    kept = [json.loads(line) for line in (tmp_path / "out" / "clean.jsonl").read_text().splitlines()]
    return {row["messages"][0]["content"].split()[-2]: row for row in kept}, terminal.heard.getvalue()


def test_rows_get_the_models_labels_and_what_it_cannot_tell_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_API_KEY", "nobody-may-see-it")
    with running() as endpoint:
        endpoint.answer = answered
        kept, told = cleaned(tmp_path, endpoint)
        assert {request["model"] for request in endpoint.requests} == {"librarian"}
        assert {request["key"] for request in endpoint.requests} == {"Bearer nobody-may-see-it"}
        assert not any("Gus" in str(request["messages"]) for request in endpoint.requests), "it goes anyhow"
    assert (kept["turtle"]["task_type"], kept["turtle"]["domain"], kept["turtle"]["style"]) == (
        "analysis",
        "life",
        "formal",
    )
    assert kept["otter"]["domain"] == "business"
    assert kept[OWN]["task_type"] == "creative", "a column of the row wins"
    assert kept["heron"].get("domain") != "somewhere"
    assert kept[UNREAD].get("style") is None, "the rules decide"
    assert "1 of 6 rows are labelled by rules, not by the model: a reply of no known form" in told
    assert "1 of 6 rows are labelled by rules, not by the model: no domain of the taxonomy" in told
    assert all("nobody-may-see-it" not in file.read_text() for file in (tmp_path / "out").rglob("*") if file.is_file())


def test_labels_are_not_asked_for_twice(tmp_path: Path) -> None:
    with running() as endpoint:
        endpoint.answer = answered
        first, _ = cleaned(tmp_path, endpoint)
        again, _ = cleaned(tmp_path, endpoint)
        assert len(endpoint.requests) == len(ANIMALS)
    assert first == again


def test_a_selection_is_balanced_over_them(tmp_path: Path) -> None:
    with running() as endpoint:
        endpoint.answer = answered
        recipe = recipe_of(tmp_path, endpoint.url)
        chosen = select_rows(recipe, Wanted(2), output=tmp_path / "out", workers=Workers(1), terminal=Listening())
        assert any("Gus" in str(request["messages"]) for request in endpoint.requests), "selection drops nothing"
    cells = {quota.cell for quota in chosen.selection.quotas}
    assert {("analysis", "life"), ("analysis", "business"), ("creative", "life")} <= cells


def test_an_endpoint_that_fails_leaves_all_to_the_rules(tmp_path: Path) -> None:
    with running() as endpoint:
        endpoint.answer = lambda request, _: (400, b"no")
        kept, told = cleaned(tmp_path, endpoint)
    assert len(kept) == len(ANIMALS)
    assert "6 of 6 rows are labelled by rules, not by the model: HTTP 400" in told


def test_an_endpoint_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    recipe = recipes.build({"data": {"sources": ["none.jsonl"]}, "curate": {"label_url": "http://127.0.0.1:1/v1"}})
    with pytest.raises(RecipeError, match=r"label_model` no model"):
        clean(recipe, output=tmp_path / "out", terminal=Listening())
