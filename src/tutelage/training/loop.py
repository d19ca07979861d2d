"""The training loop, on one page. Everything it needs comes in as arguments; `run` builds them."""

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from tutelage.errors import Stopped, TrainingError
from tutelage.loss import Objective
from tutelage.model.causal_lm import CausalLM
from tutelage.model.work import flops_of
from tutelage.recipe import TrainSection
from tutelage.records import Speed
from tutelage.tokens.batches import BatchPlan
from tutelage.training import distributed
from tutelage.training.checkpoint import Checkpoints, Start, TrainState, load_optimizer
from tutelage.training.meter import Meter
from tutelage.training.optimizer import build_optimizer, set_learning_rate
from tutelage.training.prefetch import prefetched
from tutelage.training.row_losses import Numbers
from tutelage.training.schedule import learning_rates
from tutelage.training.step import StepResult, Update, held_out_loss, train_step


class Listener(Protocol):
    """Who hears of every step and evaluation: metrics file, TensorBoard, progress line."""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""

    def examined(self, state: TrainState, scores: Mapping[str, float]) -> None:
        """The model has been asked: name of the suite -> mean score."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True)
class Job:
    """All that a run of the loop needs.

    Attributes:
        plan: the training batches, by step.
        held_out: the held-out batches; None: no evaluation.
        total_steps: length of the run.
        eval_every, save_every: in steps; the end of the run is always evaluated and saved.
        write_model: writes the model as it stands into a folder.
        peak_flops_per_s: of this process's matrix products (`meter.measured_peak`); 0 where nobody measured them.
        asked_to_stop: read after every step.
        examine: asks the model as it stands, without changing anything: name of the suite -> mean score.
        examine_every: in steps, but not after the last; 0: never.
        halvings: of the batches of a run that begins; `TrainState` has those of one that goes on.
        source_of_row: the source of each row by the row's number; empty: rows are not told apart.
    """

    language_model: CausalLM
    plan: BatchPlan
    held_out: BatchPlan | None
    section: TrainSection
    total_steps: int
    eval_every: int
    save_every: int
    seed: int
    checkpoints: Checkpoints
    write_model: Callable[[Path], None]
    listener: Listener
    peak_flops_per_s: float = 0.0
    asked_to_stop: Callable[[], bool] = lambda: False
    examine: Callable[[CausalLM], Mapping[str, float]] = lambda _: {}
    examine_every: int = 0
    halvings: int = 0
    source_of_row: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Outcome:
    """How the loop ended.

    Attributes:
        state: of the last step.
        losses: training loss of each step of this process's part of the run.
        tokens: seen by these steps.
        seconds: spent in them and between them, evaluation and saving left out.
        speed: the mean over these steps but the first; None where there was none.
        stopped_early: the held-out loss stopped falling.
        skipped: how many of these steps changed nothing, since a scaled gradient went beyond fp16.
    """

    state: TrainState
    losses: tuple[float, ...]
    tokens: int
    seconds: float
    speed: Speed | None
    stopped_early: bool
    skipped: int = 0


def fit(job: Job, *, resume_from: Start | None = None) -> Outcome:
    """Train to the end, or until early stopping. Dropout and order follow from (seed, step) alone, so a resumed run
    needs no random state.

    Raises:
        TrainingError: the loss or the gradient is not a number, or a checkpoint cannot be written.
        Stopped: the run was asked to stop before its end; it has saved.
    """
    weights = job.language_model.trainable()
    layer_weights = job.language_model.layer_weights() if job.section.optim == "muon" else ()
    optimizer = build_optimizer(weights, job.section, layer_weights=layer_weights)
    rate_of = learning_rates(job.section, total_steps=job.total_steps)
    objective = Objective(job.section.label_smoothing_factor, dft=job.section.loss_type == "dft")
    device = job.language_model.device
    scaler = torch.amp.GradScaler(device.type, enabled=job.language_model.compute_dtype == torch.float16)
    update = Update(optimizer, job.section.max_grad_norm, scaler)
    state = TrainState(halvings=job.halvings)
    if resume_from is not None:
        state = resume_from.state
        load_optimizer(optimizer, weights, checkpoint=resume_from.path, scaler=scaler)
    losses: list[float] = []
    first, skipped = state, 0
    stopped_early = out_of_patience(state, job.section)
    job.language_model.model.train()
    meter = Meter(flops_of(job.language_model), peak_flops_per_s=job.peak_flops_per_s, device=device)
    steps = range(state.step, state.step if stopped_early else job.total_steps)
    with closing(prefetched(job.plan, steps, device=device)) as loaded:
        for batches in loaded:
            torch.manual_seed(job.seed * 1_000_003 + state.step * 97 + distributed.rank())
            rate = rate_of(state.step)
            set_learning_rate(optimizer, rate)
            meter.begin(batches)
            result = train_step(
                job.language_model,
                batches,
                update=update,
                objective=objective,
                halvings=state.halvings,
            )
            speed = meter.end(result)
            refuse_not_a_number(result, job, step=state.step)
            losses.append(result.loss)
            skipped += result.skipped
            if result.halvings > state.halvings:
                job.listener.note(f"memory ran out in step {state.step + 1}: from now on batches are halved")
            state = after_step(state, result, job=job)
            job.listener.step(state, result, learning_rate=rate, speed=speed)
            last = state.step == job.total_steps
            improved = False
            if job.held_out is not None and (last or state.step % job.eval_every == 0):
                with meter.paused():
                    loss = held_out_loss(job.language_model, job.held_out)
                improved = state.best_loss is None or loss < state.best_loss
                state = after_evaluation(state, loss)
                job.listener.evaluated(state, loss)
                stopped_early = out_of_patience(state, job.section)
            if job.examine_every and not last and state.step % job.examine_every == 0 and distributed.rank() == 0:
                with meter.paused():
                    job.listener.examined(state, job.examine(job.language_model))
            keeps_best = improved and (job.section.load_best_model_at_end or job.section.early_stopping_patience)
            stops = not last and distributed.any_of(job.asked_to_stop(), device)
            saves = last or stopped_early or keeps_best or stops or state.step % job.save_every == 0
            if saves and distributed.rank() == 0:
                with meter.paused():
                    job.checkpoints.save(state, job.write_model, optimizer=optimizer, weights=weights, scaler=scaler)
            if stopped_early:
                break
            if stops:
                raise Stopped(f"stopped after step {state.step} of {job.total_steps}, which is saved", code="stopped")
    tokens = state.tokens - first.tokens
    return Outcome(state, tuple(losses), tokens, meter.seconds, meter.speed(), stopped_early, skipped)


def after_step(state: TrainState, result: StepResult, *, job: Job) -> TrainState:
    """The state with one more step behind it. The losses of the sources begin anew after a step that was logged."""
    sums = () if state.step % job.section.logging_steps == 0 else state.source_losses
    return replace(
        state,
        step=state.step + 1,
        tokens=state.tokens + result.tokens,
        trained_tokens=state.trained_tokens + result.trained_tokens,
        halvings=result.halvings,
        source_losses=result.rows.by_source(job.source_of_row, onto=sums),
    )


def after_evaluation(state: TrainState, loss: float) -> TrainState:
    """The state with a new held-out loss taken in."""
    if state.best_loss is None or loss < state.best_loss:
        return replace(state, best_loss=loss, best_step=state.step, evaluations_since_best=0)
    return replace(state, evaluations_since_best=state.evaluations_since_best + 1)


def out_of_patience(state: TrainState, section: TrainSection) -> bool:
    """Whether so many evaluations brought no lower loss that the run ends."""
    patience = section.early_stopping_patience
    return patience is not None and state.evaluations_since_best >= patience


def refuse_not_a_number(result: StepResult, job: Job, *, step: int) -> None:
    """Stop a run whose loss or gradient has become NaN or infinite, before its weights are saved."""
    if math.isfinite(result.loss) and (math.isfinite(result.grad_norm) or result.skipped):
        return
    what = f"loss of step {step + 1} is {result.loss}"
    if math.isfinite(result.loss):
        what = f"gradient of step {step + 1} has norm {result.grad_norm}"
    rows = sorted({row for batch in job.plan.step(step) for row in batch.rows})
    raise TrainingError(
        f"the {what} (rows {rows[:20]}{' ...' if len(rows) > 20 else ''})",
        code="not-a-number",
        expected="a finite number",
        remedy=f"lower train.learning_rate (now {job.section.learning_rate:g}) or look at these rows; "
        f"checkpoints up to this step are kept in {job.checkpoints.folder}",
    )


def metrics_of(state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> dict[str, float]:
    """A step as numbers for metrics.jsonl and TensorBoard."""
    return {
        "step": state.step,
        "learning_rate": learning_rate,
        "loss": result.loss,
        "grad_norm": result.grad_norm,
        "tokens": result.tokens,
        "trained_tokens": result.trained_tokens,
        "seconds": result.seconds,
        **asdict(speed),
        **({"skipped": 1.0} if result.skipped else {}),
    }
