"""The fused loss against torch's own cross entropy, written out on whole logits."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from tutelage import loss
from tutelage.loss import CROSS_ENTROPY, Head, Objective, loss_sum, losses, token_losses, trained_positions

N, D, V = 70, 12, 33
HEADS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": True},
    "scale": {"scale": 0.3},
    "softcap": {"softcap": 1.5},
    "everything": {"bias": True, "scale": 2.0, "softcap": 2.5},
}


@pytest.fixture(params=[16, 32, 10_000], ids=["16 a chunk", "32 a chunk", "one chunk"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Positions in a chunk; 70 positions make 5, 3 and 1 of them."""
    monkeypatch.setattr(loss, "CHUNK", request.param * V)
    return int(request.param)


def given(kind: str, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Head]:
    """Hidden states, targets, weights and a head, all leaves that want gradients."""
    torch.manual_seed(0)
    settings = dict(HEADS[kind])
    bias_V = torch.randn(V).requires_grad_() if settings.pop("bias", False) else None
    hidden_ND = torch.randn(N, D).to(dtype).requires_grad_()
    weight_VD = torch.randn(V, D).requires_grad_()
    weights_N = torch.rand(N) * 2 + 0.1
    return hidden_ND, torch.randint(V, (N,)), weights_N, Head(weight_VD, bias_V, **settings)


OBJECTIVES = {
    "cross entropy": CROSS_ENTROPY,
    "smoothed": Objective(label_smoothing=0.2),
    "dft": Objective(dft=True),
    "smoothed dft": Objective(label_smoothing=0.2, dft=True),
}


def by_definition(logits_NV: torch.Tensor, targets_N: torch.Tensor, objective: Objective) -> torch.Tensor:
    """The loss of each token, as the formulas are written."""
    logs_NV = logits_NV.log_softmax(-1)
    own_N = logs_NV[torch.arange(len(targets_N)), targets_N]
    share = objective.label_smoothing
    losses_N = -(1 - share) * own_N - share * logs_NV.mean(-1)
    return losses_N * own_N.exp().detach() if objective.dft else losses_N


def by_torch(
    hidden_ND: torch.Tensor,
    targets_N: torch.Tensor,
    weights_N: torch.Tensor,
    head: Head,
    objective: Objective = CROSS_ENTROPY,
) -> torch.Tensor:
    logits_NV = hidden_ND.float() @ head.weight_VD.T
    logits_NV = head.scale * (logits_NV if head.bias_V is None else logits_NV + head.bias_V)
    if head.softcap is not None:
        logits_NV = head.softcap * torch.tanh(logits_NV / head.softcap)
    if objective != CROSS_ENTROPY:
        return (by_definition(logits_NV, targets_N, objective) * weights_N).sum()
    return (cross_entropy(logits_NV, targets_N, reduction="none") * weights_N).sum()


def leaves(hidden_ND: torch.Tensor, head: Head) -> list[torch.Tensor]:
    return [leaf for leaf in (hidden_ND, head.weight_VD, head.bias_V) if leaf is not None]


def gradients(total: torch.Tensor, wanted: list[torch.Tensor]) -> list[torch.Tensor]:
    """What backward leaves in `.grad`."""
    total.backward()
    return [leaf.grad for leaf in wanted if leaf.grad is not None]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("kind", list(HEADS))
def test_value_and_gradients_are_those_of_the_formula(kind: str, objective: str, chunk: int) -> None:
    hidden_ND, targets_N, weights_N, head = given(kind)
    what = OBJECTIVES[objective]
    found = loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head, objective=what)
    expected = by_torch(hidden_ND, targets_N, weights_N, head, what)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert math.isfinite(found.item())
    wanted = leaves(hidden_ND, head)
    ours, theirs = gradients(found * 0.7, wanted), torch.autograd.grad(expected * 0.7, wanted)
    assert len(ours) == 2 + (head.bias_V is not None)
    for one, other in zip(ours, theirs, strict=True):
        assert float(other.abs().max()) > (0.001 if what.dft else 0.01)  # dft: times the probability
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "everything"])
def test_bf16_stays_near_fp32(kind: str, chunk: int) -> None:
    hidden_ND, targets_N, weights_N, head = given(kind, torch.bfloat16)
    found = loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head)
    expected = by_torch(hidden_ND, targets_N, weights_N, head)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=2e-2)
    wanted = leaves(hidden_ND, head)
    for one, other in zip(gradients(found, wanted), torch.autograd.grad(expected, wanted), strict=True):
        assert one.dtype == other.dtype
        assert float((one - other).norm() / other.norm()) < 3e-2


