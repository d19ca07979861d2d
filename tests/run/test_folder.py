"""The output folder: claimed once, earlier runs are kept."""

from pathlib import Path

import pytest

from tests.small import Listening
from tutelage.errors import TrainingError
from tutelage.recipe import Recipe
from tutelage.run.folder import claimed


def test_an_earlier_run_is_moved_aside(tmp_path: Path) -> None:
    recipe = Recipe(output_dir=str(tmp_path / "run"))
    for number in range(3):
        terminal = Listening()
        with claimed(recipe, resume=False, terminal=terminal) as output:
            (output / "mine.txt").write_text(str(number), encoding="utf-8")
        assert ("holds an earlier run" in terminal.text) == (number > 0)
    names = {path.name: (path / "mine.txt").read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert names == {"run.1": "0", "run.2": "1", "run": "2"}


def test_a_resumed_run_stays_where_it_is(tmp_path: Path) -> None:
    recipe = Recipe(output_dir=str(tmp_path / "run"))
    with claimed(recipe, resume=False, terminal=Listening()) as output:
        (output / "mine.txt").touch()
    with claimed(recipe, resume=True, terminal=Listening()):
        pass
    assert (tmp_path / "run" / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_without_a_run_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "data.jsonl").touch()
    with claimed(Recipe(output_dir=str(tmp_path / "run")), resume=False, terminal=Listening()):
        pass
    assert (tmp_path / "run" / "data.jsonl").exists()


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with (
            pytest.raises(TrainingError, match=r"cannot be written[\s\S]*output_dir=") as refusal,
            claimed(Recipe(output_dir=str(place)), resume=False, terminal=Listening()),
        ):
            pass
        assert str(refusal.value).startswith(str(place))
