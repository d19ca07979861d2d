"""Compiled layers: the same loss and gradients, nothing compiled anew for the rows of another batch."""

from collections.abc import Iterator

import pytest
import torch

from tests.architectures import VOCAB, tiny
from tests.small import examples, gap, gradients
from tutelage.errors import RecipeError
from tutelage.model import attention
from tutelage.model.causal_lm import CausalLM
from tutelage.model.compiling import compiled, refuse_to_compile
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch


@pytest.fixture
def language_model() -> Iterator[CausalLM]:
    model = tiny("llama").requires_grad_(True)
    attention.switch(model, attention.NAME)
    yield CausalLM(model, torch.float32)
    attention.switch(model, attention.NAME)  # the attention that the compiler is kept out of is registered for all
    torch.compiler.reset()


def results(language_model: CausalLM, batch: Batch) -> tuple[float, torch.Tensor]:
    language_model.model.zero_grad()
    loss = language_model.loss_sum(batch)
    loss.backward()
    return float(loss.detach()), gradients(language_model.model)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_results_and_names_stay_and_other_rows_need_no_new_program(language_model: CausalLM) -> None:
    model = language_model.model.train()
    names = list(model.state_dict())
    batches = [packed_batch(examples(lengths, vocab=VOCAB)) for lengths in ((40, 17), (30, 21, 9), (11, 5, 3, 2))]
    expected = [results(language_model, batch) for batch in batches]
    weights = [weight.detach().clone() for weight in model.parameters()]
    model.eval()
    with torch.no_grad():
        held_out = float(language_model.loss_sum(batches[2]))
    torch._dynamo.utils.counters.clear()
    language_model, seconds = compiled(language_model, batches[:2], backend="eager")
    assert seconds > 0
    assert not model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(weights, model.parameters(), strict=True))
    assert list(model.state_dict()) == names
    programs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert programs > 0
    with torch.no_grad():
        assert float(language_model.loss_sum(batches[2])) == pytest.approx(held_out, rel=1e-6)
    model.train()
    for batch, (loss, wanted) in zip(batches, expected, strict=True):
        found, gradient = results(language_model, batch)
        assert found == pytest.approx(loss, rel=1e-6)
        assert gap(gradient, wanted) < 1e-5
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == programs


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RecipeError, match=r"needs a C\+\+ compiler[\s\S]*install g\+\+"):
        refuse_to_compile()
    compiler = tmp_path / "my-compiler"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", str(compiler))
    refuse_to_compile()
