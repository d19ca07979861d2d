"""Models as ordinary Hugging Face folders: weights, configuration, tokenizer, chat template, stop tokens."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tutelage.model.adapters import TRAINED
from tutelage.model.loading import TokenizerFacts

# Settings that decoding without sampling never reads; transformers refuses to save them beside it.
_SAMPLING = ("temperature", "top_p", "min_p", "top_h", "typical_p", "top_k", "epsilon_cutoff", "eta_cutoff")


def save_tokenizer(tokenizer: TokenizerFacts, folder: Path, *, chat_template: str) -> None:
    """Write the tokenizer with the template that was trained, so that whoever serves the model uses that one."""
    before = tokenizer.wrapped.chat_template
    tokenizer.wrapped.chat_template = chat_template
    try:
        tokenizer.wrapped.save_pretrained(folder)
    finally:
        tokenizer.wrapped.chat_template = before


def save_model(
    model: PreTrainedModel | PeftModel, folder: Path, *, stop_ids: Sequence[int], dtype: torch.dtype | None = None
) -> None:
    """Write weights (safetensors) and configuration; generation stops at `stop_ids`.

    Args:
        dtype: cast the model to this dtype first, in place; unset: as it is (fp32 masters).
    """
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    base.generation_config.eos_token_id = list(stop_ids)
    if not base.generation_config.do_sample:
        base.generation_config.update(**dict.fromkeys(_SAMPLING))
    if dtype is not None and not isinstance(model, PeftModel):
        model.to(dtype)
    if isinstance(model, PeftModel):
        # Embeddings are the base's; rows of new tokens are among the adapter's own weights.
        model.save_pretrained(folder, selected_adapters=[TRAINED], save_embedding_layers=False)
        base.generation_config.save_pretrained(folder)
    else:
        model.save_pretrained(folder)
