"""A step with another objective, and with gradients scaled for fp16."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import VOCAB, tiny
from tests.small import examples, gap, gradients
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.errors import RecipeError, TrainingError
from tutelage.loss import CROSS_ENTROPY, Objective
from tutelage.model.causal_lm import CausalLM
from tutelage.recipe import TrainSection
from tutelage.run.device import device, refuse_what_it_cannot
from tutelage.run.metrics import Silence
from tutelage.tokens.batches import BatchPlan, packed_batch
from tutelage.training.checkpoint import Start
from tutelage.training.loop import Job, fit
from tutelage.training.step import StepResult, Update, held_out_loss, train_step

OBJECTIVES = (CROSS_ENTROPY, Objective(label_smoothing=0.2), Objective(dft=True))


def stepped(fused: bool, objective: Objective) -> tuple[StepResult, torch.Tensor]:
    language_model = CausalLM(tiny("llama").requires_grad_(True).train(), torch.float32, fused)
    optimizer = torch.optim.SGD(language_model.model.parameters(), lr=0.0)
    batches = [packed_batch([row]) for row in examples((20, 9), vocab=VOCAB, weighted=True)]
    result = train_step(language_model, batches, update=Update(optimizer), objective=objective)
    return result, gradients(language_model.model)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_head_of_the_models_own_gives_the_same_step(objective: Objective) -> None:
    (result, found), (own, expected) = (stepped(fused, objective) for fused in (True, False))
    assert result.loss == pytest.approx(own.loss, rel=1e-5)
    assert gap(found, expected) < 1e-5
    assert float(expected.norm()) > 0.01
    if objective != CROSS_ENTROPY:
        assert abs(result.loss - stepped(True, CROSS_ENTROPY)[0].loss) > 0.01


@pytest.fixture
def plan(tmp_path: Path) -> BatchPlan:
    store = store_of(tmp_path / "store", some_rows(8))
    return plan_of(store, packed=False, batch_size=4, batches_per_step=1)


def test_evaluation_stays_plain_cross_entropy(tmp_path: Path, plan: BatchPlan) -> None:
    job = job_of(tmp_path / "c", plan=plan, held_out=plan, steps=1, loss_type="dft", label_smoothing_factor=0.3)
    outcome = fit(job)
    ((_, told),) = job.listener.evaluations
    assert told == held_out_loss(job.language_model, plan)
    assert outcome.losses[0] < 0.5 * told, "times the probability, and evaluation is not"


class Overflowing:
    """Makes the gradient of one weight infinite at some steps, as a scale that is too large does."""

    def __init__(self, job: Job, *, at: tuple[int, ...]) -> None:
        self.step, self.at = 0, at
        next(job.language_model.model.parameters()).register_hook(self)

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        self.step += 1
        return gradient * float("inf") if self.step in self.at else gradient


def scaled(job: Job) -> Job:
    """The job with the scaler of fp16, on CPU."""
    return replace(job, language_model=replace(job.language_model, compute_dtype=torch.float16))


def test_scaling_changes_nothing_where_nothing_overflows() -> None:
    found = []
    for scaler in (torch.amp.GradScaler("cpu", enabled=False), torch.amp.GradScaler("cpu", init_scale=2.0**10)):
        model = tiny("llama").requires_grad_(True).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        batches = [packed_batch(examples((20, 9), vocab=VOCAB))]
        language_model = CausalLM(model, torch.float32, False)
        result = train_step(language_model, batches, update=Update(optimizer, 1.0, scaler))
        assert not result.skipped
        found.append((result.grad_norm, torch.cat([weight.detach().flatten() for weight in model.parameters()])))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert gap(found[1][1], found[0][1]) < 1e-6


@pytest.mark.parametrize("optim", ["adamw", "muon", "sgd"])
def test_a_step_beyond_fp16_is_skipped_and_told(tmp_path: Path, plan: BatchPlan, optim: str) -> None:
    job = scaled(job_of(tmp_path / "c", plan=plan, steps=1, optim=optim))
    before = flat_weights(job).clone()
    Overflowing(job, at=(1,))
    outcome = fit(job)
    assert outcome.skipped == 1
    assert outcome.state.step == 1
    assert torch.equal(flat_weights(job), before)
    assert '"scale": 32768.0' in (tmp_path / "c" / "checkpoint-1" / "state.json").read_text(encoding="utf-8")
    again = scaled(job_of(tmp_path / "d", plan=plan, steps=1, optim=optim))
    assert fit(again).skipped == 0
    assert not torch.equal(flat_weights(again), before)


def test_a_resumed_run_has_the_scale_that_it_had(tmp_path: Path, plan: BatchPlan) -> None:
    """Killed after two skipped steps: the checkpoint knows the scale, or the gradients would be rounded otherwise."""
    ends: list[Any] = []
    settings: dict[str, Any] = {"plan": plan, "steps": 6, "save_every": 3, "save_total_limit": 9}
    whole = scaled(job_of(tmp_path / "c", **settings))
    Overflowing(whole, at=(1, 2))
    ends.append(fit(whole))
    resumed = replace(scaled(job_of(tmp_path / "c", **settings)), listener=Silence())
    path = resumed.checkpoints.path(3)
    saved = type(resumed.language_model.model).from_pretrained(path, dtype=torch.float32)
    resumed.language_model.model.load_state_dict(saved.state_dict())
    state = replace(whole.checkpoints.newest().state, step=3, tokens=0, trained_tokens=0)
    ends.append(fit(resumed, resume_from=Start(path, state)))
    assert ends[0].skipped == 2
    assert ends[1].skipped == 0
    assert ends[0].losses[3:] == ends[1].losses
    assert torch.equal(flat_weights(whole), flat_weights(resumed))
    last = (tmp_path / "c" / "checkpoint-6" / "state.json").read_text(encoding="utf-8")
    assert '"scale": 16384.0' in last
    assert '"_growth_tracker": 4' in last


def test_a_gradient_that_stays_infinite_is_an_error(tmp_path: Path, plan: BatchPlan) -> None:
    job = scaled(job_of(tmp_path / "c", plan=plan, steps=40))
    Overflowing(job, at=tuple(range(1, 41)))
    with pytest.raises(TrainingError, match="the gradient of step 18 has norm"):
        fit(job)


@pytest.mark.parametrize("how", ["selective", "full"])
def test_layers_that_are_recomputed_are_not_compiled(how: str) -> None:
    section = TrainSection.model_validate({"torch_compile": True, "gradient_checkpointing": how})
    with pytest.raises(RecipeError, match=f"gradient_checkpointing is {how}[\\s\\S]*torch_compile=false"):
        refuse_what_it_cannot(section)
    refuse_what_it_cannot(section.model_copy(update={"torch_compile": False}))


def test_fp16_without_a_gpu_is_refused() -> None:
    if device().type == "cuda":
        pytest.skip("there is a GPU")
    with pytest.raises(RecipeError, match=r"fp16 is trained on CUDA GPUs[\s\S]*bf16 or fp32[\s\S]*train.dtype="):
        refuse_what_it_cannot(TrainSection(dtype="fp16"))
    for fine in ("auto", "bf16", "fp32"):
        refuse_what_it_cannot(TrainSection(dtype=fine))
