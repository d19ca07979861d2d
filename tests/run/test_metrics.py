"""What is logged of a run, and what of it survives a kill."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tutelage.records import Speed
from tutelage.run.metrics import MetricsLog, beside, read_metrics
from tutelage.training.checkpoint import TrainState
from tutelage.training.step import StepResult

RESULT = StepResult(loss=2.5, grad_norm=1.0, tokens=90, trained_tokens=30, positions=100, seconds=0.5)
SPEED = Speed(
    tokens_per_s=180,
    trained_tokens_per_s=60,
    padding_share=0.1,
    flops_per_s=3e9,
    peak_flops_per_s=4e9,
    share_of_peak=0.75,
    loop_overhead=0.01,
    peak_gib=1.5,
)


def log_of(folder: Path, steps: range, *, done: int = 0, every: int = 1) -> list[tuple[int, str]]:
    """Log some steps with an evaluation after each fourth; returns what the progress line was given."""
    told: list[tuple[int, str]] = []
    notes: list[str] = []
    log = MetricsLog(
        folder,
        done=done,
        logging_steps=every,
        update=lambda at, beside: told.append((at, beside)),
        note=notes.append,
    )
    for step in steps:
        log.step(TrainState(step=step), RESULT, learning_rate=1e-3, speed=SPEED)
        if step % 4 == 0:
            log.evaluated(TrainState(step=step), 1.25)
    log.close()
    assert not notes
    return told


def test_every_step_is_a_line_and_a_word(tmp_path: Path) -> None:
    told = log_of(tmp_path, range(1, 6))
    lines = read_metrics(tmp_path)
    assert [(line["step"], "eval_loss" in line) for line in lines] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (4, True),
        (5, False),
    ]
    assert asdict(SPEED).items() <= lines[0].items()
    assert told[0] == (1, "loss 2.500 180 tokens/s 75% of peak padding 10%")
    assert told[-1] == (5, "loss 2.500 held-out 1.250 180 tokens/s 75% of peak padding 10%")


def test_the_progress_line_leaves_out_what_is_not_known_or_nothing() -> None:
    assert beside(replace(SPEED, padding_share=0.0)) == "180 tokens/s 75% of peak"
    assert beside(replace(SPEED, peak_flops_per_s=0.0)) == "180 tokens/s padding 10%"


def test_logging_steps_thins_the_file_and_not_the_progress(tmp_path: Path) -> None:
    told = log_of(tmp_path, range(1, 8), every=3)
    assert [line["step"] for line in read_metrics(tmp_path) if "loss" in line] == [3, 6]
    assert [line["step"] for line in read_metrics(tmp_path) if "eval_loss" in line] == [4]
    assert [at for at, _ in told] == list(range(1, 8))


def test_losses_of_sources_stand_in_the_line_and_in_the_progress(tmp_path: Path) -> None:
    told: list[str] = []
    names = ["a/talk.jsonl", "org/maths", "b/empty.csv"]
    log = MetricsLog(
        tmp_path, done=0, logging_steps=2, update=lambda _, beside: told.append(beside), note=print, sources=names
    )
    for step, sums in enumerate((((3.0, 2.0), (0.0, 0.0)), ((9.0, 4.0), (1.0, 4.0)), ()), start=1):
        log.step(TrainState(step=step, source_losses=sums), RESULT, learning_rate=1e-3, speed=SPEED)
    log.close()
    (line,) = read_metrics(tmp_path)
    assert line["source_losses"] == {"a/talk.jsonl": 2.25, "org/maths": 0.25}
    assert told[0] == f"loss 2.500 {beside(SPEED)}"
    assert told[1] == told[2] == f"loss 2.500 (talk 2.250, maths 0.250) {beside(SPEED)}"
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in board.Scalars("source_loss/org/maths")] == [0.25]


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    log_of(tmp_path, range(1, 9))
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 9, "lo')  # the process was killed while it wrote
    log_of(tmp_path, range(5, 11), done=4)
    assert [line["step"] for line in read_metrics(tmp_path) if "loss" in line] == list(range(1, 11))
    assert [line["step"] for line in read_metrics(tmp_path) if "eval_loss" in line] == [4, 8]
    assert not list(tmp_path.glob("*.tmp"))


def test_tensorboard_shows_the_same_curves(tmp_path: Path) -> None:
    log_of(tmp_path, range(1, 5))
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {
        "eval/loss",
        *(f"train/{name}" for name in ("loss", "grad_norm", "learning_rate")),
        *(f"train/{field.name}" for field in fields(Speed) if field.name != "peak_flops_per_s"),
    }
    assert [event.value for event in board.Scalars("train/share_of_peak")] == [0.75] * 4
    assert [(event.step, event.value) for event in board.Scalars("train/loss")] == [(n, 2.5) for n in range(1, 5)]
    assert [event.step for event in board.Scalars("eval/loss")] == [4]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1]) == {"step": 4, "eval_loss": 1.25}
