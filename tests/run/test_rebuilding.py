"""The page of a folder is made again from its files, byte for byte, and what is no such folder is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRecipe
from tests.report.run_reports import HELD_OUT, ORIGIN, filled, one_model, three_models
from tutelage.errors import DataError
from tutelage.report import content as c
from tutelage.report import evaluation_page, page, stored
from tutelage.run.rebuilding import rebuild
from tutelage.run.training import train
from tutelage.terminal import Terminal


def write_run(folder: Path, report: c.Report) -> None:
    """The files of a run that its report is made of."""
    page.write(report, folder)
    of = report.training.curves
    columns = {"loss": of.loss, "learning_rate": of.learning_rate, "tokens_per_s": of.tokens_per_s}
    columns |= {"grad_norm": of.grad_norm}
    lines: list[dict[str, Any]] = [
        {"step": step} | {name: column[at] for name, column in columns.items()} for at, step in enumerate(of.step)
    ]
    for name, points in of.sources:
        for step, loss in points:
            lines[step - 1].setdefault("source_losses", {})[name] = loss
    lines += [{"step": step, "eval_loss": loss} for step, loss in of.held_out]
    lines += [{"step": step, "scores": {name: score}} for name, points in of.scores for step, score in points]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    write_run(tmp_path, filled())
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report,
        lambda report: replace(report, model="odd\udce9/\x1b[1m</script>中文"),
        lambda report: replace(report, evidence=(), origin=replace(report.origin, recipe="a: '\\udce9'\n")),
        lambda report: replace(report, evidence=(HELD_OUT, one_model())),
        lambda report: replace(
            report,
            training=replace(
                report.training,
                speed=None,
                curves=replace(report.training.curves, grad_norm=(float("nan"), float("inf"), *[1.0] * 58)),
            ),
        ),
    ],
)
def test_a_run_is_rebuilt_byte_for_byte(tmp_path: Path, change: Callable[[c.Report], c.Report]) -> None:
    write_run(tmp_path, change(filled()))
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    assert rebuild(tmp_path) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_bytes() == before


def test_an_evaluation_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    suites = (three_models(), replace(HELD_OUT, name="\udce9"))
    evaluation_page.write(c.Evaluation((("first", "/a/first"), ("second", "b")), suites, ORIGIN), tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").write_text("", encoding="utf-8")
    rebuild(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_what_is_read_back_is_what_was_written() -> None:
    report = filled()
    tree = json.loads(json.dumps(stored.run_figures(report)))
    assert "curves" not in tree["training"]
    assert stored.run_from(tree, report.training.curves) == report


def test_no_folder_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"report\.json: the report cannot be made again") as caught:
        rebuild(tmp_path)
    assert caught.value.code == "report-files"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "nul", "\udce9", '{"suites": 3}', '{"training": {}}', '{"training": 7}', "[" * 100_000],
)
def test_a_foreign_report_is_refused(run: Path, text: str) -> None:
    before = (run / "report.html").read_bytes()
    (run / "report.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as caught:
        rebuild(run)
    assert caught.value.code == "report-files"
    assert (run / "report.html").read_bytes() == before, "nothing was written"


def test_a_part_of_another_kind_is_named(run: Path) -> None:
    tree = json.loads((run / "report.json").read_text(encoding="utf-8"))
    tree["training"]["steps"] = "60"
    (run / "report.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(DataError, match=r"training\.steps: Input should be a valid integer"):
        rebuild(run)
    del tree["training"]["steps"]
    (run / "report.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(DataError, match=r"training\.steps: Field required"):
        rebuild(run)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("evidence", 0, "slices"), []),
        (("evidence", 0, "models"), ["base", "tuned", "third"]),
        (("evidence", 0, "slices", 0, "against", 0, "verdict"), "splendid"),
        (("data_map", "kinds", 0, "mean"), [1.0]),
        (("data_map", "kinds", 0, "name"), "liked"),
        (("data_map", "rows"), 0),
        (("ledger", "rows"), 0),
    ],
)
def test_parts_that_do_not_fit_are_refused(run: Path, keys: tuple[str | int, ...], value: object) -> None:
    tree = json.loads((run / "report.json").read_text(encoding="utf-8"))
    part = tree
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    (run / "report.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(DataError, match=r"report\.json: the report cannot be made again") as caught:
        rebuild(run)
    assert caught.value.code == "report-files"


@pytest.mark.parametrize("text", [None, "{", "7\n", '{"loss": 1}\n', '{"step": 1, "loss": 1}\n', "\udce9"])
def test_metrics_of_something_else_are_refused(run: Path, text: str | None) -> None:
    if text is None:
        (run / "metrics.jsonl").unlink()
    else:
        (run / "metrics.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"metrics\.jsonl") as caught:
        rebuild(run)
    assert caught.value.code == "report-files"


def test_a_real_run_is_rebuilt_byte_for_byte(make_recipe: MakeRecipe) -> None:
    texts = [f"answer {number} of a river" for number in range(24)]
    turns = [[{"role": "user", "content": f"河 {text}?"}, {"role": "assistant", "content": text}] for text in texts]
    recipe = make_recipe(
        [{"messages": one} for one in turns],
        data={"eval_share": 0.25},
        train={"max_steps": 6, "logging_steps": 1, "eval_steps": 2},
        evaluate={"num_questions": 4, "max_new_tokens": 4},
    )
    folder = train(recipe, terminal=Terminal(quiet=True)).output_dir
    before = (folder / "report.html").read_bytes()
    for part in (b"Form of the answers", b"Instruction following", b"What the rows taught"):
        assert part in before
    rebuild(folder, lang="zh")
    chinese = (folder / "report.html").read_text(encoding="utf-8")
    assert "数据图" in chinese
    assert "What the rows taught" not in chinese
    rebuild(folder)
    assert (folder / "report.html").read_bytes() == before
