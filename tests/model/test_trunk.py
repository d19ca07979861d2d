"""Outputs of frozen layers: what is kept comes back bit for bit, and a model runs on it as on its own trunk."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.architectures import CONFIGS, tiny
from tests.small import examples, gradients
from tutelage.errors import TrainingError
from tutelage.model import attention
from tutelage.model.causal_lm import CausalLM, head_of
from tutelage.model.freezing import train_part
from tutelage.model.layers import layers_of
from tutelage.model.trunk import HIDDEN, SUMS, Form, KeptTrunk, TrunkStore, forget, is_there, row_places, trunk_of
from tutelage.recipe import FreezeSection
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch, padded_batch

LENGTHS = (9, 5, 13)
FORM = Form(4, torch.bfloat16, 0)
NUMBERS = (3, 0, 7)  # of the examples in the token store


def batch_of(form: str, numbers: tuple[int, ...] = NUMBERS) -> Batch:
    rows = examples(LENGTHS)[: len(numbers)]
    made = packed_batch(rows, round_to=16) if form == "packed" else padded_batch(rows, pad_id=0)
    return replace(made, examples=numbers)


def store_in(folder: Path, form: Form = FORM) -> TrunkStore:
    return TrunkStore(folder, dict(zip(NUMBERS, LENGTHS, strict=True)), form=form)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrunkStore]:
    with closing(store_in(tmp_path)) as opened:
        yield opened


def hidden_for(batch: Batch) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(*batch.token_ids_BT.shape, 4).bfloat16()


@pytest.mark.parametrize("form", ["packed", "padded"])
def test_rows_come_back_in_either_form_of_batch(store: TrunkStore, form: str) -> None:
    batch = batch_of(form)
    hidden_BTD = hidden_for(batch)
    assert not store.holds(NUMBERS)
    kept_BTD = store.exchange(batch, hidden_BTD)
    assert store.holds(NUMBERS)
    for place in row_places(batch):
        assert torch.equal(kept_BTD[place], hidden_BTD[place])
    assert int(kept_BTD.abs().sum(-1).count_nonzero()) == sum(LENGTHS), "zeros at padding"
    other = batch_of("padded" if form == "packed" else "packed")
    again = store.read(other, device=torch.device("cpu"))
    pairs = zip(row_places(batch), row_places(other), strict=True)
    assert all(torch.equal(hidden_BTD[one], again[two]) for one, two in pairs)


def test_what_is_kept_first_stays(store: TrunkStore) -> None:
    """Else a resumed run, which finds more rows kept, would see other numbers than an unbroken one."""
    first = batch_of("padded", NUMBERS[:1])
    store.exchange(first, hidden_for(first))
    batch = batch_of("padded")
    returned = store.exchange(batch, hidden_for(batch) + 1)
    assert torch.equal(returned[0, : LENGTHS[0]], hidden_for(first)[0])
    assert torch.equal(returned[2], (hidden_for(batch) + 1)[2])


def test_a_store_is_taken_up_again_without_what_is_damaged(tmp_path: Path) -> None:
    batch = batch_of("packed")
    with closing(store_in(tmp_path)) as store:
        wanted = store.exchange(batch, hidden_for(batch))
    with (tmp_path / HIDDEN).open("r+b") as file:  # example 0 comes first
        file.seek(2)
        file.write(b"\x01\x02")
    with closing(store_in(tmp_path)) as store:
        assert [store.holds([number]) for number in NUMBERS] == [True, False, True]
        assert torch.equal(store.exchange(batch, hidden_for(batch)), wanted)


def test_files_of_another_size_are_begun_anew(tmp_path: Path) -> None:
    batch = batch_of("packed")
    with closing(store_in(tmp_path)) as store:
        store.exchange(batch, hidden_for(batch))
    with closing(store_in(tmp_path, Form(8, torch.bfloat16, 0))) as store:
        assert not any(store.holds([number]) for number in NUMBERS)
    assert is_there(tmp_path)
    assert (tmp_path / HIDDEN).stat().st_size == sum(LENGTHS) * 16
    forget(tmp_path)
    assert not is_there(tmp_path)
    assert not (tmp_path / SUMS).exists()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    batch = batch_of("packed")
    with closing(store_in(tmp_path)) as store:
        store._writer.close()
        store._writer = full.open("r+b", buffering=0)
        with pytest.raises(TrainingError, match=r"trunk\.hidden: the outputs.*No space left[\s\S]*--resume"):
            store.exchange(batch, hidden_for(batch))
        assert not store.holds(NUMBERS[:1])


def language_model_of(name: str) -> CausalLM:
    model = train_part(tiny(name), FreezeSection(trainable_layers=1), frozen_dtype=torch.float32)
    if attention.supported_by(model) and name != "llama4":
        attention.switch(model, attention.NAME)
    return CausalLM(model, torch.float32, fused_head=head_of(model) is not None)


@contextmanager
def kept_in(folder: Path, language_model: CausalLM, batch: Batch) -> Iterator[CausalLM]:
    trunk = trunk_of(language_model.model)
    assert trunk is not None
    form = trunk.form(lambda: language_model.loss_sum(batch))
    assert form.width == 32
    with closing(store_in(folder, form)) as store:
        yield replace(language_model, trunk=KeptTrunk(trunk, form, store))


def loss_and_gradients(language_model: CausalLM, batch: Batch) -> tuple[float, torch.Tensor]:
    language_model.model.zero_grad()
    loss = language_model.loss_sum(batch)
    loss.backward()
    return float(loss.detach()), gradients(language_model.model)


@pytest.mark.parametrize("form", ["packed", "padded"])
@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_model_runs_on_what_is_kept_as_on_its_own_trunk(tmp_path: Path, name: str, form: str) -> None:
    language_model, batch = language_model_of(name), batch_of(form)
    calls: list[nn.Module] = []
    loss, wanted = loss_and_gradients(language_model, batch)
    assert wanted.count_nonzero() > 100
    with kept_in(tmp_path, language_model, batch) as kept:
        layers_of(kept.model)[1][0].register_forward_hook(lambda module, *_: calls.append(module))
        first_loss, first = loss_and_gradients(kept, batch)
        assert len(calls) == 1, "the trunk is computed, to be kept"
        again_loss, again = loss_and_gradients(kept, batch)
        assert len(calls) == 1, "and never again"
    assert (again_loss, True) == (first_loss, torch.equal(again, first)), "bit for bit"
    assert first_loss == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(first, wanted, rtol=1e-4, atol=1e-5)


def test_deeper_trunks_are_passed_through_and_put_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = CONFIGS["gemma2"]()
    config.num_hidden_layers, config.layer_types = 4, ["sliding_attention", "full_attention"] * 2
    model = type(tiny("gemma2"))(config).eval()
    train_part(model, FreezeSection(trainable_layers=1), frozen_dtype=torch.float32)
    language_model, batch = CausalLM(model, torch.float32), batch_of("padded")
    own = list(model.model.layers)
    with kept_in(tmp_path, language_model, batch) as kept:
        assert kept.trunk is not None
        assert kept.trunk.trunk.depth == 3
        full = kept.hidden(batch)
        with kept.trunk.running(batch):
            there = list(model.model.layers)
            assert [one is other for one, other in zip(there, own, strict=True)] == [False, False, False, True]
            assert there[1].self_attn is own[1].self_attn, "attributes are the layer's"
        assert list(model.model.layers) == own
        with torch.no_grad():
            own[1].mlp.down_proj.weight.zero_()
        assert torch.equal(kept.hidden(batch), full), "no layer of the trunk runs"
        assert not torch.equal(kept.hidden(replace(batch, examples=())), full), "rows from elsewhere are computed"


@pytest.mark.parametrize(
    ("keys", "depth"),
    [
        ({"trainable_layers": 1}, 1),
        ({"trainable_layers": 0, "trainable_modules": ("lm_head.*",)}, 2),
        ({"trainable_layers": 2}, None),
        ({"trainable_layers": 1, "trainable_modules": ("*embed_tokens*",)}, None),
        ({"trainable_layers": 1, "trainable_modules": ("*.0.mlp.*",)}, None),
    ],
)
def test_a_trunk_is_what_cannot_change(keys: dict[str, object], depth: int | None) -> None:
    model = train_part(tiny("llama"), FreezeSection.model_validate(keys), frozen_dtype=torch.float32)
    trunk = trunk_of(model)
    assert (None if trunk is None else trunk.depth) == depth
