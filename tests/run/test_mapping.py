"""The data map of a run: written at its end, made again from its folder alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small import Listening, questions
from tutelage.errors import DataError
from tutelage.run.mapping import DATA_MAP, DATA_MAP_SUMMARY, recomputed
from tutelage.run.row_log import ROW_LOG, RowLog, read_row_log
from tutelage.run.training import train
from tutelage.terminal import Update

STEPS = 12


class Killed(Exception):
    """Stands for the signal that ends a process."""


class Deadly(Listening):
    """A terminal at which a run dies while it reports step 9."""

    @contextmanager
    def progress(self, title: str, total: int | None, *, start: int = 0) -> Iterator[Update]:
        def update(done: int, beside: str) -> None:
            if title == "training" and done == 9:
                raise Killed

        yield update


def recipe_of(make_recipe, output: Path, **changes: Any):
    return make_recipe(
        questions(30),
        output_dir=str(output),
        data={"eval_share": 0.2},
        tokens={"max_length": 64},
        train={"max_steps": STEPS, "save_steps": 6, "eval_steps": 6, "per_device_train_batch_size": 4, **changes},
    )


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / DATA_MAP).read_text(encoding="utf-8").splitlines()]


def test_every_trained_row_has_its_line_and_place(make_recipe, tmp_path: Path) -> None:
    train(recipe_of(make_recipe, tmp_path / "run"), terminal=Listening())
    found = lines(tmp_path / "run")
    ledger = [json.loads(line) for line in (tmp_path / "run" / "ledger.jsonl").read_text().splitlines()]
    trained = {entry["row"]: (entry["file"], entry["line"]) for entry in ledger if entry["split"] == "train"}
    assert 10 < len(trained) < 30, "some rows are held out"
    assert {line["row"]: (line["file"], line["line"]) for line in found} == trained
    assert [line["row"] for line in found] == sorted(trained)

    records, steps_per_epoch = read_row_log(tmp_path / "run")
    assert steps_per_epoch < STEPS, "rows are seen several times"
    one = found[3]
    of_row = [record["loss"] for record in records if record["row"] == one["row"]]
    assert one["losses"] == pytest.approx(of_row, abs=1e-4)
    assert one["mean"] == pytest.approx(np.mean(of_row), abs=1e-4)
    assert one["visits"] == len(of_row) > 1

    told = json.loads((tmp_path / "run" / DATA_MAP_SUMMARY).read_text(encoding="utf-8"))
    assert told["rows"] == sum(told["kinds"].values()) == len(found)
    assert told["visits"] == len(records)
    assert [line["rank"] for line in told["suspicious"]] == list(range(1, 21))
    totals = [line["suspicion"]["total"] for line in sorted(found, key=lambda line: int(line["rank"]))]
    assert totals == sorted(totals, reverse=True)
    assert told["held_out_loss"] > 0
    assert any("fewer than 200 rows" in sentence for sentence in told["untold"])
    assert all(line["suspicion"]["from_fit"] is None for line in found)


def test_it_is_made_again_from_the_folder_alone(make_recipe, tmp_path: Path) -> None:
    train(recipe_of(make_recipe, tmp_path / "run"), terminal=Listening())
    first = json.loads((tmp_path / "run" / DATA_MAP_SUMMARY).read_text(encoding="utf-8"))
    rows = lines(tmp_path / "run")
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    for _ in range(2):
        assert recomputed(moved) == first
        (moved / DATA_MAP).unlink()
    recomputed(moved)
    assert lines(moved) == rows
    (moved / ROW_LOG).unlink()
    with pytest.raises(DataError, match="row_losses"):
        recomputed(moved)


def test_what_was_said_of_answers_and_prompts_is_kept(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(
        questions(320),
        output_dir=str(tmp_path / "run"),
        data={"eval_share": 0.2},
        tokens={"max_length": 64},
        train={"max_steps": 24, "per_device_train_batch_size": 16},
    )
    train(recipe, terminal=Listening())
    first = json.loads((tmp_path / "run" / DATA_MAP_SUMMARY).read_text(encoding="utf-8"))
    before = lines(tmp_path / "run")
    assert first["suspicion"]["rows_judged_by_fit"] == len(before) >= 200
    assert 0 <= first["suspicion"]["fit_auc"] <= 1
    again = recomputed(tmp_path / "run")
    for one, other in zip(before, lines(tmp_path / "run"), strict=True):
        assert other["suspicion"]["from_fit"] == one["suspicion"]["from_fit"]
        assert other["suspicion"]["total"] == pytest.approx(one["suspicion"]["total"], abs=0.02)
    assert again["suspicion"]["rows_judged_by_fit"] == len(before)
    parts = [line["suspicion"] for line in before]
    assert all(one["total"] == pytest.approx(one["from_loss"] + one["from_fit"], abs=2e-4) for one in parts)


def test_a_run_that_was_killed_has_the_map_of_one_that_was_not(make_recipe, tmp_path: Path) -> None:
    train(recipe_of(make_recipe, tmp_path / "whole"), terminal=Listening())
    broken = tmp_path / "broken"
    with pytest.raises(Killed):
        train(recipe_of(make_recipe, broken), terminal=Deadly())
    assert read_row_log(broken)[0]["step"].max() == 8, "two steps stand there beyond the checkpoint"
    with (broken / ROW_LOG).open("ab") as file:
        file.write(b"half a rec")
    train(recipe_of(make_recipe, broken), terminal=Listening(), resume=True)
    for name in (ROW_LOG, DATA_MAP, DATA_MAP_SUMMARY):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_without_a_step_has_an_empty_map(tmp_path: Path) -> None:
    RowLog(tmp_path, done=0, steps_per_epoch=3).close()
    (tmp_path / "ledger.jsonl").touch()
    told = recomputed(tmp_path)
    assert (told["rows"], told["visits"], told["suspicious"]) == (0, 0, [])
    assert (tmp_path / DATA_MAP).read_bytes() == b""
