"""Perplexity and token accuracy of references: equal to a plain computation, whatever the batch, and paired by item."""

import math
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma2Config, Gemma2ForCausalLM, PreTrainedTokenizerFast

from tests.conftest import MakeRecipe
from tests.small import questions, write_small_model
from tutelage.errors import DataError
from tutelage.evaluation.statistics import compare_paired
from tutelage.evaluation.suite import Item, Suite
from tutelage.recipe import Recipe
from tutelage.records import Message, Question
from tutelage.run import reference_loss
from tutelage.run.assemble import speech
from tutelage.run.reference_loss import ReferenceFigures, reference_figures

PAIRS = (
    ("What is the capital?", "Harbour."),
    ("河水流过哪里？", "旧磨坊。😀"),
    ("Name three colours.", "red, green\r\nand blue"),
    ("Say it again.", "Yes. No. Yes, please; no."),
)


def suite(*items: Item) -> Suite:
    return Suite("small", items)


def item(number: int, *messages: Message, expected: tuple[str, ...] = (), reasoning: bool = False) -> Item:
    return Item(Question(number, messages, expected, reasoning=reasoning), "f1", place=f"suite.yaml:{number}")


def asked(number: int, question: str, *expected: str) -> Item:
    return item(number, Message("user", question), expected=expected)


SUITE = suite(*(asked(number, *pair) for number, pair in enumerate(PAIRS)))


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe(questions(1), template={"name": "chatml", "system": "Be brief."})


def figures(recipe: Recipe, over: Suite = SUITE, *, batch_size: int = 32) -> ReferenceFigures:
    return reference_figures(over, recipe.model, spoken=speech(recipe), batch_size=batch_size)


def plainly(folder: Path, messages: list[tuple[str, str]], answer: str) -> tuple[float, int, int]:
    """Loss, tokens and right tokens of an answer, with transformers alone and ChatML written by hand."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    told = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in messages)
    prompt = tokenizer(f"{told}<|im_start|>assistant\n")["input_ids"]
    ids = prompt + tokenizer(f"{answer}<|im_end|>")["input_ids"]
    with torch.no_grad():
        log_p = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    places = range(len(prompt), len(ids))
    loss = -sum(float(log_p[at - 1, ids[at]]) for at in places)
    return loss, len(places), sum(int(log_p[at - 1].argmax()) == ids[at] for at in places)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_figures_are_those_of_a_plain_computation_whatever_the_batch(
    recipe: Recipe, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_loss, "CHUNK", 420 * 5)  # logits of five positions at a time
    folder = Path(recipe.model.name_or_path)
    found = figures(recipe, batch_size=batch_size)
    expected = [plainly(folder, [("system", "Be brief."), ("user", ask)], answer) for ask, answer in PAIRS]
    assert found.losses == pytest.approx([loss for loss, _, _ in expected], rel=1e-5)
    assert found.tokens == tuple(tokens for _, tokens, _ in expected)
    assert found.right == tuple(right for _, _, right in expected)
    total, tokens, right = (sum(column) for column in zip(*expected, strict=True))
    assert found.perplexity == pytest.approx(math.exp(total / tokens), rel=1e-5)
    assert found.token_accuracy == right / tokens
    assert len(set(found.tokens)) == len(PAIRS)  # else a mean of means would be the same


def test_only_the_reference_counts_and_not_an_earlier_answer(recipe: Recipe) -> None:
    history = (Message("user", "Cat?"), Message("assistant", "Sun."), Message("user", "Again?"))
    for train_on in ("assistant", "all"):
        policy = recipe.template.model_copy(update={"train_on": train_on})
        found = figures(recipe.model_copy(update={"template": policy}), suite(item(0, *history, expected=("Sun.",))))
        turns = [("system", "Be brief."), *((message.role, message.content) for message in history)]
        loss, tokens, _ = plainly(Path(recipe.model.name_or_path), turns, "Sun.")
        assert (found.losses, found.tokens) == (pytest.approx((loss,), rel=1e-5), (tokens,))


def test_what_cannot_be_measured_is_left_out_and_counted(recipe: Recipe) -> None:
    over = suite(
        asked(0, "A poem, please."),
        asked(1, "What is the capital?", "Harbour."),
        asked(2, "Say it.", "The river runs past the old mill. " * 40),
        item(3, Message("user", "Why?"), expected=("Because.",), reasoning=True),
        asked(4, "And?", "  "),
    )
    found = figures(recipe, over)
    assert found.numbers == (1,)
    assert found.left_out == {"no reference": 2, "too long": 1, "an answer that thinks first": 1}
    assert found.losses == pytest.approx((figures(recipe).losses[0],), rel=1e-6)


def test_a_suite_without_references_is_refused(recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"small: no reference can be measured \(no reference: 1\)"):
        figures(recipe, suite(asked(0, "A poem, please.")))


def test_two_models_are_paired_by_item(recipe: Recipe, tmp_path: Path, tiny_tokenizer: Tokenizer) -> None:
    torch.manual_seed(3)
    other = write_small_model(tmp_path / "other", tiny_tokenizer, layers=1)
    pair = recipe.model_copy(update={"model": recipe.model.model_copy(update={"name_or_path": str(other)})})
    before, after = figures(recipe), figures(pair)
    assert (before.numbers, before.tokens) == (after.numbers, after.tokens)
    assert before.losses != after.losses
    result = compare_paired(before.item_likelihoods, after.item_likelihoods)
    means = [sum(each.item_likelihoods) / len(PAIRS) for each in (before, after)]
    assert result.difference == pytest.approx(means[1] - means[0])
    assert result.gained + result.lost == len(PAIRS)
    assert compare_paired(before.item_accuracies, before.item_accuracies).difference == 0


def test_a_head_that_caps_its_logits_counts_as_the_model_computes_it(
    recipe: Recipe, tmp_path: Path, tiny_tokenizer: Tokenizer
) -> None:
    torch.manual_seed(1)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Gemma2Config(
        vocab_size=tiny_tokenizer.get_vocab_size(),
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=256,
        final_logit_softcapping=0.2,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
        **shape,
    )
    Gemma2ForCausalLM(config).save_pretrained(tmp_path / "capped")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer, eos_token="<|endoftext|>", pad_token="<|pad|>")
    wrapped.save_pretrained(tmp_path / "capped")
    capped = recipe.model_copy(
        update={"model": recipe.model.model_copy(update={"name_or_path": str(tmp_path / "capped")})}
    )
    expected = [
        plainly(tmp_path / "capped", [("system", "Be brief."), ("user", ask)], answer)[0] for ask, answer in PAIRS
    ]
    assert figures(capped).losses == pytest.approx(expected, rel=1e-5)
