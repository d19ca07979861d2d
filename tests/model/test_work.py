"""Operations counted from the weights are those that torch counts while the model really trains."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PreTrainedModel

from tests.architectures import CONFIGS, VOCAB, tiny
from tests.small import examples
from tutelage.loss import ROUND
from tutelage.model import adapters, attention, vocabulary
from tutelage.model.causal_lm import CausalLM
from tutelage.model.freezing import train_part
from tutelage.model.trunk import KeptTrunk, TrunkStore, trunk_of
from tutelage.model.work import Work, flops_of, pairs, work_of
from tutelage.recipe import FreezeSection, LoraSection
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch, padded_batch

LENGTH = ROUND // 2 + 1  # two rows of it have so many trained tokens that the loss rounds nothing up
BACKWARD = 2 * 4 * (4 * 8) * LENGTH**2 * 2  # of the attention of one layer, whole: four heads of 8, two rows
NOT_COMPARED = {"llama4": "sends every token to every expert and multiplies by zero"}


def batch_of() -> Batch:
    batch = padded_batch(examples([LENGTH, LENGTH], vocab=VOCAB, first=1), pad_id=0)
    assert int(batch.target_weights_BT.count_nonzero()) == ROUND
    return batch


def torch_counts(model: PreTrainedModel) -> tuple[float, float]:
    """(operations of weights, of attention) in a step; attention is computed whole, without regard to the mask."""
    attention.switch(model, "eager")
    model.set_experts_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        CausalLM(model, torch.float32).loss_sum(batch_of()).backward()
    counts = {str(name): float(count) for name, count in counter.get_flop_counts()["Global"].items()}
    assert set(counts) <= {"aten.mm", "aten.addmm", "aten.bmm"}
    return counts["aten.mm"] + counts.get("aten.addmm", 0.0), counts["aten.bmm"]


def of_weights(work: Work) -> float:
    return work.per_token * 2 * LENGTH + work.per_trained_token * ROUND


def of_whole_attention(work: Work) -> float:
    """Without windows, and with what the mask hides: twice the half that counts."""
    return 2 * sum(cost * pairs(LENGTH, None) for _, cost in work.per_pair) * 2


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in NOT_COMPARED])
def test_full_training_takes_what_torch_counts(name: str) -> None:
    model = tiny(name).requires_grad_(True)
    weights, scores = torch_counts(model)
    work = work_of(CausalLM(model, torch.float32))
    assert of_weights(work) == pytest.approx(weights)
    assert of_whole_attention(work) == scores


def linear(model: torch.nn.Module, layer: int, *names: str) -> Iterator[int]:
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and f"layers.{layer}." in name and name.endswith(names):
            yield module.weight.numel()


def test_full_training_is_6n_and_lora_is_4n() -> None:
    model = tiny("llama").requires_grad_(True)
    matrices = sum(sum(linear(model, layer, "proj")) for layer in (0, 1))
    work = work_of(CausalLM(model, torch.float32))
    assert work.per_token == 6 * matrices
    assert work.per_trained_token == 6 * model.lm_head.weight.numel()
    wrapped = adapters.add_lora(tiny("llama"), LoraSection(r=4, target_modules=["q_proj", "v_proj"]))
    lora = work_of(CausalLM(wrapped.get_base_model(), torch.float32))
    adapter = sum(weight.numel() for weight in wrapped.parameters() if weight.requires_grad)
    first = sum(linear(tiny("llama"), 0, "q_proj"))  # nothing before it is trained
    into_first = 4 * 32  # nor before the first adapter
    assert lora.per_token == 4 * matrices - 2 * first + 6 * adapter - 2 * into_first
    assert lora.per_trained_token == 4 * model.lm_head.weight.numel()


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "v_proj"], ["down_proj"]])
def test_lora_takes_what_torch_counts_but_for_the_first_layer(targets: str | list[str]) -> None:
    wrapped = adapters.add_lora(tiny("llama"), LoraSection(r=4, target_modules=targets, lora_dropout=0.0))
    model = wrapped.get_base_model()
    weights, scores = torch_counts(model)
    work = work_of(CausalLM(model, torch.float32))
    first_layer = sum(linear(tiny("llama"), 0, "proj")) + sum(linear(model, 0, "default"))
    assert weights <= of_weights(work) <= weights + 2 * first_layer * 2 * LENGTH
    assert scores <= of_whole_attention(work) <= scores + BACKWARD


@pytest.mark.parametrize("trained", ["layers.1.", "lm_head", "norm."])
def test_a_frozen_trunk_runs_forward_only(trained: str) -> None:
    model = tiny("llama")
    for name, weight in model.named_parameters():
        weight.requires_grad_(trained in name and ("layers.1" in name or "layers" not in name))
    weights, scores = torch_counts(model)
    work = work_of(CausalLM(model, torch.float32))
    second_layer = 2 * sum(linear(model, 1, "proj")) * 2 * LENGTH
    assert of_weights(work) == pytest.approx(weights, abs=second_layer)
    assert scores <= of_whole_attention(work) <= scores + BACKWARD
    full = work_of(CausalLM(tiny("llama").requires_grad_(True), torch.float32))
    assert of_weights(work) < 0.75 * of_weights(full)


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_beside_adapters_are_trained_through_the_whole_head(tied: bool) -> None:
    base = AutoModelForCausalLM.from_config(CONFIGS["qwen2" if tied else "llama"]()).float()
    vocabulary.add_rows(base, [VOCAB, VOCAB + 1])
    head = (VOCAB + 2) * 32
    model = adapters.add_lora(base, LoraSection(r=4), new_ids=[VOCAB, VOCAB + 1]).get_base_model()
    weights, _ = torch_counts(model)
    work = work_of(CausalLM(model, torch.float32))
    assert work.per_trained_token == 6 * head
    assert of_weights(work) == pytest.approx(weights), "the embeddings come first, so gradients flow everywhere"


def test_kept_outputs_of_frozen_layers_are_work_that_is_not_done(tmp_path: Path) -> None:
    model = train_part(tiny("llama"), FreezeSection(trainable_layers=1), frozen_dtype=torch.float32)
    trunk, batch = trunk_of(model), replace(batch_of(), examples=(0, 1))
    assert trunk is not None
    plain = CausalLM(model, torch.float32)
    form = trunk.form(lambda: plain.loss_sum(batch))
    with closing(TrunkStore(tmp_path, {0: LENGTH, 1: LENGTH}, form=form)) as store:
        kept = CausalLM(model, torch.float32, trunk=KeptTrunk(trunk, form, store))
        flops = flops_of(kept)
        first = flops(batch)
        assert first == flops_of(plain)(batch)
        kept.loss_sum(batch)
        assert store.holds((0, 1))
        again = flops(batch)
    frozen = sum(linear(model, 0, "proj"))
    assert first - again == 2 * frozen * 2 * LENGTH + BACKWARD / 4, "forward only, and half of the square"
    assert flops(replace(batch, examples=())) == first


def test_experts_count_by_their_share_of_the_tokens() -> None:
    """Twice the experts, and each token still goes to two of them: only the router grows."""
    few, many = CONFIGS["mixtral"](), CONFIGS["mixtral"]()
    many.num_local_experts = 2 * few.num_local_experts
    sizes, work = [], []
    for config in (few, many):
        model = AutoModelForCausalLM.from_config(config).requires_grad_(True)
        sizes.append(sum(weight.numel() for weight in model.parameters()))
        work.append(work_of(CausalLM(model, torch.float32)).per_token)
    assert sizes[1] > 1.4 * sizes[0]
    assert work[1] - work[0] == 6 * few.num_hidden_layers * few.num_local_experts * few.hidden_size


@pytest.mark.parametrize("window", [None, 1, 7, 40, 64, 100])
def test_pairs_are_those_under_the_mask(window: int | None) -> None:
    length = 64
    seen = sum(min(at + 1, window or length) for at in range(length))
    assert pairs(length, window) == pytest.approx(seen, abs=length / 2)


def test_windows_are_read_layer_by_layer() -> None:
    work = work_of(CausalLM(tiny("gemma2").requires_grad_(False), torch.float32))
    assert work.per_pair == ((64, 4 * 4 * 8), (None, 4 * 4 * 8)), "one layer each, forward only, four heads of 8"
    short = work_of(CausalLM(tiny("mistral with a short window").requires_grad_(False), torch.float32))
    assert short.per_pair == ((16, 2 * 4 * 4 * 8),)


def test_a_batch_counts_its_rows_and_no_padding() -> None:
    rows = examples([5, 9, 14], vocab=VOCAB, first=3)
    work = work_of(CausalLM(tiny("mistral with a short window").requires_grad_(True), torch.float32))
    padded, packed = padded_batch(rows, pad_id=0), packed_batch(rows, round_to=128)
    assert packed.token_ids_BT.numel() == 128 > padded.token_ids_BT.numel() > 28
    assert work.flops(padded) == work.flops(packed) == sum(work.flops(packed_batch([row])) for row in rows)
    (_, cost), *_ = work.per_pair
    attended = cost * (25 + 81 + 14 * 14) / 2
    assert work.flops(packed) == 28 * work.per_token + 19 * work.per_trained_token + attended
