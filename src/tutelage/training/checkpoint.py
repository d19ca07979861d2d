"""Checkpoints: ordinary model folders with the optimizer's state beside them, written whole or not at all.

checkpoint-200/  model.safetensors (or an adapter), tokenizer, optimizer.safetensors, state.json, manifest.json

Learning rates, order of the data and random numbers follow from the step alone: the state holds no more than that.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tutelage.errors import TrainingError
from tutelage.training.durable import problem_of, put_in_place, seal, writing


@dataclass(frozen=True)
class TrainState:
    """Where a run stands after some steps. With the weights and the optimizer, this decides all that follows.

    Attributes:
        step: optimizer steps done.
        best_loss, best_step: lowest held-out loss so far and the step after which it was measured.
        evaluations_since_best: for early stopping.
        halvings: how often micro-batches were halved, since memory ran out.
        source_losses: for each source, the sum of its rows' losses and of their weights since the last logging; empty
            where rows are not told apart by source.
    """

    step: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    evaluations_since_best: int = 0
    halvings: int = 0
    source_losses: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Start:
    """Where a run goes on.

    Attributes:
        path: the newest whole checkpoint.
        passed_over: newer ones that are broken, each with what is wrong with it.
    """

    path: Path
    state: TrainState
    passed_over: tuple[str, ...] = ()


class Checkpoints:
    """The checkpoints of one run: the last few and the best one.

    Args:
        folder: of the checkpoints.
        keep: how many of the last ones stay, besides the best.
        fingerprint: what model, data, template and recipe were; resuming onto anything else is refused (law 6).
    """

    def __init__(self, folder: Path, *, keep: int, fingerprint: Mapping[str, Any]) -> None:
        self.folder, self.keep, self.fingerprint = folder, keep, dict(fingerprint)

    def save(
        self,
        state: TrainState,
        write_model: Callable[[Path], None],
        *,
        optimizer: torch.optim.Optimizer,
        weights: Mapping[str, nn.Parameter],
        scaler: torch.amp.GradScaler | None = None,
    ) -> Path:
        """Write a checkpoint beside its place, move it there, and remove those that are no longer wanted.

        Args:
            write_model: writes model and tokenizer into a folder.
            weights: name -> parameter, for the names of the optimizer's moments.
            scaler: of fp16; one that is off has nothing to save.
        """
        target = self.path(state.step)
        work = self.folder / f".{target.name}.tmp"
        for left in self.folder.glob(".checkpoint-*.tmp"):  # of a run that was killed while it saved
            shutil.rmtree(left)
        try:
            with writing("the checkpoint", target, remedy=self._way_on()):
                work.mkdir(parents=True)
                write_model(work)
                tensors, numbers = _moments(optimizer, weights)
                save_file(tensors, work / "optimizer.safetensors")
                content = {"state": asdict(state), "fingerprint": self.fingerprint, "optimizer": numbers}
                content["scaler"] = scaler.state_dict() if scaler else {}
                (work / "state.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
                seal(work)
                put_in_place(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._prune(state)
        return target

    def _way_on(self) -> str:
        steps = self.steps()
        kept = f", then train with --resume: it goes on after step {steps[-1]}" if steps else ""
        return f"make room for {self.keep + 1} checkpoints and the finished model{kept}"

    def path(self, step: int) -> Path:
        """The folder of the checkpoint after `step` steps."""
        return self.folder / f"checkpoint-{step}"

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, ascending."""
        found = (re.fullmatch(r"checkpoint-(\d+)", path.name) for path in self.folder.glob("checkpoint-*"))
        return sorted(int(match[1]) for match in found if match)

    def newest(self) -> Start:
        """The last whole checkpoint, to resume from; broken ones are passed over.

        Raises:
            TrainingError: there is none, or it belongs to another run.
        """
        broken: list[str] = []
        for step in reversed(self.steps()):
            path = self.path(step)
            if problem := problem_of(path):
                broken.append(f"{path} is broken: {problem}")
                continue
            content = json.loads((path / "state.json").read_text(encoding="utf-8"))
            self._refuse_mismatch(path, content["fingerprint"])
            return Start(path, _state(content["state"]), tuple(broken))
        raise TrainingError(
            "; ".join(broken) if broken else "there is no checkpoint to resume from",
            code="nothing-to-resume",
            place="" if broken else str(self.folder),
            expected="a whole checkpoint",
            remedy="train without --resume",
        )

    def _refuse_mismatch(self, path: Path, saved: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(self.fingerprint))
        differing = [key for key in sorted({*now, *saved}) if now.get(key) != saved.get(key)]
        if differing:
            lines = "; ".join(f"{key}: then {saved.get(key)!r}, now {now.get(key)!r}" for key in differing)
            raise TrainingError(
                f"the checkpoint belongs to another run ({lines})",
                code="another-run",
                place=str(path),
                remedy="resume with the recipe and data of that run, or choose another output_dir",
            )

    def _prune(self, state: TrainState) -> None:
        """Keep the last ones up to the one just written, and the best. Later ones are broken: they were passed over
        when the run went on from an earlier one."""
        kept = {*[step for step in self.steps() if step <= state.step][-self.keep :], state.best_step}
        for step in self.steps():
            if step not in kept:
                shutil.rmtree(self.path(step))


def _state(content: Mapping[str, Any]) -> TrainState:
    """The state as it was saved; JSON knows no tuples."""
    sums = tuple((loss, weight) for loss, weight in content["source_losses"])
    return TrainState(**{**content, "source_losses": sums})


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    weights: Mapping[str, nn.Parameter],
    *,
    checkpoint: Path,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Put the saved moments back, and the scale of fp16. The count of steps lies where its weight does: the fused AdamW
    asks for it there."""
    content = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    if scaler and scaler.is_enabled():
        scaler.load_state_dict(content["scaler"])
    saved = {**load_file(checkpoint / "optimizer.safetensors"), **content["optimizer"]}
    for name, weight in weights.items():
        prefix = f"{name}/"
        found = {key.removeprefix(prefix): value for key, value in saved.items() if key.startswith(prefix)}
        if found:
            optimizer.state[weight] = {
                key: value.to(weight.device) if isinstance(value, torch.Tensor) else value
                for key, value in found.items()
            }


def _moments(
    optimizer: torch.optim.Optimizer, weights: Mapping[str, nn.Parameter]
) -> tuple[dict[str, torch.Tensor], dict[str, float | None]]:
    """The optimizer's state by weight and key: tensors, and what is none (counts of steps, a momentum that is off)."""
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, float | None] = {}
    places: set[int] = set()
    for name, weight in weights.items():
        for key, value in optimizer.state.get(weight, {}).items():
            if not isinstance(value, torch.Tensor):
                numbers[f"{name}/{key}"] = value
                continue
            # 8-bit moments share their table of values; a file of tensors holds each for itself.
            tensors[f"{name}/{key}"] = value.clone() if value.data_ptr() in places else value.contiguous()
            places.add(value.data_ptr())
    return tensors, numbers
