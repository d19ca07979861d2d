"""Sets and rows that are seldom seen: nothing readable, calls of tools, settings, personal data in odd places."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.data import read_entries
from tutelage.errors import DataError
from tutelage.records import Conversation, Place
from tutelage.run.curating.cleaning import clean, show_cleaned
from tutelage.run.curating.mixing import mix
from tutelage.run.curating.selecting import Wanted, select_rows
from tutelage.run.curating.workers import Workers
from tutelage.run.rows import RowReader, RowWriter

MAIL, PHONE = "ann.tailor@wanderlust.org", "+86 138 1234 5678"
BLANK = {"instruction": "Name a river.", "output": ""}
LETTER = {
    "instruction": "Describe the harbour of Lisbon to a visitor.",
    "output": "The harbour of Lisbon is wide and busy, and the ferries leave every hour.",
}


def turn(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return turn("assistant", "", tool_calls=[{"function": {"name": name, "arguments": arguments}}])


def tool(name: str, description: str = "") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description}}


def written(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def cleaned(tmp_path: Path, rows: list[Any], terminal: Listening | None = None, **keys: Any) -> Path:
    source = written(tmp_path / "rows.jsonl", rows)
    recipe = recipes.build({"data": {"sources": [source]}, "curate": {"min_relevance": 0.0, **keys}})
    terminal, output = terminal or Listening(), tmp_path / "out"
    show_cleaned(clean(recipe, output=output, workers=Workers(1), terminal=terminal), terminal)
    entries = [entry.row for entry in read_entries(output / "ledger.jsonl")]
    found = [row["provenance"]["row"] for name in ("clean", "dropped") for row in lines(output / f"{name}.jsonl")]
    assert entries == sorted(found) == list(range(len(rows)))
    return output


def test_a_set_of_which_no_row_is_understood_is_told_and_no_crash(tmp_path: Path) -> None:
    output = cleaned(tmp_path, [BLANK] * 3)
    assert [row["reason"] for row in lines(output / "dropped.jsonl")] == ["empty answer"] * 3
    recipe = recipes.build({"data": {"sources": [str(tmp_path / "rows.jsonl")]}})
    chosen = select_rows(recipe, Wanted(2), output=tmp_path / "chosen", workers=Workers(1), terminal=Listening())
    assert chosen.selection.missing == 2
    assert mix(recipe, output=tmp_path / "mixed", terminal=Listening()).ledger.count("dropped") == 3


def test_an_incomplete_row_goes_for_what_makes_it_incomplete(tmp_path: Path) -> None:
    row = {"instruction": "Write an essay about bees.", "output": "Bees are nice animals and"}  # also far too short
    (dropped,) = lines(cleaned(tmp_path, [row]) / "dropped.jsonl")
    assert dropped["reason"] == "incomplete: cut off"


def test_a_single_row_stays(tmp_path: Path) -> None:
    assert len(lines(cleaned(tmp_path, [LETTER]) / "clean.jsonl")) == 1


def test_rows_that_only_call_tools_stay_and_are_told_apart(tmp_path: Path) -> None:
    asked = ["Book a table for two in Turin.", "帮我查一下北京明天的天气。", "Give me five random numbers below ten."]
    rows = [
        {"messages": [turn("user", text), call("act", number=number)], "tools": [tool("act")]}
        for number, text in enumerate(asked)
    ]
    output = cleaned(tmp_path, rows)
    kept = lines(output / "clean.jsonl")
    assert [row["messages"][0]["content"] for row in kept] == asked
    assert [row["messages"][1]["tool_calls"][0]["function"]["arguments"] for row in kept] == [
        {"number": number} for number in range(3)
    ]


def test_the_same_prompt_in_another_setting_is_another_row(tmp_path: Path) -> None:
    text, answer = "The harbour of Lisbon is wide and busy.", "A sentence about the harbour of Lisbon, in full."
    said = [turn("user", text), turn("assistant", answer)]
    french, german = turn("system", "Translate into French."), turn("system", "Translate into German.")
    rows = [
        {"messages": [french, *said]},
        {"messages": [german, *said]},
        {"messages": said},
        {"messages": said, "tools": [tool("translate")]},
        {"messages": [german, turn("user", f" {text} "), turn("assistant", answer)]},
    ]
    dropped = lines(cleaned(tmp_path, rows) / "dropped.jsonl")
    assert [(row["provenance"]["line"], row["reason"]) for row in dropped] == [(5, "asked before")]
    assert dropped[0]["detail"].endswith("rows.jsonl:2")


@pytest.mark.parametrize("action", ["redact", "drop"])
def test_personal_data_is_found_wherever_a_row_has_it(tmp_path: Path, action: str) -> None:
    ask = turn("user", "Write to Ann that the ferry is late.")
    done = turn("assistant", "It is done: she knows that the ferry is late.")
    rows = [
        {"messages": [ask, call("send", to=[MAIL], note={"call": f"call me: {PHONE}"}), turn("tool", "sent"), done]},
        {"messages": [turn("user", "Who is on duty?"), done], "tools": [tool("send", f"As in send({MAIL})")]},
        {"messages": [turn("system", f"Ann is {MAIL}."), turn("user", "Where is she?"), done], "domain": MAIL},
        {"messages": f"write to {MAIL}"},
    ]
    terminal = Listening()
    output = cleaned(tmp_path, rows, terminal, personal_data=action)
    said = {file.name: file.read_text(encoding="utf-8") for file in output.iterdir()}
    assert [name for name, content in said.items() if MAIL in content or "1234 5678" in content] == []
    assert MAIL not in terminal.heard.getvalue()
    reasons = Counter(entry.reason for entry in read_entries(output / "ledger.jsonl"))
    assert reasons == {"personal data redacted" if action == "redact" else "personal data": 3, "broken JSON": 1}


def test_personal_data_of_an_evaluation_set_is_not_shown(tmp_path: Path) -> None:
    question = {**LETTER, "instruction": f"{LETTER['instruction']} Then write three letters about it to {MAIL} please."}
    other = written(tmp_path / "questions.jsonl", [question])
    output = cleaned(tmp_path, [question], decontaminate=[other])
    assert [row["reason"] for row in lines(output / "dropped.jsonl")] == ["in an evaluation set"]
    assert all(MAIL not in file.read_text(encoding="utf-8") for file in output.iterdir())


def test_a_prompt_of_an_evaluation_set_is_a_leak_however_short(tmp_path: Path) -> None:
    rows = [{"instruction": text, "output": LETTER["output"]} for text in ("Why Lisbon?", "为何?", "Why not Lisbon?")]
    other = written(
        tmp_path / "questions.jsonl", [{"instruction": text, "output": "?"} for text in ("why lisbon", "为何")]
    )
    dropped = lines(cleaned(tmp_path, rows, decontaminate=[other]) / "dropped.jsonl")
    assert [row["provenance"]["line"] for row in dropped] == [1, 2]


def test_half_a_surrogate_pair_in_a_label_or_a_name_is_no_crash(tmp_path: Path) -> None:
    output = cleaned(tmp_path, [LETTER | {"domain": "\ud800x"}])
    assert len(lines(output / "clean.jsonl")) == 1
    folder = tmp_path / "folder"
    folder.mkdir()
    name = folder / "rows\udcff.jsonl"
    try:
        name.write_bytes((tmp_path / "rows.jsonl").read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    recipe = recipes.build({"data": {"sources": [str(folder)]}})
    clean(recipe, output=tmp_path / "odd", workers=Workers(1), terminal=Listening())
    assert lines(tmp_path / "odd" / "clean.jsonl")[0]["provenance"]["file"] == str(name)


def test_parts_of_long_rows_are_small_and_every_row_is_in_one(tmp_path: Path) -> None:
    lengths = [10, 10, 5000, 10, 10, 10, 10]
    with RowWriter(tmp_path) as writer:
        for number, length in enumerate(lengths):
            writer.add(Conversation(number, Place("a", number + 1), text="x" * length))
        writer.close()
    reader = RowReader(tmp_path)
    assert reader.parts(3, size=4000) == [(0, 2), (2, 3), (3, 6), (6, 7)]
    assert reader.parts(100, size=1) == [(number, number + 1) for number in range(7)]
    assert reader.parts(100, size=1 << 20) == [(0, 7)]


@pytest.mark.parametrize("named", ["out/clean.jsonl", "out", "out/*.jsonl", "."])
def test_sources_are_never_replaced_by_results(tmp_path: Path, named: str) -> None:
    (tmp_path / "out").mkdir()
    source = written(tmp_path / "out" / "clean.jsonl", [LETTER])
    recipe = recipes.build({"data": {"sources": [str(tmp_path / named)]}})
    with pytest.raises(DataError, match="would replace it"):
        clean(recipe, output=tmp_path / "out", workers=Workers(1), terminal=Listening())
    assert lines(Path(source)) == [LETTER]
    assert list((tmp_path / "out").iterdir()) == [Path(source)]