def test_a_frozen_head_gets_no_gradient(chunk: int) -> None:
    hidden_ND, targets_N, weights_N, head = given("bias")
    frozen = Head(head.weight_VD.detach(), head.bias_V.detach() if head.bias_V is not None else None)
    expected = by_torch(hidden_ND, targets_N, weights_N, head)
    loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=frozen).backward()
    assert frozen.weight_VD.grad is None
    torch.testing.assert_close(hidden_ND.grad, torch.autograd.grad(expected, hidden_ND)[0], rtol=1e-4, atol=1e-5)


def test_a_tied_weight_gets_both_of_its_gradients() -> None:
    """The output head is the embedding as well: its gradient is the sum of both uses."""
    _, targets_N, weights_N, head = given("plain")
    ids_N = torch.arange(N) % V
    tied = head.weight_VD
    (found,) = gradients(loss_sum(tied[ids_N], targets_N, weights_N=weights_N, head=head), [tied])
    expected = torch.autograd.grad(by_torch(tied[ids_N], targets_N, weights_N, head), tied)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_several_batches_add_up(chunk: int) -> None:
    """Also when both are on their way forward before one goes back; and a weight made of others gets the same."""
    hidden_ND, targets_N, weights_N, head = given("plain")
    (once,) = gradients(loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head), [head.weight_VD])
    once = once.clone()
    factors = torch.tensor([[2.0], [0.5]]).expand(2, V)
    first, second = (loss_sum(hidden_ND, targets_N, weights_N=factor[0] * weights_N, head=head) for factor in factors)
    first.backward()
    second.backward()
    torch.testing.assert_close(head.weight_VD.grad, 3.5 * once)
    made = Head(head.weight_VD * 1.0)
    (again,) = torch.autograd.grad(loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=made), head.weight_VD)
    torch.testing.assert_close(again, once)


