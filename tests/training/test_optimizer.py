"""Optimizers on fp32 masters: what they do to matrices and to the rest, and that their state survives."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from tutelage.errors import RecipeError
from tutelage.recipe import TrainSection
from tutelage.training.checkpoint import Checkpoints, TrainState, load_optimizer
from tutelage.training.optimizer import Muon, adamw, build_optimizer, refuse_optimizer, set_learning_rate

KINDS = ["adamw", "adamw_8bit", "adafactor", "muon", "sgd"]  # paged_adamw_8bit wants a GPU
LAYER = ("layer.matrix", "layer.norm", "layer.experts")


def some_weights(seed: int = 0) -> dict[str, nn.Parameter]:
    """A vocabulary matrix, a layer's matrix large enough for 8-bit moments, its norm, and experts in one tensor."""
    torch.manual_seed(seed)
    shapes = {"embedding": (50, 8), LAYER[0]: (128, 64), LAYER[1]: (64,), LAYER[2]: (2, 8, 8), "idle": (3,)}
    return {name: nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}


def built(weights: Mapping[str, nn.Parameter], kind: str, **keys: object) -> torch.optim.Optimizer:
    section = TrainSection.model_validate({"optim": kind, "learning_rate": 0.01, **keys})
    return build_optimizer(weights, section, layer_weights=LAYER)


def step(weights: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, number: int) -> None:
    """One step with gradients that follow from its number; `idle` has none."""
    generator = torch.Generator().manual_seed(number)
    for name, weight in weights.items():
        weight.grad = torch.randn(weight.shape, generator=generator) if name != "idle" else None
    set_learning_rate(optimizer, 0.01 / (1 + number))
    optimizer.step()


def test_every_optimizer_of_the_recipe_is_tried() -> None:
    assert {*KINDS, "paged_adamw_8bit"} == set(TrainSection.model_fields["optim"].annotation.__args__)


