"""Runs that are killed at random instants, resumed, and compared bit for bit with runs that were not.

    python -m tests.soak --kills 30

Every run is a process of its own that executes `tutelage train` and is ended with SIGKILL, up to three times, before it
may finish; every second kill falls into the write of a checkpoint or of the finished model. Then the weights and every
logged number, the clock left out, must be those of an unbroken run.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")

from tests.small import questions, train_tokenizer, write_small_model
from tutelage import cli
from tutelage.records import Speed
from tutelage.run.metrics import read_metrics

STEPS = 60  # enough for a run to be rehearsed
TRAIN = {"dtype": "fp32", "learning_rate": 1e-3, "max_steps": STEPS, "save_steps": 4, "eval_steps": 7}
CASES: dict[str, dict[str, Any]] = {
    "full, packed, accumulated": {"train": {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}},
    "lora with dropout": {
        "train": {"method": "lora", "per_device_train_batch_size": 2},
        "lora": {"r": 4, "lora_dropout": 0.3},
        "tokens": {"packing": False},
    },
    "freeze, kept trunk, best at end": {
        "train": {"method": "freeze", "load_best_model_at_end": True, "save_steps": 3},
        "freeze": {"trainable_layers": 1},
    },
    "muon, noise, epochs": {"train": {"optim": "muon", "neftune_noise_alpha": 5.0, "save_steps": None}},
}
CLOCK = {"seconds", *(field.name for field in fields(Speed))} - {"padding_share"}
KILLS_OF_A_RUN = 3


@dataclass(frozen=True)
class Result:
    """What a finished run left: the bytes of its weights, its logged numbers without the clock."""

    weights: bytes
    numbers: list[dict[str, float]]


@dataclass
class Tally:
    """What the soak has seen.

    Attributes:
        resumed: lives that began from a checkpoint.
        runs: that were killed at least once, and then finished; those that ended before they were hit do not count.
    """

    kills: int = 0
    inside_a_save: int = 0
    resumed: int = 0
    runs: int = 0
    exact: int = 0


def write_inputs(work: Path) -> None:
    """A small model, and a recipe for each case."""
    write_small_model(work / "model", train_tokenizer(), layers=3, width=64)
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions(60))
    (work / "rows.jsonl").write_text(rows, encoding="utf-8")
    for name, case in CASES.items():
        recipe = {
            "model": {"name_or_path": str(work / "model")},
            "data": {"sources": [str(work / "rows.jsonl")], "eval_share": 0.2},
            "template": {"name": "chatml"},
            "tokens": {"max_length": 64, "cache_dir": str(work / "cache"), **case.get("tokens", {})},
            "evaluate": {"num_questions": 0},
            **{key: value for key, value in case.items() if key not in ("train", "tokens")},
            "train": {**TRAIN, **case["train"]},
        }
        (work / f"{name}.yaml").write_text(json.dumps(recipe), encoding="utf-8")


def start(work: Path, name: str, output: Path, *, resume: bool) -> int:
    """A child process that trains; its number. Forked, since importing torch takes longer than a run."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(work / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["tutelage", "train", str(work / f"{name}.yaml"), f"--set=output_dir={output}"]
        sys.argv += ["--resume"] if resume else []
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def wait(child: int, seconds: float | None = None) -> int | None:
    """The child's exit code; None if it is still there after so many seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    return None


def saves(output: Path) -> bool:
    """Whether something is being written at this moment."""
    folders = (output / "checkpoints").glob(".checkpoint-*.tmp")
    return (output / ".model.tmp").exists() or any(folders)


def kill(child: int, output: Path, *, chance: random.Random, longest: float, in_a_save: bool) -> bool | None:
    """End a child at a random instant: whether it was writing; None if it had finished before."""
    if wait(child, chance.uniform(0, (0.6 if in_a_save else 0.9) * longest)) is not None:
        return None
    while in_a_save and not saves(output):
        if wait(child, 0.0005) is not None:
            return None
    time.sleep(chance.uniform(0, 0.01) if in_a_save else 0)
    os.kill(child, signal.SIGKILL)
    writing = saves(output)
    return writing if wait(child) == -signal.SIGKILL else None


def result_of(output: Path) -> Result:
    """What stands in a finished run's folder."""
    (weights,) = (output / "model").glob("*model.safetensors")
    numbers = [{key: value for key, value in line.items() if key not in CLOCK} for line in read_metrics(output)]
    return Result(weights.read_bytes(), numbers)


def unbroken(work: Path) -> dict[str, tuple[Result, float]]:
    """Result and seconds of each case, left alone."""
    found = {}
    for name in CASES:
        results = []
        for number in range(2):  # the first also prepares the data; the second takes as long as those that are killed
            output, started = work / f"unbroken-{number}" / name, time.monotonic()
            if (code := wait(start(work, name, output, resume=False))) != 0:
                sys.exit(f"{name}: the unbroken run ended with {code}\n{(work / 'log.txt').read_text()[-3000:]}")
            seconds = time.monotonic() - started
            results.append(result_of(output))
        assert results[0] == results[1], "a run can be repeated"
        assert [line["step"] for line in results[0].numbers if "loss" in line] == list(range(1, STEPS + 1))
        found[name] = (results[0], seconds)
        print(f"{name}: {seconds:.1f} s unbroken", flush=True)
    return found


def soak(work: Path, *, kills: int, seed: int) -> Tally:
    """Kill and resume until there were so many kills; every run is then finished and compared."""
    wanted, chance, tally = unbroken(work), random.Random(seed), Tally()
    number = 0
    while tally.kills < kills:
        name, output = list(CASES)[number % len(CASES)], work / f"run-{number}"
        number += 1
        before = tally.kills
        while tally.kills - before < KILLS_OF_A_RUN:
            resume = bool(checkpoints(output))
            child = start(work, name, output, resume=resume)
            in_a_save = tally.kills % 2 == 1
            writing = kill(child, output, chance=chance, longest=wanted[name][1], in_a_save=in_a_save)
            tally.resumed += resume
            if writing is None:
                break
            tally.kills += 1
            tally.inside_a_save += writing
        if tally.kills == before:
            continue
        if not (output / "result.json").exists():
            resume = bool(checkpoints(output))
            wait(start(work, name, output, resume=resume))
            tally.resumed += resume
        exact = (output / "result.json").exists() and result_of(output) == wanted[name][0]
        tally.runs += 1
        tally.exact += exact
        print(f"{tally.kills:>4} kills, run {tally.runs} ({name}): {'exact' if exact else 'DIFFERENT'}", flush=True)
        if not exact:
            print((work / "log.txt").read_text()[-2000:])
    return tally


def checkpoints(output: Path) -> Sequence[Path]:
    """Those that stand under their final names."""
    return list((output / "checkpoints").glob("checkpoint-*"))


def main() -> None:
    """Print the figures last, as one JSON object; exit with 1 where a run came out otherwise."""
    options = argparse.ArgumentParser(prog="python -m tests.soak", description="Kill, resume, compare.")
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tutelage-soak-") as folder:
        write_inputs(Path(folder))
        tally = soak(Path(folder), kills=given.kills, seed=given.seed)
    print(json.dumps(vars(tally)))
    sys.exit(tally.exact != tally.runs)


if __name__ == "__main__":
    main()
