"""A guard model in a curation: what it calls unsafe goes, what it cannot tell stays and is told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import Endpoint, completion, running
from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.errors import RecipeError
from tutelage.run.curating.cleaning import Cleaned, clean
from tutelage.run.curating.workers import Workers

NAMES = ["Ada", "Ben", "Cleo", "Dov", "Eve", "Finn"]
UNSAFE, UNREAD = "Ben", "Dov"


def answered(request: dict[str, Any], _: int) -> tuple[int, bytes]:
    asked = request["messages"][0]["content"]
    reply = "unsafe\nS9" if UNSAFE in asked else "who knows" if UNREAD in asked else "safe"
    return completion(reply)


def curated(tmp_path: Path, endpoint: Endpoint) -> tuple[Cleaned, str]:
    rows = [
        {"instruction": f"Tell {name} where the next bakery is.", "output": f"It is around the corner, {name}."}
        for name in NAMES
    ]
    rows.append({"instruction": "Tell Gus something.", "output": "As an AI language model, I cannot help with that."})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = recipes.build(
        {
            "data": {"sources": [str(tmp_path / "rows.jsonl")]},
            "curate": {"guard_url": endpoint.url, "guard_model": "watcher", "deduplicate": False},
        }
    )
    terminal = Listening()
    return clean(recipe, output=tmp_path / "out", workers=Workers(1), terminal=terminal), terminal.heard.getvalue()


def test_unsafe_rows_go_and_what_is_unknown_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_API_KEY", "nobody-may-see-it")
    with running() as endpoint:
        endpoint.answer = answered
        result, told = curated(tmp_path, endpoint)
        assert {request["model"] for request in endpoint.requests} == {"watcher"}
        assert {request["key"] for request in endpoint.requests} == {"Bearer nobody-may-see-it"}
        asked = [str(request["messages"]) for request in endpoint.requests]
    assert not any("Gus" in one for one in asked), "rows that go anyhow are not sent"
    assert Counter(result.ledger.reasons()) == {"unsafe to the guard model": 1, "incomplete: refusal": 1}
    assert result.ledger.first("unsafe to the guard model").detail == "S9"
    kept = {row["messages"][0]["content"].split()[1]: row for row in lines(tmp_path / "out" / "clean.jsonl")}
    assert set(kept) == set(NAMES) - {UNSAFE}
    assert {name: row["guard"]["rating"] for name, row in kept.items() if name != UNREAD}.items() <= {
        (name, "safe") for name in NAMES
    }
    assert kept[UNREAD]["guard"]["rating"] == "unknown"
    assert "the guard told nothing of 1 rows, which stay" in told
    assert all("nobody-may-see-it" not in file.read_text() for file in (tmp_path / "out").rglob("*") if file.is_file())


def test_verdicts_are_not_asked_for_twice(tmp_path: Path) -> None:
    with running() as endpoint:
        endpoint.answer = answered
        curated(tmp_path, endpoint)
        first = len(endpoint.requests)
        curated(tmp_path, endpoint)
        assert first == len(NAMES)
        assert len(endpoint.requests) == first + 1, "only what was unknown"


def test_an_endpoint_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    recipe = recipes.build({"data": {"sources": ["none.jsonl"]}, "curate": {"guard_url": "http://127.0.0.1:1/v1"}})
    with pytest.raises(RecipeError, match=r"guard_model` no model"):
        clean(recipe, output=tmp_path / "out", terminal=Listening())


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
