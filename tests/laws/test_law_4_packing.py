"""Law 4: packed rows have the loss and gradients of the same rows alone, or packing is refused with the reason."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.architectures import CONFIGS, VOCAB, tiny
from tests.small import Listening, examples, gap, gradients, questions
from tutelage.model import attention, causal_lm
from tutelage.model.causal_lm import CausalLM, head_agrees
from tutelage.records import Batch
from tutelage.run.assemble import speech
from tutelage.run.engine import Engine, build_engine
from tutelage.run.prepare import prepare
from tutelage.tokens.batches import packed_batch, padded_batch
from tutelage.training.packing_law import packing_problem, rows_problem

LENGTHS = (40, 17, 2, 23, 17, 3)
BY_ROWS = (
    "llama",
    "qwen2",
    "qwen3",
    "phi3",
    "olmo2",
    "gpt2",
    "opt",
    "cohere",
    "granite",
    "mixtral",
    "llama4",
    "gemma2",
    "gpt-oss",
    "mistral with a short window",
)
OWN = {
    "falcon": "its layers take no other attention",
    "mpt": "its layers take no other attention",
}
RIGHT = attention.rows_attention
NOT_PACKED = ("falcon", "mpt")  # their own attention knows no rows


def loss_and_gradients(language_model: CausalLM, batches: Sequence[Batch]) -> tuple[float, torch.Tensor]:
    language_model.model.zero_grad()
    losses = [language_model.loss_sum(batch) for batch in batches]
    for loss in losses:
        loss.backward()
    return sum(float(loss.detach()) for loss in losses), gradients(language_model.model)


def ready(name: str) -> CausalLM:
    """The model with the head that fits it, as the engine chooses it."""
    model = tiny(name)
    fused = CausalLM(model, torch.float32)
    fits = head_agrees(fused, packed_batch(examples((20,), vocab=VOCAB)))
    return fused if fits else CausalLM(model, torch.float32, fused_head=False)


def check_the_law(language_model: CausalLM, rows: Sequence[Any]) -> None:
    alone, expected = loss_and_gradients(language_model, [packed_batch([row]) for row in rows])
    assert math.isfinite(alone)
    assert float(expected.norm()) > 0.1
    for batch in (packed_batch(rows), packed_batch(rows, round_to=64), padded_batch(rows, pad_id=0)):
        together, found = loss_and_gradients(language_model, [batch])
        assert together == pytest.approx(alone, rel=1e-6)
        assert gap(found, expected) < 1e-5


def test_every_architecture_is_in_one_list() -> None:
    assert {*BY_ROWS, *OWN} == CONFIGS.keys()


@pytest.mark.parametrize("name", BY_ROWS)
def test_packed_rows_are_the_rows_alone(name: str) -> None:
    language_model = ready(name)
    rows = examples(LENGTHS, vocab=VOCAB, weighted=True)
    own, by_own = loss_and_gradients(language_model, [packed_batch([row]) for row in rows])
    assert rows_problem(language_model, rows) is None
    assert attention.name_of(language_model.model) == attention.NAME
    assert packing_problem(language_model, rows) is None
    check_the_law(language_model, rows)
    by_rows, found = loss_and_gradients(language_model, [packed_batch(rows)])
    assert by_rows == pytest.approx(own, rel=1e-6), "the same attention as the model's own"
    assert gap(found, by_own) < 1e-5


@pytest.mark.parametrize("name", list(OWN))
def test_what_does_not_fit_is_told_and_the_models_own_attention_stays(name: str) -> None:
    language_model = ready(name)
    rows = examples(LENGTHS, vocab=VOCAB, weighted=True)
    before = attention.name_of(language_model.model)
    assert OWN[name] in (rows_problem(language_model, rows) or "")
    assert attention.name_of(language_model.model) == before
    problem = packing_problem(language_model, rows)
    if name in NOT_PACKED:
        assert "packed rows differ from the same rows alone" in (problem or "")
    else:
        assert problem is None
        check_the_law(language_model, rows)


def test_one_row_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single row cannot leak, but attention that does not fit would still fail on it."""

    def unfit(*_: Any, **__: Any) -> Any:
        raise attention.UnsupportedAttention("no such attention")

    monkeypatch.setattr(attention, "rows_attention", unfit)
    assert "no such attention" in (rows_problem(ready("llama"), examples((30,), vocab=VOCAB)) or "")


