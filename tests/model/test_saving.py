"""A tuned model is an ordinary folder that stops where it was trained to stop."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from tests.small import Listening, questions
from tutelage.model import attention, restoring, saving
from tutelage.model.loading import load_model, load_tokenizer
from tutelage.recipe import ModelSection
from tutelage.run.training import train


def loaded(folder: Path, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    return load_model(ModelSection(name_or_path=str(folder)), dtype=dtype)


@pytest.fixture
def tuned(make_recipe, tmp_path: Path) -> Path:
    """The model of a short run, with its own attention, template and stops."""
    recipe = make_recipe(questions(12), train={"max_steps": 2})
    train(recipe, terminal=Listening())
    return tmp_path / "run" / "model"


def test_a_tuned_model_is_an_ordinary_folder(tuned: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    model = AutoModelForCausalLM.from_pretrained(tuned)
    ends = [tokenizer.convert_tokens_to_ids(name) for name in ("<|im_end|>", "<|endoftext|>")]
    assert model.generation_config.eos_token_id == ends
    messages = [{"role": "user", "content": "Say cat."}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == "<|im_start|>user\nSay cat.<|im_end|>\n<|im_start|>assistant\n"
    config = json.loads((tuned / "config.json").read_text(encoding="utf-8"))
    assert attention.NAME not in json.dumps(config), "nobody else knows our attention"
    assert config["dtype"] == "float32"
    assert not [path.name for path in tuned.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_the_dtype_of_the_base_is_kept(make_recipe, tiny_model: Path, tmp_path: Path) -> None:
    loaded(tiny_model, torch.bfloat16).save_pretrained(tmp_path / "half")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "half" / name).write_bytes((tiny_model / name).read_bytes())
    recipe = make_recipe(questions(12), model={"name_or_path": str(tmp_path / "half")}, train={"max_steps": 1})
    result = train(recipe, terminal=Listening())
    saved = AutoModelForCausalLM.from_pretrained(result.output_dir / "model", dtype="auto")
    assert {weight.dtype for weight in saved.parameters()} == {torch.bfloat16}
    checkpoint = AutoModelForCausalLM.from_pretrained(result.output_dir / "checkpoints" / "checkpoint-1", dtype="auto")
    assert {weight.dtype for weight in checkpoint.parameters()} == {torch.float32}, "masters go on in fp32"


@pytest.mark.parametrize("sampling", [{"temperature": 0.6, "top_p": 0.9}, {"top_k": 20, "repetition_penalty": 1.1}])
def test_settings_that_transformers_refuses_to_save_do_not_stop_a_run(tiny_model, tmp_path, sampling) -> None:
    """Bases ship sampling settings beside `do_sample: false`; transformers loads them and refuses to save them."""
    model = loaded(tiny_model)
    model.generation_config = GenerationConfig(do_sample=False, **sampling)
    saving.save_model(model, tmp_path / "saved", stop_ids=[3, 0])
    kept = GenerationConfig.from_pretrained(tmp_path / "saved")
    assert kept.eos_token_id == [3, 0]
    assert kept.repetition_penalty == sampling.get("repetition_penalty")
    sampled = loaded(tiny_model)
    sampled.generation_config = GenerationConfig(do_sample=True, **sampling)
    saving.save_model(sampled, tmp_path / "sampled", stop_ids=[3])
    assert GenerationConfig.from_pretrained(tmp_path / "sampled").top_k == sampling.get("top_k")


def test_the_tokenizer_keeps_its_own_template(tiny_model: Path, tmp_path: Path) -> None:
    facts = load_tokenizer(ModelSection(name_or_path=str(tiny_model)))
    saving.save_tokenizer(facts, tmp_path, chat_template="{{ 'trained' }}")
    assert facts.wrapped.chat_template is None
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template == "{{ 'trained' }}"


def test_weights_are_restored_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    model, other = loaded(tiny_model), loaded(tiny_model)
    with torch.no_grad():
        for weight in model.parameters():
            weight += torch.randn_like(weight) * 1e-6
    saving.save_model(model, tmp_path / "saved", stop_ids=[0])
    addresses = [weight.data_ptr() for weight in other.parameters()]
    restoring.restore(other, tmp_path / "saved")
    assert all(torch.equal(one, its) for one, its in zip(model.parameters(), other.parameters(), strict=True))
    assert addresses == [weight.data_ptr() for weight in other.parameters()], "the optimizer holds on to them"
    assert not torch.equal(next(model.parameters()), next(loaded(tiny_model).parameters()))
