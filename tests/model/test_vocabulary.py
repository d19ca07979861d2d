"""New tokens: one id each, rows that start as the mean of the others, trained, saved, and loaded again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.small import Listening, examples, gap, gradients, questions
from tutelage.errors import ModelError, RecipeError
from tutelage.model import restoring, saving, vocabulary
from tutelage.model.adapters import add_lora
from tutelage.model.causal_lm import CausalLM, head_agrees
from tutelage.model.loading import load_config, load_model, load_tokenizer
from tutelage.recipe import LoraSection, ModelSection, Recipe
from tutelage.records import Example
from tutelage.run.training import train
from tutelage.tokens.batches import packed_batch

NEW = ("<|call|>", "<|回|>")
IDS = (420, 421)


def section(folder: Path | str) -> ModelSection:
    return ModelSection(name_or_path=str(folder))


def loaded(folder: Path | str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    return load_model(section(folder), dtype=dtype)


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def base(request, tiny_model: Path, tmp_path: Path) -> Path:
    """`tiny_model`, with head and embeddings apart or in one."""
    folder = shutil.copytree(tiny_model, tmp_path / "base")
    if request.param:
        torch.manual_seed(3)
        LlamaForCausalLM(LlamaConfig.from_pretrained(folder, tie_word_embeddings=True)).save_pretrained(folder)
    return folder


def test_each_text_becomes_one_special_token(tiny_model: Path) -> None:
    plain, facts = load_tokenizer(section(tiny_model)), load_tokenizer(section(tiny_model), new_tokens=NEW)
    assert (plain.new_ids, facts.new_ids) == ((), IDS)
    assert set(NEW) <= facts.control_tokens
    assert facts.digest_source != plain.digest_source
    text = "A cat<|call|>sleeps<|回|>."
    ids = facts.backend.encode(text).ids
    assert [number for number in ids if number >= 420] == list(IDS)
    assert facts.backend.decode(ids, skip_special_tokens=False) == text
    assert max(plain.backend.encode(text).ids) < 420


@pytest.mark.shared
@pytest.mark.parametrize("name", ["qwen3", "mistral"])
def test_tokenizers_of_real_models_take_new_tokens(shared: Path, name: str) -> None:
    """Byte-level and SentencePiece vocabularies: one id each, nothing around them is lost."""
    folder = section(shared / "tokenizers" / name)
    size = load_tokenizer(folder).backend.get_vocab_size()
    facts = load_tokenizer(folder, new_tokens=NEW)
    assert facts.new_ids == (size, size + 1)
    text = "A cat<|call|> sleeps.<|回|>\n猫"
    ids = facts.backend.encode(text, add_special_tokens=False).ids
    assert [number for number in ids if number >= size] == list(facts.new_ids)
    assert facts.backend.decode(ids, skip_special_tokens=False) == text
    with pytest.raises(RecipeError, match="is a token already"):
        load_tokenizer(folder, new_tokens=(" the",))


REFUSED = {
    "": "is empty",
    "  ": "is empty",
    "<|im_end|>": "is a token already, with the id 3",
    " cat": "is a token already",
    "!": "is a token already",
    "<|call|>": "is named twice",
}


@pytest.mark.parametrize("text", list(REFUSED))
def test_texts_that_cannot_become_tokens_are_refused(tiny_model: Path, text: str) -> None:
    assert load_tokenizer(section(tiny_model), new_tokens=NEW).backend.get_vocab_size() == 422
    with pytest.raises(RecipeError, match=rf"tokens\.new_tokens[\s\S]*{REFUSED[text]}"):
        load_tokenizer(section(tiny_model), new_tokens=(*NEW, text))


@pytest.mark.parametrize("ids", [IDS, (419, 420), (417,)])
def test_new_rows_are_the_mean_of_those_before(base: Path, ids: tuple[int, ...]) -> None:
    """Also where the model has spare rows: `ids` may lie within its embeddings."""
    before, model = loaded(base), loaded(base)
    vocabulary.add_rows(model, ids)
    for old, new in (
        (before.get_input_embeddings(), model.get_input_embeddings()),
        (before.get_output_embeddings(), model.get_output_embeddings()),
    ):
        assert new.weight.shape[0] == max(420, max(ids) + 1) == model.config.vocab_size
        torch.testing.assert_close(new.weight[: ids[0]], old.weight[: ids[0]])
        for number in ids:
            torch.testing.assert_close(new.weight[number], old.weight[: ids[0]].mean(0))
    tied = before.get_input_embeddings().weight is before.get_output_embeddings().weight
    assert tied == model.config.tie_word_embeddings
    assert tied == (model.get_input_embeddings().weight is model.get_output_embeddings().weight)


def test_no_new_tokens_change_nothing(tiny_model: Path) -> None:
    model = loaded(tiny_model)
    vocabulary.add_rows(model, ())
    assert vocabulary.trained_rows(model, ()) is None
    same = zip(model.parameters(), loaded(tiny_model).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)


def test_beside_adapters_only_the_new_rows_are_trained(base: Path, tmp_path: Path) -> None:
    """The head stays fused; gradients are those of the model's own logits; what is saved is what was trained."""
    model = loaded(base)
    vocabulary.add_rows(model, IDS)
    wrapped = add_lora(model, LoraSection(r=3), base=str(base), new_ids=IDS)
    rows = {name: weight for name, weight in wrapped.named_parameters() if weight.requires_grad and "lora_" not in name}
    assert len(rows) == (1 if model.config.tie_word_embeddings else 2)
    assert {tuple(weight.shape) for weight in rows.values()} == {(2, 32)}
    shake(wrapped)
    fused, own = (CausalLM(wrapped.get_base_model(), torch.float32, fused) for fused in (True, False))
    batch = packed_batch([*examples((20, 9)), written((5, 420, 7, 421, 421, 9))])
    assert head_agrees(fused, batch)
    found = [gradient_of(language_model, batch) for language_model in (fused, own)]
    assert gap(*found) < 1e-5
    assert all(weight.grad is not None and float(weight.grad.norm()) > 0 for weight in rows.values())
    saving.save_model(wrapped, tmp_path / "adapter", stop_ids=[3])
    again = loaded(tmp_path / "adapter")
    assert load_config(section(tmp_path / "adapter")).vocab_size == again.config.vocab_size == 422
    with torch.no_grad():
        found, expected = again(batch.token_ids_BT).logits, wrapped.eval()(batch.token_ids_BT).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    frozen = wrapped.get_base_model().get_input_embeddings().original_module.weight
    assert torch.equal(frozen[:420], loaded(base).get_input_embeddings().weight)


