"""Suites from files of every form, and what is refused with its file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.errors import DataError, RecipeError
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.suite import Suite
from tutelage.run.suites import bundled, load_suite

ITEM = "  - {question: 'Where is Oslo?', expected: Norway}\n"


def written(folder: Path, text: str | bytes, name: str = "own.yaml") -> str:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def refusal(path: str, **how: Any) -> DataError:
    with pytest.raises(DataError) as told:
        load_suite(path, **how)
    return told.value


def test_a_suite_in_yaml_has_a_name_defaults_and_places(tmp_path: Path) -> None:
    text = f"name: towns\nmetric: f1\ntask: capitals\nsystem: Be brief.\nitems:\n{ITEM}\n{ITEM.replace('Oslo', 'Rome')}"
    suite = load_suite(written(tmp_path, text))
    assert (suite.name, suite.metric, suite.tasks, len(suite.items)) == ("towns", "f1", ("capitals",), 2)
    assert [item.place.rsplit(":", 1)[1] for item in suite.items] == ["6", "8"]
    assert suite.items[1].question.messages[0].content == "Be brief."


def test_a_suite_is_the_same_as_yaml_with_any_line_ends_as_jsonl_and_as_a_table(tmp_path: Path) -> None:
    files = {
        "a.yaml": f"items:\n{ITEM}",
        "b.yml": b"\xef\xbb\xbf" + f"items:\n{ITEM}".replace("\n", "\r\n").encode(),
        "c.jsonl": lines({"question": "Where is Oslo?", "expected": "Norway"}),
        "d.csv": "question,expected\nWhere is Oslo?,Norway\n",
        "e.json": json.dumps([{"question": "Where is Oslo?", "expected": "Norway"}]),
    }
    for name, text in files.items():
        (item,) = load_suite(written(tmp_path, text, name)).items
        assert (item.prompt, item.references, item.metric) == ("Where is Oslo?", ("Norway",), "exact_match")


def test_ordinary_rows_are_a_suite_of_their_last_answers(tmp_path: Path) -> None:
    alpaca = {"instruction": "Name a colour.", "input": "It is of grass.", "output": "green"}
    path = written(tmp_path, lines(alpaca, alpaca | {"input": "It is of snow.", "output": "white"}), "alpaca.jsonl")
    suite = load_suite(path, metric="f1")
    assert (suite.metric, [item.references for item in suite.items]) == ("f1", [("green",), ("white",)])
    assert suite.items[1].prompt == "Name a colour.\nIt is of snow."
    assert suite.items[1].place == f"{path}:2"
    with pytest.raises(RecipeError, match=r"numeric cannot measure the row at .*alpaca\.jsonl:1"):
        load_suite(path, metric="numeric")


def test_a_sample_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    rows = [{"question": f"{n} + 1?", "expected": str(n + 1)} for n in range(40)]
    path = written(tmp_path, lines(*rows), "sums.jsonl")
    first, again, other = (load_suite(path, most=9, seed=seed).items for seed in (1, 1, 2))
    assert first == again != other
    assert [item.question.row for item in first] == sorted({item.question.row for item in first})
    assert len(load_suite(path).items) == 40


def test_many_items_are_read_as_jsonl_and_yaml_says_so(tmp_path: Path) -> None:
    rows = ({"question": f"What is {n}?", "expected": f"{n}"} for n in range(100_000))
    assert len(load_suite(written(tmp_path, lines(*rows), "many.jsonl")).items) == 100_000
    error = refusal(written(tmp_path, "items:\n" + ITEM * 25_000))
    assert "characters of YAML" in error.found
    assert "JSONL" in error.remedy


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("items:\n\t- {question: a, expected: b}\n", ":2", "cannot start any token"),
        (f"items:\n{ITEM}  - hi\n", ":3", "an item is 'hi'"),
        (f"items:\n{ITEM}\n  - {{question: a, expectd: b}}\n", ":4", "did you mean `expected`?"),
        (f"items:\n{ITEM}  - {{question: a, question: b, expected: c}}\n", ":3", "`question` stands there twice"),
        (f"items: []\nitems:\n{ITEM}", ":1", "`items` stands there twice"),
        (f"nme: x\nitems:\n{ITEM}", "", "unknown key `nme`"),
        (f"metric:\nitems:\n{ITEM}", "", "`metric` is None"),
        (f"name: [x]\nitems:\n{ITEM}", "", "`name` is ['x']"),
        (f"metric: f2\nitems:\n{ITEM}", ":3", "no metric is called 'f2'"),
        (f"metric: numeric\nitems:\n{ITEM}", ":3", "there is no number in 'Norway'"),
        ("items: []\n", "", "the suite asks nothing"),
        ("items:\n", "", "no list of `items`"),
        ("items: {a: b}\n", "", "no list of `items`"),
        ("<<: {items: [{question: a, expected: b}]}\n", "", "no list of `items`"),
        (f"{ITEM}", "", "no list of `items`"),
        ("", "", "no list of `items`"),
        ("items: !!python/object/apply:os.getcwd []\n", ":1", "could not determine a constructor"),
        (b"items: [{question: \xff\xfe, expected: a}]\n", "", "the suite cannot be read"),
        (b"items: [{question: 'a\x00', expected: a}]\n", "", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_suite_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, line: str, told: str
) -> None:
    path = written(tmp_path, text)
    error = refusal(path)
    assert told in str(error)
    assert (error.place, error.code) == (path + line, "suite")


@pytest.mark.parametrize(
    ("name", "text", "line", "told"),
    [
        ("a.jsonl", lines({"question": "a", "expected": "b"}, {"question": "a", "expectd": "b"}), 2, "did you mean"),
        ("a.jsonl", lines({"question": "a", "expected": "b"}, {"question": "a"}), 2, "it has no reference"),
        ("a.jsonl", lines({"question": "a", "expected": "b"}) + "{bad\n", 2, "a JSON object"),
        ("a.jsonl", lines({"question": "a", "expected": [True]}), 1, "`expected` is True"),
        ("a.csv", "Question,A,B,Answer\nq,x,y,B\nq,x,y,E\n", 3, "the answer is 'E'"),
        ("a.jsonl", lines({"prompt": "a", "instruction_id_list": ["nope"], "kwargs": [{}]}), 1, "unknown constraint"),
    ],
)
def test_a_row_that_is_no_item_is_refused_with_its_line(
    tmp_path: Path, name: str, text: str, line: int, told: str
) -> None:
    path = written(tmp_path, text, name)
    error = refusal(path)
    assert told in str(error)
    assert error.place == f"{path}:{line}"


def test_a_suite_that_does_not_exist_is_told_with_those_that_do() -> None:
    for name in ("world_eng", "nowhere.yaml", "nowhere.jsonl", " "):
        error = refusal(name)
        assert (error.found, error.code) == ("there is no such suite", "suite")
        assert all(known in error.expected for known in bundled())
    assert refusal("world_eng").remedy == "did you mean world_en?"


def test_a_metric_that_does_not_exist_is_refused_whatever_the_file(tmp_path: Path) -> None:
    for path in ("world_en", written(tmp_path, lines({"instruction": "Say a.", "output": "a"}), "rows.jsonl")):
        with pytest.raises(RecipeError, match="no metric is called 'rogue'"):
            load_suite(path, metric="rogue")


def right(suite: Suite) -> list[float]:
    return [max(METRICS[item.metric].score(item, one) for one in item.references) for item in suite.items]


@pytest.mark.shared
def test_files_of_benchmarks_are_suites_as_they_come(shared: Path) -> None:
    data = shared / "datasets"
    ifeval = load_suite(str(data / "ifeval" / "input_data.jsonl"))
    assert (len(ifeval.items), ifeval.metric) == (540, "constraints")
    assert all(item.constraints for item in ifeval.items)
    gsm8k = load_suite(str(data / "gsm8k" / "test.jsonl"), metric="numeric")
    assert (len(gsm8k.items), gsm8k.metric, set(right(gsm8k))) == (1319, "numeric", {1.0})
    assert all(METRICS["numeric"].score(item, item.references[0].split("####")[1]) for item in gsm8k.items)
    for file in sorted((data / "cmmlu" / "dev").glob("*.csv"))[:12]:
        suite = load_suite(str(file))
        assert (len(suite.items), suite.metric, set(right(suite))) == (5, "accuracy", {1.0})
    alpaca = load_suite(str(data / "alpaca" / "alpaca_data.json"), metric="rougeL", most=50)
    assert (len(alpaca.items), alpaca.metric) == (50, "rougeL")