@pytest.mark.parametrize("kind", KINDS)
def test_only_matrices_decay(kind: str) -> None:
    weights, plain = some_weights(), some_weights()
    for these, decay in ((weights, 0.5), (plain, 0.0)):
        step(these, built(these, kind, weight_decay=decay), 0)
    assert torch.equal(weights[LAYER[1]], plain[LAYER[1]]), "norms do not"
    for name in ("embedding", LAYER[0], LAYER[2]):
        start = some_weights()[name]
        moved = ((weights[name] - plain[name]) / start).detach()
        assert float(moved.median()) == pytest.approx(-0.01 * 0.5, rel=1e-3), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls(kind: str) -> None:
    """A weight matrix finds the one that made the data."""
    torch.manual_seed(1)
    inputs, wanted = torch.randn(256, 64), torch.randn(128, 64)
    weight = nn.Parameter(torch.zeros(128, 64))
    optimizer = built({LAYER[0]: weight}, kind)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (inputs @ (weight - wanted).T).square().mean()
        loss.backward()
        set_learning_rate(optimizer, 0.1 if kind != "sgd" else 5.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_optimizer_goes_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    weights = some_weights()
    optimizer = built(weights, kind)
    for number in range(3):
        step(weights, optimizer, number)
    checkpoints = Checkpoints(tmp_path, keep=1, fingerprint={})
    path = checkpoints.save(TrainState(step=3), lambda _: None, optimizer=optimizer, weights=weights)
    resumed, forgetful = some_weights(seed=1), some_weights(seed=2)
    for others in (resumed, forgetful):
        for name, weight in others.items():
            weight.data.copy_(weights[name].data)
    again = built(resumed, kind)
    load_optimizer(again, resumed, checkpoint=path)
    fresh = built(forgetful, kind)
    for number in range(3, 6):
        step(weights, optimizer, number)
        step(resumed, again, number)
        step(forgetful, fresh, number)
    for name in weights:
        assert torch.equal(weights[name], resumed[name]), name
    assert not torch.equal(weights[LAYER[0]], forgetful[LAYER[0]]), "the state matters"
    kept = {key for weight in again.state.values() for key in weight}
    assert kept == {key for weight in optimizer.state.values() for key in weight} != set()


def test_8_bit_moments_take_a_quarter() -> None:
    sizes = {}
    for kind in ("adamw", "adamw_8bit"):
        weights = some_weights()
        optimizer = built(weights, kind)
        step(weights, optimizer, 0)
        state = optimizer.state[weights[LAYER[0]]]
        moments = [value for key, value in state.items() if key in ("exp_avg", "exp_avg_sq", "state1", "state2")]
        sizes[kind] = sum(one.numel() * one.element_size() for one in moments)
    assert sizes["adamw_8bit"] * 4 == sizes["adamw"] > 0


def test_momentum_can_be_off(tmp_path: Path) -> None:
    weights = some_weights()
    optimizer = built(weights, "sgd", adam_beta1=0.0)
    step(weights, optimizer, 0)
    path = Checkpoints(tmp_path, keep=1, fingerprint={}).save(
        TrainState(step=1), lambda _: None, optimizer=optimizer, weights=weights
    )
    again = built(weights, "sgd", adam_beta1=0.0)
    load_optimizer(again, weights, checkpoint=path)
    before = weights[LAYER[0]].detach().clone()
    step(weights, again, 1)
    torch.testing.assert_close(weights[LAYER[0]], before - 0.005 * weights[LAYER[0]].grad)


def test_muon_takes_the_matrices_of_the_layers() -> None:
    """Its update is near a multiple of an orthogonal matrix; the other weights move as under AdamW."""
    weights, others = some_weights(), some_weights()
    muon, plain = built(weights, "muon"), built(others, "adamw")
    assert isinstance(muon, Muon)
    before = weights[LAYER[0]].detach().clone()
    for these, its in ((weights, muon), (others, plain)):
        step(these, its, 0)
    assert {name for name in weights if torch.equal(weights[name], others[name])} == {
        "embedding",
        LAYER[1],
        LAYER[2],
        "idle",
    }
    values = torch.linalg.svdvals(weights[LAYER[0]].detach() - before)
    assert float(values.max() / values.min()) < 2.5, "all directions move alike"
    rms = float((weights[LAYER[0]].detach() - before).square().mean().sqrt())
    assert rms == pytest.approx(0.2 * 0.01, rel=0.3), "about as far as under AdamW"


def test_muon_without_a_matrix_of_a_layer_is_adamw() -> None:
    weights = {"embedding": nn.Parameter(torch.ones(3, 2))}
    step(weights, built(weights, "muon"), 0)
    assert float((weights["embedding"].detach() - 1).abs().min()) > 0


def test_the_recipe_sets_the_moments() -> None:
    section = TrainSection(adam_beta1=0.8, adam_beta2=0.95)
    for kind, wanted in (("adamw", (0.8, 0.95)), ("adamw_8bit", (0.8, 0.95))):
        optimizer = build_optimizer({"a": nn.Parameter(torch.ones(2))}, section.model_copy(update={"optim": kind}))
        assert [group["betas"] for group in optimizer.param_groups] == [wanted]
    for kind in ("muon", "sgd"):
        optimizer = built({LAYER[0]: nn.Parameter(torch.ones(2, 2))}, kind, adam_beta1=0.8)
        assert [group["momentum"] for group in optimizer.param_groups] == [0.8]
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]


def test_masters_are_fp32() -> None:
    with pytest.raises(AssertionError, match="fp32 masters"):
        adamw({"a": nn.Parameter(torch.ones(2, dtype=torch.bfloat16))}, TrainSection())


def test_small_updates_are_kept() -> None:
    """An update of 1e-5 of the weight is lost in bf16; the master keeps a thousand of them."""
    weight = nn.Parameter(torch.ones(1, 1))
    optimizer = adamw({"a": weight}, TrainSection(learning_rate=1e-5))
    for _ in range(1000):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert weight.item() == pytest.approx(0.99, abs=1e-4)


def test_what_the_machine_cannot_do_is_refused_with_what_it_can() -> None:
    paged = TrainSection(optim="paged_adamw_8bit")
    with pytest.raises(RecipeError, match=r"computes on cpu[\s\S]*a CUDA GPU[\s\S]*adamw_8bit has the same moments"):
        refuse_optimizer(paged, torch.device("cpu"))
    refuse_optimizer(paged, torch.device("cuda"))
    for kind in KINDS:
        refuse_optimizer(TrainSection.model_validate({"optim": kind}), torch.device("cpu"))