def shake(model: torch.nn.Module) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)


def written(ids: tuple[int, ...]) -> Example:
    tensor = torch.tensor(ids, dtype=torch.int32)
    return Example(9, tensor.numpy(), torch.ones(len(ids)).numpy())


def gradient_of(language_model: CausalLM, batch: object) -> torch.Tensor:
    language_model.model.zero_grad()
    language_model.loss_sum(batch).backward()
    return gradients(language_model.model)


def test_a_head_with_a_bias_is_refused_beside_adapters(tiny_model: Path) -> None:
    model = loaded(tiny_model)
    model.lm_head.bias = torch.nn.Parameter(torch.arange(420.0))
    with pytest.raises(ModelError, match=r"output head has a bias[\s\S]*train\.method=full"):
        vocabulary.trained_rows(model, IDS)
    vocabulary.add_rows(model, IDS)
    torch.testing.assert_close(model.lm_head.bias[420:], torch.full((2,), 209.5))


def test_rows_of_an_adapter_are_read_from_its_configuration() -> None:
    assert vocabulary.rows_of_adapter({"trainable_token_indices": {"a": [7, 5], "b": [5, 9]}}) == [5, 7, 9]
    assert vocabulary.rows_of_adapter({"trainable_token_indices": [3, 1]}) == [1, 3]
    assert vocabulary.rows_of_adapter({"trainable_token_indices": None}) == vocabulary.rows_of_adapter({}) == []


