"""data clean: every row ends in one place, with the reason; who works and in which order changes nothing."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tutelage import recipe as recipes
from tutelage.data import read_entries
from tutelage.errors import DataError, RecipeError, TrainingError
from tutelage.run.curating.cleaning import clean
from tutelage.run.curating.workers import Workers
from tutelage.terminal import Terminal

PLACES = ["Lisbon", "Oslo", "Cairo", "Lima", "Hanoi", "Quito", "Dakar", "Sofia", "Perth", "Turin"]
THINGS = ["harbour", "library", "old bridge", "market hall", "botanical garden", "night train", "lighthouse", "museum"]


def good(number: int) -> dict[str, Any]:
    """A row that answers what it was asked; no two ask the same."""
    place, thing = PLACES[number % 10], THINGS[number // 10 % 8]
    return {
        "instruction": f"Describe the {thing} of {place} to a visitor who has {number + 2} hours.",
        "output": f"The {thing} of {place} is worth the walk. In {number + 2} hours a visitor sees the {thing} well "
        f"and still finds time for a coffee in {place}.",
    }


BAD: dict[str, dict[str, Any]] = {
    "empty answer": {"instruction": "Name a river.", "output": ""},
    "refusal": {
        "instruction": "Describe the port of Genoa.",
        "output": "As an AI language model, I cannot help with that.",
    },
    "near": good(3) | {"instruction": "Describe the harbour  of Lima to a visitor who has 5 hours!"},
    "same": good(7),
    "leak": {
        "instruction": "A farmer has twelve sheep and buys nine more from his neighbour, how many sheep has he now?",
        "output": "He has twenty-one sheep now, since twelve and nine are twenty-one.",
    },
}
SECRET = {
    "instruction": "Write to Ann about the harbour of Lisbon.",
    "output": "Dear Ann, the harbour of Lisbon is lovely. Write to me: ann.tailor@wanderlust.org. Yours, Tom.",
}
ROWS = [*(good(number) for number in range(80)), *BAD.values(), SECRET]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def cleaned(tmp_path: Path, rows: list[dict[str, Any]], *, name: str = "out", workers: int = 1, **keys: Any) -> Path:
    questions = write(tmp_path / "questions.jsonl", [BAD["leak"]])
    recipe = recipes.build(
        {
            "data": {"sources": [str(write(tmp_path / f"{name}.jsonl", rows))]},
            "curate": {"min_relevance": 0.0, "decontaminate": [str(questions)], **keys},
        }
    )
    output = tmp_path / name
    clean(recipe, output=output, workers=Workers(workers), terminal=Terminal(quiet=True))
    return output


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def asked_of(row: dict[str, Any]) -> str:
    return str(row["instruction"])


def asked(row: dict[str, Any]) -> str:
    return str(row["messages"][0]["content"])


def test_every_row_ends_in_one_place_with_its_reason(tmp_path: Path) -> None:
    output = cleaned(tmp_path, ROWS)
    kept, dropped = lines(output / "clean.jsonl"), lines(output / "dropped.jsonl")
    entries = list(read_entries(output / "ledger.jsonl"))
    assert len(kept) + len(dropped) == len(entries) == len(ROWS)
    assert sorted(row["provenance"]["row"] for row in (*kept, *dropped)) == list(range(len(ROWS)))
    assert Counter(row["reason"] for row in dropped) == {
        "empty answer": 1,
        "incomplete: refusal": 1,
        "asked before": 2,
        "in an evaluation set": 1,
    }
    assert Counter(entry.state for entry in entries) == {"used": len(kept), "dropped": len(dropped)}
    by_row = {entry.row: entry for entry in entries}
    assert all(by_row[row["provenance"]["row"]].reason == row["reason"] for row in dropped)
    assert {path.name for path in output.iterdir()} == {
        "clean.jsonl", "dropped.jsonl", "ledger.jsonl", "report.html", "report.json", ".lock",
    }  # fmt: skip


def test_what_stays_is_told_with_scores_labels_and_its_place(tmp_path: Path) -> None:
    output = cleaned(tmp_path, ROWS)
    first = lines(output / "clean.jsonl")[0]
    assert first["messages"] == [
        {"role": "user", "content": ROWS[0]["instruction"]},
        {"role": "assistant", "content": ROWS[0]["output"]},
    ]
    assert first["provenance"] == {"row": 0, "file": str(tmp_path / "out.jsonl"), "line": 1}
    assert 0.6 < first["quality"] <= 1
    assert first["language"] == "en"
    assert first["task_type"]


def test_a_duplicate_names_the_row_that_stays(tmp_path: Path) -> None:
    output = cleaned(tmp_path, ROWS)
    repeated = {asked(row): row["detail"] for row in lines(output / "dropped.jsonl") if row["reason"] == "asked before"}
    assert repeated[BAD["near"]["instruction"]].endswith(f"as at {tmp_path}/out.jsonl:4")
    assert repeated[BAD["same"]["instruction"]].endswith(f"as at {tmp_path}/out.jsonl:8")


def test_personal_data_is_nowhere_in_the_results(tmp_path: Path) -> None:
    output = cleaned(tmp_path, [*ROWS, {**SECRET, "output": ""}])
    assert "ann.tailor" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert all("ann.tailor" not in file.read_text(encoding="utf-8") for file in output.iterdir())
    (row,) = (row for row in lines(output / "clean.jsonl") if "Ann" in asked(row))
    assert "[EMAIL]" in row["messages"][-1]["content"]
    (entry,) = (entry for entry in read_entries(output / "ledger.jsonl") if entry.reason == "personal data redacted")
    assert entry.state == "used"


@pytest.mark.parametrize(("action", "stays", "is_there"), [("drop", False, False), ("keep", True, True)])
def test_rows_with_personal_data_may_go_or_be_left_alone(
    tmp_path: Path, action: str, stays: bool, is_there: bool
) -> None:
    output = cleaned(tmp_path, ROWS, personal_data=action)
    kept = (output / "clean.jsonl").read_text(encoding="utf-8")
    assert ("to Ann" in kept) == stays
    assert ("ann.tailor" in kept) == is_there


def test_who_works_changes_nothing(tmp_path: Path) -> None:
    rows = [good(number) for number in range(80)] * 26 + ROWS  # three parts
    alone, together = (cleaned(tmp_path, rows, name="out", workers=number) for number in (1, 2))
    assert alone == together
    first = {name: (alone / name).read_bytes() for name in ("clean.jsonl", "dropped.jsonl", "ledger.jsonl")}
    cleaned(tmp_path, rows, workers=1)
    assert {name: (alone / name).read_bytes() for name in first} == first
    assert len(lines(alone / "clean.jsonl")) == 81


def test_the_order_of_the_rows_decides_only_who_of_equals_stays(tmp_path: Path) -> None:
    shuffled = random.Random(5).sample(ROWS, len(ROWS))
    here, there = (cleaned(tmp_path, rows, name=name) for rows, name in ((ROWS, "a"), (shuffled, "b")))
    said = [Counter(row["messages"][-1]["content"] for row in lines(one / "clean.jsonl")) for one in (here, there)]
    assert said[0] == said[1]


def test_a_curation_of_what_was_curated_drops_nothing(tmp_path: Path) -> None:
    first = cleaned(tmp_path, ROWS)
    recipe = recipes.build({"data": {"sources": [str(first / "clean.jsonl")]}, "curate": {"min_relevance": 0.0}})
    again = clean(recipe, output=tmp_path / "again", workers=Workers(1), terminal=Terminal(quiet=True))
    assert again.ledger.count("dropped") == 0
    assert lines(tmp_path / "again" / "clean.jsonl")[5]["messages"] == lines(first / "clean.jsonl")[5]["messages"]


def test_earlier_results_stay_when_a_curation_fails(tmp_path: Path) -> None:
    output = cleaned(tmp_path, ROWS)
    before = (output / "clean.jsonl").read_bytes()
    with pytest.raises(DataError):
        cleaned(tmp_path, [{"a": 1}])
    assert (output / "clean.jsonl").read_bytes() == before
    assert not (output / ".work").exists()


def test_nothing_that_stays_is_no_crash(tmp_path: Path) -> None:
    output = cleaned(tmp_path, [BAD["refusal"]] * 3)
    assert lines(output / "clean.jsonl") == []
    assert "0 (0" in json.loads((output / "report.json").read_text(encoding="utf-8"))["verdict"]


def test_rows_below_a_threshold_are_counted_exactly(tmp_path: Path) -> None:
    output = cleaned(tmp_path, ROWS, min_completeness=0.43)
    every = [
        row["scores"]["completeness"]
        for file in ("clean", "dropped")
        for row in lines(output / f"{file}.jsonl")
        if "scores" in row
    ]
    (told,) = (
        score
        for score in json.loads((output / "report.json").read_text(encoding="utf-8"))["scores"]
        if score["name"] == "completeness"
    )
    assert told["below"] == sum(score < 0.43 for score in every) > 0


def test_an_evaluation_set_that_nobody_knows_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="gsm8l"):
        cleaned(tmp_path, ROWS, decontaminate=["gsm8l"])


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    recipe = recipes.build({"data": {"sources": [str(write(tmp_path / "rows.jsonl", ROWS))]}})
    with pytest.raises(TrainingError, match="cannot be written"):
        clean(recipe, output=tmp_path / "file" / "below", terminal=Terminal(quiet=True))


def test_ray_gives_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `scale` is not installed")
    rows = [good(number) for number in range(80)] * 26 + ROWS
    here = {file.name: file.read_bytes() for file in cleaned(tmp_path, rows).glob("*.jsonl")}
    recipe = recipes.build(
        {
            "data": {"sources": [str(tmp_path / "out.jsonl")]},
            "curate": {"min_relevance": 0.0, "decontaminate": [str(tmp_path / "questions.jsonl")]},
        }
    )
    clean(recipe, output=tmp_path / "out", workers=Workers(ray="local"), terminal=Terminal(quiet=True))
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").glob("*.jsonl")} == here


def test_what_a_held_out_row_asks_in_nearly_the_same_words_goes(tmp_path: Path) -> None:
    held = [
        {"instruction": "Describe the library of Lisbon to a vistor who has 12 hours", "output": "It is large."},
        {"instruction": "How deep is the sea?", "output": "It is deep."},
        {"system": "In verse.", "instruction": asked_of(good(5)), "output": "It is wide."},
        {"instruction": "Write to Ann about the harbuor of Lisbon.", "output": "Dear Ann."},
    ]
    recipe = recipes.build(
        {
            "data": {
                "sources": [str(write(tmp_path / "rows.jsonl", [*(good(number) for number in range(80)), SECRET]))],
                "eval_sources": [str(write(tmp_path / "held.jsonl", held))],
            },
            "curate": {"min_relevance": 0.0, "deduplicate": False},
        }
    )
    clean(recipe, output=tmp_path / "out", workers=Workers(1), terminal=Terminal(quiet=True))
    dropped = {asked(row): row for row in lines(tmp_path / "out" / "dropped.jsonl")}
    leaks = {asked_of(good(10)), SECRET["instruction"], asked_of(good(5))}
    assert set(dropped) == leaks, "the whole prompt of good(5) is found in any setting, slips in the same one only"
    assert {row["reason"] for row in dropped.values()} == {"in an evaluation set"}
    assert dropped[asked_of(good(10))]["detail"].endswith(f"of a prompt of {tmp_path}/held.jsonl: {asked_of(held[0])}")
