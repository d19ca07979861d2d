"""NEFTune: noise by each row's own length, only while training, the same for the same step."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.architectures import VOCAB, tiny
from tests.small import examples
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.model import attention
from tutelage.model.causal_lm import CausalLM
from tutelage.model.neftune import noise_scale, noisy_embeddings
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch, padded_batch
from tutelage.training.loop import fit
from tutelage.training.packing_law import packing_problem
from tutelage.training.step import held_out_loss

LENGTHS, WIDTH, ALPHA = (40, 5, 17), 32, 8.0


def noise_of(batch: Batch, alpha: float = ALPHA, seed: int = 0) -> torch.Tensor:
    """What is added to the embeddings, (B, T, D)."""
    model = tiny("llama").train()
    plain = model.get_input_embeddings()(batch.token_ids_BT)
    torch.manual_seed(seed)
    with noisy_embeddings(model, batch, alpha=alpha):
        noisy = model.get_input_embeddings()(batch.token_ids_BT)
    assert torch.equal(plain, model.get_input_embeddings()(batch.token_ids_BT)), "it ends with its context"
    return (noisy - plain).detach()


def by_row(noise_BTD: torch.Tensor) -> list[torch.Tensor]:
    """The noise of each row of `LENGTHS`, whether packed or padded."""
    if noise_BTD.shape[0] > 1:
        return [noise_BTD[row, :length] for row, length in enumerate(LENGTHS)]
    return list(noise_BTD[0, : sum(LENGTHS)].split(LENGTHS))


@pytest.mark.parametrize("kind", ["packed", "packed with padding", "padded"])
def test_the_noise_of_a_row_goes_by_its_own_length(kind: str) -> None:
    rows = examples(LENGTHS, vocab=VOCAB)
    batch = {
        "packed": packed_batch(rows),
        "packed with padding": packed_batch(rows, round_to=64),
        "padded": padded_batch(rows, pad_id=0),
    }[kind]
    for length, noise_LD in zip(LENGTHS, by_row(noise_of(batch)), strict=True):
        bound = ALPHA / math.sqrt(length * WIDTH)
        assert 0.9 * bound < float(noise_LD.abs().max()) <= bound * (1 + 1e-4)
        assert abs(float(noise_LD.mean())) < 0.2 * bound
        assert float(noise_LD.std()) == pytest.approx(bound / math.sqrt(3), rel=0.15), "uniform"


def test_packed_padding_gets_none() -> None:
    batch = packed_batch(examples(LENGTHS, vocab=VOCAB), round_to=64)
    assert batch.token_ids_BT.shape[1] > batch.tokens
    assert not noise_scale(batch, alpha=1.0)[0, batch.tokens :].any()
    assert noise_scale(batch, alpha=1.0)[0, : batch.tokens].all()


def test_a_seed_gives_its_noise() -> None:
    batch = packed_batch(examples(LENGTHS, vocab=VOCAB))
    assert torch.equal(noise_of(batch, seed=1), noise_of(batch, seed=1))
    assert not torch.equal(noise_of(batch, seed=1), noise_of(batch, seed=2))


def test_evaluation_and_the_check_of_packing_hear_none(tmp_path: Path) -> None:
    plan = plan_of(store_of(tmp_path, some_rows(6)), packed=True, batch_size=4, batches_per_step=1)
    model = tiny("llama").requires_grad_(True).train()
    noisy, plain = CausalLM(model, torch.float32, noise_alpha=50.0), CausalLM(model, torch.float32)
    assert held_out_loss(noisy, plan) == held_out_loss(plain, plan)
    assert model.training
    batch = plan.step(0)[0]
    assert float(noisy.loss_sum(batch).detach()) != float(plain.loss_sum(batch).detach())
    other = CausalLM(model, torch.float32, fused_head=False, noise_alpha=50.0)
    losses = []
    for one in (noisy, other):
        torch.manual_seed(4)
        losses.append(float(one.loss_sum(batch).detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5), "the model's own logits hear the same"
    assert packing_problem(CausalLM(tiny("mpt").train(), torch.float32, False, noise_alpha=50.0), some_rows(3))
    attention.switch(model, attention.NAME)
    assert packing_problem(noisy, some_rows(3)) is None


def test_a_run_with_noise_is_another_run_and_the_same_each_time(tmp_path: Path) -> None:
    plan = plan_of(store_of(tmp_path / "store", some_rows(8)), packed=False, batch_size=4, batches_per_step=1)
    ends = []
    for number, alpha in enumerate((0.0, 5.0, 5.0)):
        job = job_of(tmp_path / str(number), plan=plan, steps=2)
        fit(replace(job, language_model=replace(job.language_model, noise_alpha=alpha)))
        ends.append(flat_weights(job))
    assert torch.equal(ends[1], ends[2])
    assert not torch.equal(ends[0], ends[1])
