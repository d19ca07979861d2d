"""Known pairs: those of the package, and files in the form of LLMBar."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tutelage.errors import DataError
from tutelage.evaluation.judge.known import KnownPair, bundled, known_pairs
from tutelage.evaluation.judge.pairwise import Pair
from tutelage.text import language

ROW = {"input": "Say hello.", "output_1": "hello", "output_2": "bye", "label": 1}


def test_the_bundled_pairs_are_balanced() -> None:
    known = bundled()
    assert len(known) >= 40
    assert Counter(one.better for one in known) == {"first": len(known) // 2, "second": len(known) // 2}
    chinese = sum(language(one.pair.question) == "zh" for one in known)
    assert len(known) // 2 - 1 <= chinese <= len(known) // 2 + 1
    assert len({one.pair.question for one in known}) == len(known)
    assert min(Counter(one.set for one in known).values()) >= 5


def test_length_tells_nothing_about_the_bundled_pairs() -> None:
    longer = [one.outcome * (len(one.pair.second) - len(one.pair.first)) for one in bundled()]
    assert 0.4 < sum(one > 0 for one in longer) / len(longer) < 0.6
    assert all(one.pair.first.strip() and one.pair.second.strip() for one in bundled())


@pytest.mark.parametrize("lines", [False, True])
def test_files_in_the_form_of_llmbar(tmp_path: Path, lines: bool) -> None:
    rows = [ROW, ROW | {"input": "问好。", "label": 2, "more": "ignored"}]
    file = tmp_path / "Natural.json"
    written = "\r\n\n".join(map(json.dumps, rows)) if lines else json.dumps(rows, indent=1)
    file.write_text(written, encoding="utf-8")
    pairs = [Pair("Say hello.", "hello", "bye"), Pair("问好。", "hello", "bye")]
    assert known_pairs(file) == [KnownPair(pairs[0], "first", "Natural"), KnownPair(pairs[1], "second", "Natural")]
    assert [one.outcome for one in known_pairs(file)] == [-1, 1]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("hello", ":1"),
        ("[", ""),
        (json.dumps([ROW, ROW | {"label": 3}]), ", pair 2"),
        (json.dumps(ROW) + "\n" + json.dumps(ROW | {"label": "1"}), ":2"),
        (json.dumps(ROW) + "\n\n" + json.dumps(ROW | {"label": True}), ":3"),
        (json.dumps([ROW | {"output_2": None}]), ", pair 1"),
        (json.dumps([{}]), ", pair 1"),
        ("[1]", ", pair 1"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, content: str, place: str) -> None:
    file = tmp_path / "pairs.json"
    file.write_text(content)
    with pytest.raises(DataError) as error:
        known_pairs(file)
    assert error.value.place == f"{file}{place}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json.*cannot be read"):
        known_pairs(tmp_path / "none.json")


@pytest.mark.shared
def test_the_real_ones_are_read(shared: Path) -> None:
    counts = {file.stem: len(known_pairs(file)) for file in (shared / "datasets" / "llmbar").glob("*.json")}
    assert counts == {"Natural": 100, "Neighbor": 134, "Manual": 46}
