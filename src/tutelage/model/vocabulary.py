"""New tokens: added to the tokenizer, given rows in the embeddings that start as the mean of the old ones, and trained.

Shapes: V vocabulary, D hidden size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft.utils import TrainableTokensWrapper
from tokenizers import AddedToken
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import ModelError, RecipeError

PLACE = "tokens.new_tokens"


def add_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[int, ...]:
    """Make each text one special token; their ids, in the same order.

    Raises:
        RecipeError: an empty text, one named twice, or one that is a token already.
    """
    for number, text in enumerate(texts):
        if not text.strip():
            raise RecipeError(f"{text!r} is empty", code="new-tokens", place=PLACE, remedy=f"remove it from {PLACE}")
        if text in texts[:number]:
            raise RecipeError(f"{text!r} is named twice", code="new-tokens", place=PLACE, remedy="name it once")
        known = _known_id(tokenizer, text)
        if known is not None:
            raise RecipeError(
                f"{text!r} is a token already, with the id {known}",
                code="new-tokens",
                place=PLACE,
                remedy=f"remove it from {PLACE}",
            )
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in texts], special_tokens=True)
    return tuple(int(tokenizer.convert_tokens_to_ids(text)) for text in texts)


def _known_id(tokenizer: PreTrainedTokenizerBase, text: str) -> int | None:
    """The id of a text that is one token, by name or as it is encoded; the unknown token is none."""
    by_name = tokenizer.get_vocab().get(text)
    if by_name is not None:
        return int(by_name)
    ids = tokenizer.encode(text, add_special_tokens=False)
    return int(ids[0]) if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None


def add_rows(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Give new ids rows of input and output embeddings, in place: the mean of the rows before the first of them.

    Ids within the embeddings (many models have spare rows) get the mean as well: spare rows hold no meaning.
    """
    if not ids:
        return
    count = max(ids) + 1
    if count > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(count, mean_resizing=False)
    head = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, *([head.weight, head.bias] if isinstance(head, nn.Linear) else [])]
    with torch.no_grad():
        for table in {id(table): table for table in tables if table is not None}.values():
            table[list(ids)] = table[: min(ids)].float().mean(0).to(table.dtype)


def add_missing_rows(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Rows only for ids that lie beyond the embeddings, as a model from before the training lacks them."""
    known = model.get_input_embeddings().weight.shape[0]
    add_rows(model, [number for number in ids if number >= known])


def trained_rows(model: PreTrainedModel, ids: Sequence[int]) -> dict[str, list[int]] | None:
    """Rows that are trained beside adapters: module name -> ids, as peft's `trainable_token_indices`; None for no ids.

    A head that is tied to the input embeddings follows them.

    Raises:
        ModelError: the head has a bias, which peft leaves out of such a head's logits.
    """
    if not ids:
        return None
    tables = [model.get_input_embeddings()]
    head = model.get_output_embeddings()
    if isinstance(head, nn.Linear):
        if head.bias is not None:
            raise ModelError(
                f"{PLACE} with train.method lora: the model's output head has a bias",
                code="new-tokens",
                expected="an output head without bias",
                remedy="--set train.method=full",
            )
        if head.weight is not tables[0].weight:
            tables.append(head)
    wanted = {id(table) for table in tables}
    return {name: list(ids) for name, module in model.named_modules() if id(module) in wanted}


def rows_of_adapter(adapter: Mapping[str, Any]) -> list[int]:
    """Ids whose rows an adapter holds, by its adapter_config.json; ascending."""
    found = adapter.get("trainable_token_indices") or []
    lists = found.values() if isinstance(found, Mapping) else [found]
    return sorted({int(number) for ids in lists for number in ids})


def output_weights(model: PreTrainedModel) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Weight (V, D) and bias (V) of a linear output head, rows that are trained beside adapters put in; None where the
    head is anything else."""
    head = model.get_output_embeddings()
    if isinstance(head, TrainableTokensWrapper) and isinstance(head.original_module, nn.Linear):
        weight_VD: torch.Tensor = head.token_adapter.get_merged_weights(head.token_adapter.active_adapters)
        return weight_VD, head.original_module.bias
    return (head.weight, head.bias) if isinstance(head, nn.Linear) else None
