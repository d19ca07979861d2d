"""data mix: one epoch in the shares of the recipe, the same for the same seed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.small import Listening, questions
from tutelage import recipe as recipes
from tutelage.data import read_entries
from tutelage.run.curating.mixing import mix, show_mixed


def mixed(tmp_path: Path, sources: list[dict[str, Any]], **keys: Any) -> tuple[Any, list[dict[str, Any]]]:
    for source in sources:
        first = int(source.pop("first"))
        rows = questions(first + source.pop("count"))[first:]
        (tmp_path / source["path"]).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        source["path"] = str(tmp_path / source["path"])
    recipe = recipes.build({"data": {"sources": sources, **keys}})
    result = mix(recipe, output=tmp_path / "out", terminal=Listening())
    lines = (tmp_path / "out" / "mixed.jsonl").read_text(encoding="utf-8").splitlines()
    return result, [json.loads(line) for line in lines]


def sources(**second: Any) -> list[dict[str, Any]]:
    return [{"path": "a.jsonl", "first": 0, "count": 30}, {"path": "b.jsonl", "first": 30, "count": 10, **second}]


def files(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(Path(row["provenance"]["file"]).name for row in rows)


def test_without_shares_every_row_stands_there_once(tmp_path: Path) -> None:
    result, rows = mixed(tmp_path, sources())
    places = [(row["provenance"]["file"], row["provenance"]["line"]) for row in rows]
    assert len(set(places)) == len(rows) == 40
    assert places != sorted(places), "in an order of its own"
    assert result.ledger.count("used") == 40


def test_shares_are_met_and_repeats_are_told(tmp_path: Path) -> None:
    result, rows = mixed(tmp_path, sources(rows=50))
    assert files(rows) == {"a.jsonl": 30, "b.jsonl": 50}
    assert max(Counter((row["provenance"]["file"], row["provenance"]["line"]) for row in rows).values()) == 5
    assert [one["repeats"] for one in result.summary()["sources"]] == [1.0, 5.0]
    assert sum(one["word_share"] for one in result.summary()["sources"]) == 1
    terminal = Listening()
    show_mixed(result, terminal)
    assert "are seen 5 times each" in terminal.heard.getvalue()
    entries = {entry.row: entry for entry in read_entries(tmp_path / "out" / "ledger.jsonl")}
    assert len(entries) == 40
    assert {entries[row].detail for row in range(30, 40)} == {"5 times"}


def test_rows_that_are_not_drawn_are_told(tmp_path: Path) -> None:
    result, rows = mixed(tmp_path, sources(rows=4))
    assert files(rows) == {"a.jsonl": 30, "b.jsonl": 4}
    assert result.ledger.reasons() == {"not drawn": 6}
    terminal = Listening()
    show_mixed(result, terminal)
    assert "6 rows are in no epoch of this seed" in terminal.heard.getvalue()


def test_replay_of_general_rows(tmp_path: Path) -> None:
    given = [
        {"path": "domain.jsonl", "first": 0, "count": 38, "role": "domain"},
        {"path": "general.jsonl", "first": 38, "count": 20, "role": "general"},
    ]
    _, rows = mixed(tmp_path, given, mode="continual")
    assert files(rows) == {"domain.jsonl": 38, "general.jsonl": 2}


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again = (mixed(tmp_path, sources(rows=4))[1] for _ in range(2))
    assert first == again
