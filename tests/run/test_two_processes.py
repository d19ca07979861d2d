"""The verb train under torchrun: two processes on the CPU end where one does (law 5), and write one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def steps(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in steps(run)]


def counted(run: Path) -> list[float]:
    """What the meter counts of each step, without the clock: tokens, padding, operations per token."""
    names = ("tokens", "trained_tokens", "padding_share")
    return [
        number
        for line in steps(run)
        for number in (*(line[name] for name in names), line["flops_per_s"] / line["tokens_per_s"])
    ]


def launch(folder: Path, *launcher: str, settings: list[str]) -> None:
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    overrides = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", *launcher, "tutelage.cli", "train", "recipe.yaml", *overrides]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    rows = [{"prompt": f"Count to {n}.", "response": " ".join(map(str, range(n)))} for n in range(2, 40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "more.jsonl").write_text("".join(json.dumps({**row, "prompt": "Count on."}) + "\n" for row in rows[:9]))
    tree = {
        "data": {"sources": ["rows.jsonl", {"path": "more.jsonl", "rows": 30}]},
        "train": {"max_steps": 3, "per_device_train_batch_size": 2, "dtype": "fp32", "learning_rate": 1e-3},
        "tokens": {"max_length": 128},
        "evaluate": {"num_questions": 2, "max_new_tokens": 4},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    launch(tmp_path, settings=["train.gradient_accumulation_steps=2", "output_dir=one"])
    launch(tmp_path, "torch.distributed.run", "--nproc-per-node=2", "-m", settings=["output_dir=two"])
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    assert len(losses(tmp_path / "one")) == 3
    ours, theirs = ([line["source_losses"] for line in steps(tmp_path / run)] for run in ("one", "two"))
    assert [sorted(line) for line in theirs] == [["more.jsonl", "rows.jsonl"]] * 3
    for one, two in zip(ours, theirs, strict=True):
        assert two == pytest.approx(one, rel=1e-5)
    assert counted(tmp_path / "two") == pytest.approx(counted(tmp_path / "one"))
    assert all(line["peak_flops_per_s"] > 0 for run in ("one", "two") for line in steps(tmp_path / run))
    assert (tmp_path / "two" / "report.html").exists()
    assert not list(tmp_path.glob("two.*"))
