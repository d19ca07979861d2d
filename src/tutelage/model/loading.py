"""Models and tokenizers from folders and the Hub: safetensors only, no code of theirs is executed unless asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from tutelage.errors import ModelError
from tutelage.recipe import ModelSection

disable_progress_bar()

BUNDLED = "pupil"


@dataclass(frozen=True)
class TokenizerFacts:
    """What other rooms need to know of a tokenizer.

    Attributes:
        wrapped: the transformers tokenizer, for saving and decoding.
        backend: the tokenizer that encodes.
        special_tokens: Jinja variables (bos_token, eos_token, ...) -> text.
        control_tokens: texts that are encoded as one special token each.
        chat_template: the tokenizer's own template, if any.
        pad_id: written where nothing is; never a token at which generation stops, where that can be helped.
        notes: repairs that the user is told about.
    """

    wrapped: PreTrainedTokenizerBase
    backend: Tokenizer
    special_tokens: Mapping[str, str]
    control_tokens: frozenset[str]
    chat_template: str | Mapping[str, str] | None
    pad_id: int
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def digest_source(self) -> str:
        """Text that changes whenever the tokenizer does."""
        return str(self.backend.to_str())


def locate(name_or_path: str) -> str:
    """The folder of the bundled model for `pupil`, anything else as it is."""
    return str(files("tutelage") / "bundled" / BUNDLED) if name_or_path == BUNDLED else name_or_path


def load_tokenizer(section: ModelSection) -> TokenizerFacts:
    """The tokenizer of a model, with a pad token that masks no real end.

    Raises:
        ModelError: no tokenizer, a broken one, or one without a fast backend.
    """
    place = locate(section.name_or_path)
    below = _below_adapter(section)
    try:
        wrapped = AutoTokenizer.from_pretrained(
            place, revision=section.revision, trust_remote_code=section.trust_remote_code
        )
    except Exception as error:  # transformers and tokenizers raise bare Exception on broken files
        if below is not None:
            return load_tokenizer(below)
        raise _cannot_load("tokenizer", place, error) from error
    backend = wrapped.__dict__.get("_tokenizer")
    if not isinstance(backend, Tokenizer):
        raise ModelError(
            f"the tokenizer is a {type(wrapped).__name__} without a fast backend",
            place=place,
            expected="a tokenizer.json",
            remedy="convert it once: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        )
    end_notes = _find_end(wrapped, section)
    pad_id, pad_notes = _padding(wrapped)
    control = {token.content for token in wrapped.added_tokens_decoder.values() if token.special}
    return TokenizerFacts(
        wrapped=wrapped,
        backend=backend,
        special_tokens={name: str(text) for name, text in wrapped.special_tokens_map.items() if isinstance(text, str)},
        control_tokens=frozenset(control | set(wrapped.all_special_tokens)),
        chat_template=wrapped.chat_template,
        pad_id=pad_id,
        notes=(*end_notes, *pad_notes),
    )


# End tokens by their usual names, for a bare tokenizer.json that does not say which one it is.
_END_NAMES = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>", "<eos>", "<|eot_id|>")


def _find_end(wrapped: PreTrainedTokenizerBase, section: ModelSection) -> tuple[str, ...]:
    """Give a tokenizer that names no end token the one that the model's configuration or its vocabulary has."""
    if wrapped.eos_token is not None:
        return ()
    known = _known_end(section)
    name = wrapped.convert_ids_to_tokens(known) if known is not None else None
    if name is None:
        name = next((end for end in _END_NAMES if end in wrapped.get_added_vocab()), None)
    if name is None:
        return ()
    wrapped.eos_token = name
    return (f"the tokenizer names no end token; {name} is taken",)


def _known_end(section: ModelSection) -> int | None:
    """The configuration's eos_token_id, where there is a configuration and it has one."""
    folder = Path(locate(section.name_or_path))
    if folder.is_dir() and not (folder / "config.json").is_file():
        return None
    end: int | list[int] | None = load_config(section).eos_token_id
    return end[0] if isinstance(end, list) else end