@pytest.fixture
def template(tmp_path: Path) -> str:
    """A template that writes the new tokens."""
    file = tmp_path / "call.jinja"
    file.write_text(
        "{%- for message in messages -%}<|call|>{{ message.role }}\n{{ message.content }}<|回|>\n{%- endfor -%}"
        "{%- if add_generation_prompt -%}<|call|>assistant\n{%- endif -%}",
        encoding="utf-8",
    )
    return str(file)


@pytest.fixture
def run(make_recipe, base: Path, template: str, tmp_path: Path):
    def make(method: str, **keys: object) -> Recipe:
        return make_recipe(
            questions(12),
            model={"name_or_path": str(base)},
            template={"name": template},
            tokens={"new_tokens": list(NEW)},
            train={"method": method, "max_steps": 6, "save_steps": 3, "learning_rate": 3e-2, **keys},
            evaluate={"num_questions": 2, "max_new_tokens": 3},
        )

    return make


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_trains_saves_and_loads_them(run, base: Path, method: str) -> None:
    heard = Listening()
    result = train(run(method), terminal=heard)
    assert result.outcome.losses[-1] < 0.98 * result.outcome.losses[0]
    assert "own logits" not in heard.text
    assert "packing is refused" not in heard.text
    assert result.comparisons
    folder = result.output_dir / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tuple(tokenizer.convert_tokens_to_ids(NEW)) == IDS
    assert json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))["eos_token_id"][0] == 421
    tuned, untuned = loaded(folder), loaded(base)
    vocabulary.add_rows(untuned, IDS)
    assert load_config(section(folder)).vocab_size == 422
    for part in ("get_input_embeddings", "get_output_embeddings"):
        before, after = (getattr(model, part)().weight for model in (untuned, tuned))
        assert before.shape == after.shape
        moved = (after - before).detach().abs().amax(1)
        assert float(moved[420:].min()) > 1e-3
        if method == "lora":
            assert float(moved[:420].max()) == 0
    assert load_tokenizer(section(folder)).backend.encode("<|call|>").ids == [420]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_with_new_tokens_goes_on_bit_for_bit(run, tmp_path: Path, method: str) -> None:
    recipe = run(method)
    train(recipe, terminal=Listening())
    name = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    whole = (tmp_path / "run" / "model" / name).read_bytes()
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "checkpoint-6")
    shutil.rmtree(tmp_path / "run" / "model")
    train(recipe, terminal=Listening(), resume=True)
    assert (tmp_path / "run" / "model" / name).read_bytes() == whole


def test_adapters_on_adapters_with_new_tokens(base: Path, tmp_path: Path) -> None:
    """The second adapter stands on a base whose vocabulary the first one has grown, and adds a token of its own."""
    below, ids = str(base), [(420, 421), (422,), ()]
    for step, new in enumerate(ids):
        model = loaded(below)
        vocabulary.add_rows(model, new)
        wrapped = add_lora(model, LoraSection(r=2), base=below, new_ids=new)
        shake(wrapped)
        saving.save_model(wrapped, tmp_path / f"adapter{step}", stop_ids=[3])
        below = str(tmp_path / f"adapter{step}")
        again = loaded(below)
        x = torch.tensor([[4, 420, 421, 9]])
        with torch.no_grad():
            torch.testing.assert_close(again(x).logits, wrapped.eval()(x).logits, rtol=1e-4, atol=1e-4)
    assert load_config(section(below)).vocab_size == 423


def test_rows_are_restored_bit_for_bit(base: Path, tmp_path: Path) -> None:
    wrapped = []
    for _ in range(2):
        model = loaded(base, torch.bfloat16)
        vocabulary.add_rows(model, IDS)
        wrapped.append(add_lora(model, LoraSection(r=3), new_ids=IDS))
    shake(wrapped[0])
    saving.save_model(wrapped[0], tmp_path / "adapter", stop_ids=[3])
    restoring.restore(wrapped[1], tmp_path / "adapter")
    assert {weight.dtype for weight in wrapped[0].parameters() if weight.requires_grad} == {torch.float32}
    pairs = list(zip(wrapped[0].parameters(), wrapped[1].parameters(), strict=True))
    assert all(torch.equal(one, other) and one.dtype == other.dtype for one, other in pairs)
