"""A folder belongs to one curation at a time, and to the results of one verb."""

import json
import os
from pathlib import Path

import pytest

from tests.small import Listening
from tutelage import recipe as recipes
from tutelage.data.paths import find_files
from tutelage.errors import DataError, TrainingError
from tutelage.recipe import Recipe
from tutelage.run.curating.cleaning import clean
from tutelage.run.curating.mixing import mix
from tutelage.run.curating.passes import RESULTS, Names, results_in
from tutelage.run.curating.selecting import Wanted, select_rows
from tutelage.run.curating.workers import Workers
from tutelage.run.folder import LOCK, locked


def recipe_of(tmp_path: Path, **curate: object) -> Recipe:
    rows = [{"instruction": f"Describe the {one}.", "output": f"The {one} is large."} for one in ("sea", "sky", "sun")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return recipes.build({"data": {"sources": [str(tmp_path / "rows.jsonl")]}, "curate": curate})


VERBS = {
    "tutelage data clean": lambda recipe, output: clean(recipe, output=output, workers=Workers(1)),
    "tutelage data select": lambda recipe, output: select_rows(recipe, Wanted(2), output=output, workers=Workers(1)),
    "tutelage data mix": lambda recipe, output: mix(recipe, output=output),
}


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_folder_in_use_is_refused_and_nothing_in_it_is_touched(tmp_path: Path, verb: str) -> None:
    output = tmp_path / "out"
    (output / ".work").mkdir(parents=True)
    (output / ".work" / "rows.jsonl").write_text("of the other one")
    lock = locked(output, "")
    try:
        with pytest.raises(TrainingError, match=r"at work in this folder[\s\S]*--output ANOTHER/FOLDER"):
            VERBS[verb](recipe_of(tmp_path), output)
    finally:
        os.close(lock)
    assert (output / ".work" / "rows.jsonl").read_text() == "of the other one"
    VERBS[verb](recipe_of(tmp_path), output)
    assert not (output / ".work").exists()


@pytest.mark.parametrize("verb", list(VERBS))
@pytest.mark.parametrize("other", list(RESULTS))
def test_the_results_of_another_verb_are_not_replaced(tmp_path: Path, verb: str, other: str) -> None:
    output = tmp_path / "out"
    output.mkdir()
    for name in (other, "ledger.jsonl"):
        (output / name).write_text("earlier")
    if RESULTS[other] == verb:
        VERBS[verb](recipe_of(tmp_path), output)
        assert (output / "ledger.jsonl").read_text() != "earlier"
        return
    with pytest.raises(DataError, match=f"holds the results of {RESULTS[other]}"):
        VERBS[verb](recipe_of(tmp_path), output)
    assert (output / "ledger.jsonl").read_text() == "earlier"
    assert not (output / ".work").exists()


def test_a_folder_is_let_go_of_when_a_curation_fails(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), results_in(output, ["clean.jsonl"]):
        raise ZeroDivisionError
    os.close(locked(output, ""))
    assert [path.name for path in output.iterdir()] == [LOCK]


def test_the_lock_is_no_data(tmp_path: Path) -> None:
    clean(recipe_of(tmp_path), output=tmp_path / "out", workers=Workers(1), terminal=Listening())
    for hidden in (tmp_path / "out").glob(".*"):
        assert str(hidden) not in find_files(recipes.Source(path=str(tmp_path / "out")))


def test_groups_keep_apart_without_personal_data(tmp_path: Path) -> None:
    people = ["ann.tailor@wanderlust.org", "li.hua@tsinghua.edu.cn", "team 7", "ann.tailor@wanderlust.org"]
    rows = [
        {"instruction": f"Describe sea {number}.", "output": "It is large.", "by": one}
        for number, one in enumerate(people)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"sources": [str(tmp_path / "rows.jsonl")], "group_by": "by"}
    recipe = recipes.build({"data": data, "curate": {"deduplicate": False}})

    def groups(file: Path) -> list[str]:
        return [json.loads(line)["group"] for line in file.read_text().splitlines()]

    clean(recipe, output=tmp_path / "clean", workers=Workers(1), terminal=Listening())
    assert groups(tmp_path / "clean" / "clean.jsonl") == ["[EMAIL] 1", "[EMAIL] 2", "team 7", "[EMAIL] 1"]
    assert "tailor" not in "".join(file.read_text() for file in (tmp_path / "clean").iterdir())
    select_rows(recipe, Wanted(4), output=tmp_path / "chosen", workers=Workers(1), terminal=Listening())
    assert not set(people[:2]) & set(groups(tmp_path / "chosen" / "selected.jsonl"))
    kept = recipes.build({"data": data, "curate": {"deduplicate": False, "personal_data": "keep"}})
    clean(kept, output=tmp_path / "kept", workers=Workers(1), terminal=Listening())
    assert groups(tmp_path / "kept" / "clean.jsonl") == people
    mix(recipes.build({"data": data}), output=tmp_path / "mixed", terminal=Listening())
    assert sorted(groups(tmp_path / "mixed" / "mixed.jsonl")) == sorted(people), "mix copies rows as they are"


def test_a_name_without_personal_data_stays() -> None:
    names = Names()
    assert [names("a"), names("b"), names("a")] == ["a", "b", "a"]