class Largest(TorchDispatchMode):
    """Notes the largest tensor with a column per vocabulary entry that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(one, torch.Tensor) and one.dim() == 2 and one.shape[1] == V:
                self.rows.append(one.shape[0])
        return made


def test_logits_of_all_positions_never_stand_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CHUNK", 16 * V)
    hidden_ND, targets_N, weights_N, head = given("softcap")
    with Largest() as seen:
        loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head).backward()
    rows = [count for count in seen.rows if count != D]  # the head's own transpose is (D, V)
    assert set(rows) == {16}
    with Largest() as seen:
        by_torch(hidden_ND, targets_N, weights_N, head).backward()
    assert N in seen.rows, "the instrument sees whole logits where there are some"


def test_extreme_logits_stay_finite() -> None:
    hidden_ND = torch.tensor([[200.0, 0.0], [0.0, -300.0]], requires_grad=True)
    head = Head(torch.eye(2, requires_grad=True))
    found = loss_sum(hidden_ND, torch.tensor([1, 1]), weights_N=torch.ones(2), head=head)
    assert found.item() == pytest.approx(200 + 300)
    found.backward()
    torch.testing.assert_close(hidden_ND.grad, torch.tensor([[1.0, -1.0], [1.0, -1.0]]))


def test_without_gradients_only_the_value_is_made() -> None:
    hidden_ND, targets_N, weights_N, head = given("plain")
    with torch.no_grad():
        found = loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head)
    assert not found.requires_grad
    assert found.item() == pytest.approx(by_torch(hidden_ND, targets_N, weights_N, head).item(), rel=1e-6)


def test_no_trained_position_is_no_loss() -> None:
    hidden_ND, targets_N, weights_N, head = given("plain")
    found = loss_sum(hidden_ND[:0], targets_N[:0], weights_N=weights_N[:0], head=head)
    found.backward()
    assert found.item() == 0
    assert float(head.weight_VD.grad.abs().sum()) == 0


def test_trained_positions_are_those_with_weight_in_order() -> None:
    hidden_BTD = torch.arange(2 * 3 * 2).reshape(2, 3, 2).float()
    weights_BT = torch.tensor([[0.0, 0.5, 0.0], [2.0, 0.0, 1.0]])
    found = trained_positions(hidden_BTD, weights_BT)
    assert found.tolist() == [hidden_BTD[0, 1].tolist(), hidden_BTD[1, 0].tolist(), hidden_BTD[1, 2].tolist()]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_whole_logits_give_the_same_losses(objective: str) -> None:
    torch.manual_seed(3)
    logits_NV, targets_N = torch.randn(N, V, requires_grad=True), torch.randint(V, (N,))
    found = token_losses(logits_NV, targets_N, objective=OBJECTIVES[objective])
    expected = by_definition(logits_NV, targets_N, OBJECTIVES[objective])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(one.sum(), logits_NV)[0] for one in (found, expected)))


def test_dft_pulls_by_probability() -> None:
    """Its gradient by the logits is p * (softmax - onehot): next to nothing where the model knows better."""
    logits_NV = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]], requires_grad=True)
    losses_N = token_losses(logits_NV, torch.tensor([0, 0]), objective=Objective(dft=True))
    (grad_NV,) = torch.autograd.grad(losses_N.sum(), logits_NV)
    probabilities_NV = logits_NV.detach().softmax(-1)
    onehot_NV = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    torch.testing.assert_close(grad_NV, probabilities_NV[:, :1] * (probabilities_NV - onehot_NV))
    plain_N = token_losses(logits_NV, torch.tensor([0, 0]), objective=CROSS_ENTROPY)
    (plain_NV,) = torch.autograd.grad(plain_N.sum(), logits_NV)
    assert float(grad_NV[1].norm()) < 0.05 * float(plain_NV[1].norm())


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("kind", list(HEADS))
def test_each_position_tells_what_it_adds(kind: str, objective: str, chunk: int) -> None:
    hidden_ND, targets_N, weights_N, head = given(kind)
    what = OBJECTIVES[objective]
    total, losses_N = losses(hidden_ND, targets_N, weights_N=weights_N, head=head, objective=what)
    assert losses_N.shape == (N,)
    assert not losses_N.requires_grad
    for at in range(0, N, 7):
        one = slice(at, at + 1)
        alone = by_torch(hidden_ND[one], targets_N[one], weights_N[one], head, what)
        assert losses_N[at].item() == pytest.approx(alone.item(), rel=1e-4)
    assert losses_N.sum().item() == pytest.approx(total.item(), rel=1e-6)


def test_the_losses_differ() -> None:
    hidden_ND, targets_N, weights_N, head = given("plain")
    totals = {
        float(loss_sum(hidden_ND, targets_N, weights_N=weights_N, head=head, objective=one).detach())
        for one in OBJECTIVES.values()
    }
    assert len(totals) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("kind", list(HEADS))
def test_compiled_it_is_the_same(kind: str, objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CHUNK", 16 * V)
    found = []
    for compiler in (None, "aot_eager"):  # aot_eager rewrites what works in place, and generates no code
        hidden_ND, targets_N, weights_N, head = given(kind)
        total = loss_sum(
            hidden_ND, targets_N, weights_N=weights_N, head=head, objective=OBJECTIVES[objective], compiler=compiler
        )
        total.backward()
        found.append([total.detach(), *(leaf.grad for leaf in leaves(hidden_ND, head))])
    torch.compiler.reset()
    for plain, compiled in zip(*found, strict=True):
        assert plain is not None
        assert float(plain.abs().max()) > 0
        torch.testing.assert_close(compiled, plain, rtol=1e-5, atol=1e-6)
