"""Training a part of a model: which weights, in which precision, and that the rest really rests."""

from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from tests.architectures import CONFIGS, tiny
from tests.small import examples
from tutelage.errors import ModelError
from tutelage.model.causal_lm import CausalLM
from tutelage.model.freezing import give_back_frozen, stack_of, train_part, trunk_depth
from tutelage.model.layers import layers_of
from tutelage.model.loading import load_model
from tutelage.recipe import FreezeSection, ModelSection
from tutelage.tokens.batches import packed_batch


def part(model: PreTrainedModel, dtype: torch.dtype = torch.float32, *, new: bool = False, **keys: object):
    return train_part(model, FreezeSection.model_validate(keys), frozen_dtype=dtype, has_new_tokens=new)


def trained(model: PreTrainedModel) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_last_layer_and_the_norm_behind_it_are_found_in_every_architecture(name: str) -> None:
    model = part(tiny(name), trainable_layers=1)
    found = trained(model)
    layers = {weight for weight in found if ".1." in weight}
    assert layers == {weight for weight, _ in model.named_parameters() if ".1." in weight}
    norms = found - layers
    assert norms
    assert all("norm" in weight or "ln_f" in weight for weight in norms)
    assert not [weight for weight in found if ".0." in weight or "emb" in weight or "wte" in weight]
    _, list_of_layers = layers_of(model)
    assert trunk_depth(list_of_layers) == 1


def test_trained_weights_are_fp32_and_frozen_ones_are_not() -> None:
    model = part(tiny("llama"), torch.bfloat16, trainable_layers=1)
    dtypes = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert dtypes == {True: torch.float32, False: torch.bfloat16}


def test_patterns_train_besides_and_tied_weights_go_by_each_name() -> None:
    model = part(tiny("llama"), trainable_layers=0, trainable_modules=("*.0.self_attn.q_proj.*", "lm_head.*"))
    assert trained(model) == {"model.layers.0.self_attn.q_proj.weight", "lm_head.weight"}
    _, layers = layers_of(model)
    assert trunk_depth(layers) == 0, "the first layer holds a trained weight"
    tied = tiny("qwen2")
    assert "lm_head.weight" not in dict(tied.named_parameters())
    assert trained(part(tied, trainable_layers=0, trainable_modules=("lm_head.*",))) == {"model.embed_tokens.weight"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"trainable_modules": ("lm_haed.*",)}, r"'lm_haed\.\*'[\s\S]*model\.layers\.\*\.mlp\.up_proj\.weight"),
        ({"trainable_layers": 3}, r"is 3, the model has 2 layers[\s\S]*at most 2"),
        ({"trainable_layers": 0}, "nothing would be trained"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        part(tiny("llama"), **keys)


def test_new_tokens_need_trained_embeddings() -> None:
    with pytest.raises(ModelError, match=r"model\.embed_tokens\.weight, lm_head\.weight[\s\S]*trainable_modules"):
        part(tiny("llama"), new=True, trainable_layers=1)
    both = ("model.embed_tokens.weight", "lm_head.weight")
    assert trained(part(tiny("llama"), new=True, trainable_layers=0, trainable_modules=both)) == set(both)


def test_a_model_without_a_list_of_layers_is_refused() -> None:
    model = tiny("llama")
    model.config.num_hidden_layers = 7
    with pytest.raises(ModelError, match="no list of 7 layers"):
        part(model, trainable_layers=1)


def test_no_gradient_reaches_the_trunk_and_no_graph_is_built_there() -> None:
    model = part(tiny("llama"), trainable_layers=1)
    outputs: list[torch.Tensor] = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    CausalLM(model, torch.float32).loss_sum(packed_batch(examples((9, 12)))).backward()
    assert [output.requires_grad for output in outputs] == [False, True]
    assert {name for name, weight in model.named_parameters() if weight.grad is not None} == trained(model)


def test_dropout_is_off_in_the_trunk_and_on_behind_it() -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 100, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
    config = GPT2Config(**sizes, embd_pdrop=0.4, resid_pdrop=0.4, attn_pdrop=0.4, bos_token_id=1, eos_token_id=2)
    model = part(GPT2LMHeadModel(config), trainable_layers=1).train()
    outputs: list[torch.Tensor] = []
    for layer in stack_of(model).layers:
        layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    model.train()
    ids = torch.arange(4, 20)[None]
    for _ in range(2):
        model(input_ids=ids)
    assert torch.equal(outputs[0], outputs[3])
    assert torch.equal(outputs[1], outputs[4])
    assert not torch.equal(outputs[2], outputs[5])


def test_frozen_weights_are_given_back_as_the_base_has_them(tiny_model: Path) -> None:
    section = ModelSection(name_or_path=str(tiny_model))
    base = dict(load_model(section, dtype=torch.float32).named_parameters())
    model = part(load_model(section, dtype=torch.float32), torch.bfloat16, trainable_layers=1)
    short = {name for name, weight in model.named_parameters() if not torch.equal(weight.float(), base[name])}
    assert short, "bf16 holds fewer bits than the base"
    with torch.no_grad():
        model.model.norm.weight += 1
    give_back_frozen(model, section, dtype=torch.float32)
    differing = {name for name, weight in model.named_parameters() if not torch.equal(weight, base[name])}
    assert differing == {"model.norm.weight"}
