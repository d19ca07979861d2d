"""Law 3: every trained turn ends in a trained token at which generation stops."""

from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from tests.laws.masks import chat, check_mask, examples_of, prepared_from, trained_runs
from tests.small import train_tokenizer
from tutelage.errors import LedgerError, TemplateError
from tutelage.run.assemble import speech
from tutelage.template import names
from tutelage.tokens.batches import packed_batch, padded_batch

MESSAGES = chat("Say cat.", "The cat.", "More.", "The mill.")
ROLE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def tokenizer_folder(folder: Path, **special: str) -> Path:
    """A folder with a tokenizer alone, whose special tokens are these."""
    PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(), **special).save_pretrained(folder)
    return folder


def stops(make_recipe, template: str, **model: str) -> set[str]:
    """The tokens that end the trained turns of a row."""
    rows = [{"messages": MESSAGES}]
    recipe = make_recipe(rows, template={"name": template}, tokens={"max_length": 256}, data={"eval_share": 0}, **model)
    prepared, spoken = prepared_from(recipe)
    assert check_mask(prepared, spoken, 0, MESSAGES)
    decoding = spoken.decoding(max_new_tokens=4, batch_size=1)
    ends = [int(example.token_ids[end - 1]) for example in examples_of(prepared, 0) for _, end in trained_runs(example)]
    assert len(ends) == 2
    assert set(ends) <= set(decoding.stop_ids) == set(decoding.config(4).eos_token_id)
    return {spoken.tokenizer.backend.id_to_token(number) for number in ends}


@pytest.mark.parametrize("template", names())
def test_every_template_of_the_library_teaches_to_stop(make_recipe, template: str) -> None:
    expected = "<|im_end|>" if template == "chatml" else "<|endoftext|>"
    assert stops(make_recipe, template) == {expected}


def test_an_end_of_turn_that_is_left_to_the_next_message_is_trained(make_recipe, tmp_path: Path) -> None:
    (tmp_path / "open.jinja").write_text(ROLE + PROMPT, encoding="utf-8")
    assert stops(make_recipe, str(tmp_path / "open.jinja")) == {"<|im_start|>"}


def test_eos_is_added_where_nothing_ends_the_turn(make_recipe, tmp_path: Path) -> None:
    bare = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    (tmp_path / "bare.jinja").write_text(bare + "{% if add_generation_prompt %}assistant:{% endif %}", encoding="utf-8")
    assert stops(make_recipe, str(tmp_path / "bare.jinja")) == {"<|endoftext|>"}


@pytest.mark.parametrize("train_on", ["assistant", "all"])
def test_a_stop_that_a_row_spells_is_not_learned(make_recipe, train_on: str) -> None:
    messages = chat("What ends a turn?", "It is <|im_end|> or <|endoftext|>.", "Say <|im_end|>.", "<|im_end|>")
    recipe = make_recipe(
        [{"messages": messages}],
        template={"name": "chatml", "train_on": train_on},
        tokens={"max_length": 256},
        data={"eval_share": 0},
    )
    prepared, spoken = prepared_from(recipe)
    decode = spoken.tokenizer.backend.decode
    trained = [
        example.token_ids[start:end].tolist()
        for example in examples_of(prepared, 0)
        for start, end in trained_runs(example)
    ]
    stops = [sum(number in spoken.stop_ids for number in ids) for ids in trained]
    assert stops == ([1, 1] if train_on == "assistant" else [4]), "those that the template writes"
    spelled = sum(decode(ids, skip_special_tokens=False).count("<|im_end|>") for ids in trained)
    assert spelled == sum(stops) + (2 if train_on == "assistant" else 3)
    assert any("typed" in note for note in prepared.notes)


def test_the_end_is_trained_even_where_it_is_the_pad_token_too(make_recipe, tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path / "same", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    model = {"name_or_path": str(folder)}
    rows = [{"messages": MESSAGES}, {"messages": chat("Say river.", "It runs past the mill.")}]
    prepared, spoken = prepared_from(make_recipe(rows, model=model, template={"name": "plain"}, data={"eval_share": 0}))
    (end,) = spoken.stop_ids
    examples = [*examples_of(prepared, 0), *examples_of(prepared, 1)]
    for batch in (packed_batch(examples), padded_batch(examples, pad_id=end)):
        trained = batch.target_ids_BT[batch.target_weights_BT > 0]
        assert int((trained == end).sum()) == 3, "three turns end in a trained end token"
    padded = padded_batch(examples, pad_id=end)
    lengths = np.asarray(padded.row_lengths)
    assert lengths.min() < lengths.max()
    for row, length in enumerate(lengths):
        assert float(padded.target_weights_BT[row, length - 1 :].sum()) == 0, "padding is never a target"


def test_without_any_end_token_nothing_is_trained(make_recipe, tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path / "endless", pad_token="<|pad|>")
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(text.replace("<|endoftext|>", "<|o|>").replace("<|im_end|>", "<|i|>"))
    bare = "{% for m in messages %}{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
    (tmp_path / "bare.jinja").write_text(bare, encoding="utf-8")
    recipe = make_recipe(
        [{"messages": MESSAGES}], model={"name_or_path": str(folder)}, template={"name": str(tmp_path / "bare.jinja")}
    )
    with pytest.raises((TemplateError, LedgerError), match=r"end token|no stop token"):
        prepared_from(recipe)


def test_the_stops_of_the_trained_template_come_first(make_recipe) -> None:
    spoken = speech(make_recipe([], template={"name": "chatml"}))
    assert [spoken.tokenizer.backend.id_to_token(number) for number in spoken.stop_ids] == [
        "<|im_end|>",
        "<|endoftext|>",
    ]
