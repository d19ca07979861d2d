"""What a report says of the rows is what the data map in the run's folder says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.evaluation.data_map.trajectory import KINDS
from tutelage.records import Conversation, Message, Place
from tutelage.run.lessons import BEGINNING, MOST_DOTS, lessons
from tutelage.run.rows import RowReader, RowWriter

ROWS = 2 * MOST_DOTS


def line(row: int, kind: str, spread: float | None) -> dict[str, Any]:
    doubt = {"total": 9.0 - row, "from_loss": 1.0, "from_fit": None if row else 8.0}
    losses = {"losses": [4.0, 3.0], "mean": 3.5 + row, "spread": spread}
    return {"row": row, "file": "a.jsonl", "line": row + 1, "kind": kind, "suspicion": doubt, **losses}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with the data map of some rows, the last of which was seen once, and their texts."""
    kinds = ["forgotten", *["ordinary"] * (ROWS - 2), "seen once"]
    lines = [line(row, kind, None if kind == "seen once" else 0.5) for row, kind in enumerate(kinds)]
    (tmp_path / "data_map.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    counts = dict.fromkeys(KINDS, 0) | {"forgotten": 1, "ordinary": ROWS - 2, "seen once": 1}
    summary = {"rows": ROWS, "visits": 2 * ROWS - 1, "kinds": counts, "suspicion": {"fit_auc": 0.75}}
    summary |= {"untold": ["something"], "suspicious": lines[:2]}
    (tmp_path / "data_map.json").write_text(json.dumps(summary), encoding="utf-8")
    with RowWriter(tmp_path) as writer:
        for row in range(2):
            turns = (Message("system", "be brief"), Message("user", "河流？"), Message("assistant", "水" * 9999))
            writer.add(Conversation(row, Place("a.jsonl", row + 1), turns))
        writer.close()
    return tmp_path


def test_the_map_is_told(run: Path) -> None:
    told = lessons(run, RowReader(run))
    assert told is not None
    assert (told.rows, told.visits, told.fit_auc, told.untold) == (ROWS, 2 * ROWS - 1, 0.75, ("something",))
    assert {kind.name: kind.count for kind in told.kinds}["ordinary"] == ROWS - 2
    assert [(one.place, one.kind, one.from_fit) for one in told.suspects] == [
        ("a.jsonl:1", "forgotten", 8.0),
        ("a.jsonl:2", "ordinary", None),
    ]
    assert told.suspects[0].prompt == "河流？"
    assert told.suspects[0].answer == "水" * BEGINNING


def test_the_picture_has_few_dots_of_each_kind(run: Path) -> None:
    told = lessons(run, RowReader(run))
    assert told is not None
    drawn = {kind.name: kind for kind in told.kinds}
    assert drawn["forgotten"].mean == (3.5,)
    assert len(drawn["ordinary"].mean) == len(drawn["ordinary"].spread) == MOST_DOTS
    assert set(drawn["ordinary"].mean) <= {3.5 + row for row in range(1, ROWS - 1)}
    assert drawn["seen once"].mean == drawn["never learned"].mean == ()


def test_without_a_map_nothing_is_told(run: Path) -> None:
    (run / "data_map.jsonl").unlink()
    assert lessons(run, RowReader(run)) is None


def test_a_map_of_no_rows_is_none(run: Path) -> None:
    summary = json.loads((run / "data_map.json").read_text(encoding="utf-8"))
    (run / "data_map.json").write_text(json.dumps(summary | {"rows": 0, "suspicious": []}), encoding="utf-8")
    (run / "data_map.jsonl").write_text("", encoding="utf-8")
    assert lessons(run, RowReader(run)) is None