def _padding(wrapped: PreTrainedTokenizerBase) -> tuple[int, tuple[str, ...]]:
    """An id for padding, given to a tokenizer that has none. Batches carry lengths and weights, so padding never hides
    a real token, whatever its id; it is never the end token where there is another."""
    if wrapped.pad_token_id is not None and wrapped.pad_token_id != wrapped.eos_token_id:
        return int(wrapped.pad_token_id), ()
    for name in ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>"):
        number = wrapped.get_added_vocab().get(name)
        if number is not None and number != wrapped.eos_token_id:
            wrapped.pad_token = name
            return int(number), (f"the tokenizer has no pad token of its own; padding is written with {name}",)
    number = wrapped.unk_token_id if wrapped.unk_token_id is not None else wrapped.eos_token_id
    return int(number or 0), ("the tokenizer has no pad token; padding is told by length, real ends stay trained",)


def load_config(section: ModelSection) -> PreTrainedConfig:
    """The configuration of a model, without its weights."""
    section = _below_adapter(section) or section
    place = locate(section.name_or_path)
    try:
        return AutoConfig.from_pretrained(place, revision=section.revision, trust_remote_code=section.trust_remote_code)
    except Exception as error:
        raise _cannot_load("configuration", place, error) from error


def served_stops(section: ModelSection) -> tuple[int, ...] | None:
    """Ids at which a server stops by the model's own files: generation_config.json, or else config.json; None for a
    folder with only a tokenizer."""
    section = _below_adapter(section) or section
    place = locate(section.name_or_path)
    if Path(place).is_dir() and not (Path(place) / "config.json").is_file():
        return None
    try:
        ends = GenerationConfig.from_pretrained(place, revision=section.revision).eos_token_id
    except OSError:  # many models come without a generation_config.json
        ends = load_config(section).eos_token_id
    return () if ends is None else tuple(ends) if isinstance(ends, list) else (int(ends),)


def context_length(section: ModelSection) -> int | None:
    """Positions that a model was made for, where its configuration says so; None for a folder with only a tokenizer."""
    folder = Path(locate(section.name_or_path))
    if folder.is_dir() and not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        return None
    config = load_config(section)
    length: int | None = getattr(config, "max_position_embeddings", None)
    return length if length is not None else getattr(config, "n_positions", None)  # GPT-2's name for it


def load_model(section: ModelSection, *, dtype: torch.dtype) -> PreTrainedModel:
    """A causal language model with its weights; a folder with an adapter is loaded on top of its base.

    Its attention is the recipe's; `rows` is given to it later (`attention.switch`), until then it has its own.

    Args:
        dtype: of the weights in memory.

    Raises:
        ModelError: nothing there, pickled weights, a broken file, or an architecture that transformers lacks.
    """
    place = locate(section.name_or_path)
    below = _below_adapter(section)
    if below is not None:
        merged: PreTrainedModel = PeftModel.from_pretrained(load_model(below, dtype=dtype), place).merge_and_unload()
        return merged
    try:
        return AutoModelForCausalLM.from_pretrained(
            place,
            revision=section.revision,
            trust_remote_code=section.trust_remote_code,
            dtype=dtype,
            attn_implementation=None if section.attn_implementation == "rows" else section.attn_implementation,
            use_safetensors=True,
        )
    except Exception as error:
        raise _cannot_load("model", place, error) from error


def stored_dtype(config: PreTrainedConfig) -> torch.dtype:
    """The dtype that the weights are stored in, so that a tuned model is saved as its base came."""
    dtype = getattr(config, "dtype", None) or torch.float32
    return getattr(torch, dtype) if isinstance(dtype, str) else dtype


def _below_adapter(section: ModelSection) -> ModelSection | None:
    """The model that an adapter folder names as its base; None where the folder is no adapter."""
    file = Path(locate(section.name_or_path)) / "adapter_config.json"
    if not file.is_file():
        return None
    adapter: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    base = adapter.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError("the adapter does not say which model it belongs to", place=str(file))
    return section.model_copy(update={"name_or_path": base, "revision": adapter.get("revision")})


def _cannot_load(what: str, place: str, error: Exception) -> ModelError:
    looks_local = place.startswith(("/", ".", "~")) or place.count("/") != 1
    if looks_local and not Path(place).exists():
        return ModelError(
            f"no {what} at {place!r}",
            expected="a model folder, a Hub id as org/name, or pupil",
            remedy=f"check the path; {BUNDLED!r} is bundled",
        )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ModelError(f"the {what} cannot be loaded: {lines[0]}", place=place)
