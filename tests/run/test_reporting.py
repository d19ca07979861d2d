"""What the report shows is what the trainer got and what was logged."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tutelage import recipe as recipes
from tutelage.model.loading import TokenizerFacts
from tutelage.records import Conversation, Example, Message, Place
from tutelage.report.content import Sample
from tutelage.run import reporting
from tutelage.run.rows import RowReader, RowWriter
from tutelage.tokens.batches import packed_batch, padded_batch

TEXTS = ["one two<|end|>", "汉字<|end|>", "a somewhat longer row<|end|>"]


@pytest.fixture(scope="module")
def tokenizer() -> TokenizerFacts:
    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(alphabet, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<|end|>", special=True)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    return TokenizerFacts(wrapped, backend, {}, frozenset({"<|end|>"}), None, pad_id=0)


@pytest.fixture
def rows(tmp_path: Path) -> RowReader:
    writer = RowWriter(tmp_path)
    for row in range(20):
        writer.add(Conversation(row, Place("data.jsonl", row + 1), (Message("user", "hi"),)))
    writer.close()
    return RowReader(tmp_path)


def example(row: int, text: str, tokenizer: TokenizerFacts) -> Example:
    """Its second half is trained, the last token at half weight."""
    ids = np.asarray(tokenizer.backend.encode(text).ids, dtype=np.int32)
    weights = (np.arange(len(ids)) >= len(ids) // 2).astype(np.float32)
    weights[-1] = 0.5
    return Example(row, ids, weights)


def test_samples_are_the_rows_of_the_batch(tokenizer: TokenizerFacts, rows: RowReader) -> None:
    examples = [example(row, text, tokenizer) for row, text in enumerate(TEXTS)]
    packed, padded = packed_batch(examples), padded_batch(examples, pad_id=0)
    shown = list(reporting.samples(packed, tokenizer, rows=rows))
    assert shown == list(reporting.samples(padded, tokenizer, rows=rows))
    assert len(shown) == 3
    for sample, text, given in zip(shown, TEXTS, examples, strict=True):
        assert "".join(token.text for token in sample.tokens) == text
        assert [token.id for token in sample.tokens] == given.token_ids.tolist()
        assert [token.weight for token in sample.tokens] == given.weights.tolist()
        assert [token.position for token in sample.tokens] == list(range(sample.length))
        assert [token.special for token in sample.tokens] == [False] * (sample.length - 1) + [True]
        assert sample.trained == np.count_nonzero(given.weights) > 0
        assert sample.place == f"data.jsonl:{given.row + 1}"


def test_a_single_row_is_shown(tokenizer: TokenizerFacts, rows: RowReader) -> None:
    given = [example(0, "x " * 2000, tokenizer)]
    (sample,) = reporting.samples(padded_batch(given, pad_id=0), tokenizer, rows=rows)
    assert isinstance(sample, Sample)
    assert sample.length == 4000
    assert len(sample.tokens) == reporting.LONGEST_SAMPLE
    assert (sample.tokens[0].position, sample.tokens[-1].position) == (0, 3999)
    assert sample.trained == 2000  # of the whole row, not of what is shown


def test_samples_are_few(tokenizer: TokenizerFacts, rows: RowReader) -> None:
    short = packed_batch([example(row, TEXTS[0], tokenizer) for row in range(20)])
    assert len(list(reporting.samples(short, tokenizer, rows=rows))) == reporting.SAMPLE_ROWS
    long = packed_batch([example(row, "x" * 1000, tokenizer) for row in range(20)])
    shown = sum(len(sample.tokens) for sample in reporting.samples(long, tokenizer, rows=rows))
    assert 0 < shown <= reporting.SAMPLE_TOKENS


def test_a_step_that_was_run_twice_counts_once() -> None:
    step = {"learning_rate": 1e-3, "tokens_per_s": 10.0, "grad_norm": 1.0}
    lines = [{"step": at, "loss": loss, **step} for at, loss in ((1, 3.0), (2, 2.0), (3, 9.0))]
    lines += [{"step": 2, "eval_loss": 2.5}, {"step": 3, "loss": 1.0, **step}, {"step": 4, "eval_loss": 1.5}]
    curves = reporting.curves(lines)
    assert curves.step == (1, 2, 3)
    assert curves.loss == (3.0, 2.0, 1.0)
    assert curves.held_out == ((2, 2.5), (4, 1.5))


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"train": {"method": "lora", "max_steps": 3}, "data": {"eval_sources": "e.jsonl"}},
        {"evaluate": {"num_questions": 0}},
    ],
)
def test_the_shown_recipe_gives_the_same_run(tree: dict[str, dict[str, object]], tmp_path: Path) -> None:
    recipe = recipes.build({**tree, "data": {"sources": "train.jsonl", **tree.get("data", {})}})
    file = tmp_path / "recipe.yaml"
    file.write_text(recipes.dump(recipe), encoding="utf-8")
    assert recipes.load(file) == recipe


def test_example_weights_are_exercised(tokenizer: TokenizerFacts) -> None:
    weights = example(0, TEXTS[2], tokenizer).weights
    assert {0.0, 0.5, 1.0} == set(weights.tolist())