def leaking(_: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *__: Any, **settings: Any) -> Any:
    """Attention that forgets where rows end."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    return scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2), None


def blind(*given: Any, **settings: Any) -> Any:
    """Attention that is right about rows and wrong about the scale: packed and alone agree, and both are wrong."""
    return RIGHT(*given, **{**settings, "scaling": 0.9})


def test_a_leak_between_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = examples(LENGTHS, vocab=VOCAB)
    language_model = ready("llama")
    monkeypatch.setattr(attention, "rows_attention", leaking)
    assert "packed rows differ" in (rows_problem(language_model, rows) or "")
    assert packing_problem(language_model, rows) is None, "its own attention keeps rows apart"
    attention.switch(language_model.model, attention.NAME)
    assert "packed rows differ" in (packing_problem(language_model, rows) or "")


def test_attention_that_is_not_the_models_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = examples(LENGTHS, vocab=VOCAB)
    language_model = ready("llama")
    monkeypatch.setattr(attention, "rows_attention", blind)
    assert "under the model's own attention" in (rows_problem(language_model, rows) or "")
    attention.switch(language_model.model, attention.NAME)
    assert packing_problem(language_model, rows) is None, "packed and alone are wrong alike"


def engine_of(recipe: Any) -> tuple[Engine, str]:
    terminal = Listening()
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=terminal)
    return build_engine(recipe, spoken, prepared=prepared, terminal=terminal), terminal.text


def test_the_engine_falls_back_and_says_so(make_recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(questions(12))
    engine, told = engine_of(recipe)
    assert engine.packed
    assert attention.name_of(engine.language_model.model) == attention.NAME
    assert "attention by row lengths" not in told
    monkeypatch.setattr(attention, "rows_attention", leaking)
    engine, told = engine_of(recipe)
    assert "attention by row lengths does not fit this model (packed rows differ" in told
    assert attention.name_of(engine.language_model.model) == "sdpa"
    assert engine.packed, "the model's own attention keeps rows apart"


def test_rows_are_padded_where_packing_is_refused(make_recipe, tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "mpt"
    model = tiny("mpt")
    model.resize_token_embeddings(500)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    engine, told = engine_of(make_recipe(questions(12), model={"name_or_path": str(folder)}))
    assert "packing is refused: packed rows differ from the same rows alone" in told
    assert not engine.packed
    (batch, *_) = engine.plan.step(0)
    assert batch.token_ids_BT.shape[0] == len(batch.row_lengths) == 2


def test_the_longest_held_out_row_is_probed(make_recipe, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest row of both halves decides: evaluation must not fail in the middle of a run."""

    def short_sighted(module: Any, query: torch.Tensor, *given: Any, row_layout: Any, **settings: Any) -> Any:
        if row_layout.longest > 40:
            raise attention.UnsupportedAttention("a row of more than 40 tokens")
        return RIGHT(module, query, *given, row_layout=row_layout, **settings)

    monkeypatch.setattr(attention, "rows_attention", short_sighted)
    held = tmp_path / "held.jsonl"
    held.write_text('{"instruction": "Say it.", "output": "' + "The cat says 7. " * 4 + '"}\n', encoding="utf-8")
    recipe = make_recipe(questions(12), data={"eval_sources": [str(held)]}, tokens={"max_length": 90})
    engine, told = engine_of(recipe)
    assert engine.held_out is not None
    lengths = [
        max(plan.store.lengths[list(pack.examples)].max() for pack in plan.packs)
        for plan in (engine.plan, engine.held_out)
    ]
    assert lengths[0] <= 40 < lengths[1]
    assert "a row of more than 40 tokens" in told


@pytest.mark.parametrize("wrong", [{"scale": 2.0}, {"softcap": 1.0}, {"weight_VD": "other"}])
def test_a_misread_head_is_found(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]) -> None:
    language_model = ready("llama")
    batch = packed_batch(examples((30,), vocab=VOCAB))
    assert head_agrees(language_model, batch)
    right = causal_lm.head_of(language_model.model)
    assert right is not None
    changed = {**vars(right), **wrong}
    if "weight_VD" in wrong:
        changed["weight_VD"] = right.weight_VD * 1.1
    monkeypatch.setattr(causal_lm, "head_of", lambda _: causal_lm.Head(**changed))
    assert not head_agrees(language_model, batch)


@pytest.mark.parametrize(("name", "fused"), [("llama", True), ("cohere", True), ("granite", True), ("llama4", False)])
def test_heads_are_read_as_they_are(name: str, fused: bool) -> None:
    assert ready(name).fused_head == fused


def test_an_adapter_on_the_head_is_trained_through_the_models_own_logits(make_recipe) -> None:
    recipe = make_recipe(questions(12), train={"method": "lora"}, lora={"target_modules": ["lm_head", "q_proj"]})
    engine, told = engine_of(recipe)
    assert "the output head is not plain linear" in told
    assert not engine.language_model.fused_head
    assert any("lm_head" in name for name in engine.language_model.trainable())
    assert float(engine.language_model.loss_sum(engine.plan.step(0)[0]).detach()) > 0
