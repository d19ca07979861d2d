"""Models and tokenizers from folders and the Hub: safetensors only, no code of theirs is executed unless asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
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
from tutelage.model import adapters, quantised, trust, vocabulary
from tutelage.recipe import ModelSection

disable_progress_bar()

BUNDLED = "pupil"
_ADAPTER = "adapter_config.json"


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
        new_ids: of tokens that were added by the recipe.
    """

    wrapped: PreTrainedTokenizerBase
    backend: Tokenizer
    special_tokens: Mapping[str, str]
    control_tokens: frozenset[str]
    chat_template: str | Mapping[str, str] | None
    pad_id: int
    notes: tuple[str, ...] = field(default=())
    new_ids: tuple[int, ...] = ()

    @cached_property
    def digest_source(self) -> str:
        """Text that changes whenever the tokenizer does."""
        return str(self.backend.to_str())


def locate(name_or_path: str) -> str:
    """The folder of the bundled model for `pupil`, anything else as it is."""
    return str(files("tutelage") / "bundled" / BUNDLED) if name_or_path == BUNDLED else name_or_path


def absolute(name_or_path: str) -> str:
    """A local folder by its full path, a Hub id as it is: a name that holds wherever it is read from."""
    place = locate(name_or_path)
    return str(Path(place).absolute()) if Path(place).is_dir() else place


def written(section: ModelSection, folder: Path) -> ModelSection:
    """The model that a run has written into `folder`; its copy of the base's code is trusted where the base's is."""
    trusted = section.trust_remote_code
    if trust.is_trusted(section, locate(section.name_or_path)):
        trusted = (*trusted, str(folder))
    return section.model_copy(update={"name_or_path": str(folder), "revision": None, "trust_remote_code": trusted})


def load_tokenizer(section: ModelSection, *, new_tokens: Sequence[str] = ()) -> TokenizerFacts:
    """The tokenizer of a model, with a pad token that masks no real end.

    Args:
        new_tokens: texts that become special tokens of their own.

    Raises:
        ModelError: no tokenizer, a broken one, or one without a fast backend.
        RecipeError: a new token is empty, or a token already.
    """
    place = locate(section.name_or_path)
    below = _below_adapter(section)
    trust.check(section, place)
    trusted = trust.is_trusted(section, place)
    try:
        wrapped = AutoTokenizer.from_pretrained(place, revision=section.revision, trust_remote_code=trusted)
    except Exception as error:  # transformers and tokenizers raise bare Exception on broken files
        if below is not None and trust.ASKS_FOR_TRUST not in str(error):
            return load_tokenizer(below, new_tokens=new_tokens)
        raise _cannot_load("tokenizer", section, error) from error
    backend = wrapped.__dict__.get("_tokenizer")
    if not isinstance(backend, Tokenizer):
        raise ModelError(
            f"the tokenizer is a {type(wrapped).__name__} without a fast backend",
            code="unsupported-model",
            place=place,
            expected="a tokenizer.json",
            remedy="convert it once: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        )
    new_ids = vocabulary.add_tokens(wrapped, new_tokens)
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
        notes=(*end_notes, *pad_notes, *_trust_notes(section, place)),
        new_ids=new_ids,
    )


def _trust_notes(section: ModelSection, place: str) -> tuple[str, ...]:
    code = () if trust.is_trusted(section, place) else trust.code_of(section, place)
    unused = [f"Python code that came with the model is not run: {', '.join(code)}"] if code else []
    return (*unused, *trust.links_out(place))


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
    """The configuration of a model, without its weights; under an adapter, its vocabulary counts the adapter's rows."""
    *above, bare = _chain(section)
    place = locate(bare.section.name_or_path)
    trust.check(bare.section, place)
    trusted = trust.is_trusted(bare.section, place)
    try:
        config = AutoConfig.from_pretrained(place, revision=bare.section.revision, trust_remote_code=trusted)
    except Exception as error:
        raise _cannot_load("configuration", bare.section, error) from error
    rows = [number + 1 for part in above for number in vocabulary.rows_of_adapter(part.adapter)]
    if rows:
        text = config.get_text_config()
        text.vocab_size = max(text.vocab_size, *rows)
    return config


def served_stops(section: ModelSection) -> tuple[int, ...] | None:
    """Ids at which a server stops by the model's own files: generation_config.json, or else config.json; None for a
    folder with only a tokenizer."""
    section = _chain(section)[-1].section
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
    """A causal language model with its weights. A folder with an adapter is loaded on top of its base, and so on down:
    merged into the weights, or beside them where they are quantised.

    Its attention is the recipe's; `rows` is given to it later (`attention.switch`), until then it has its own.

    Args:
        dtype: of the weights in memory, but for those that `section.quantization` keeps in 4 or 8 bits.

    Raises:
        ModelError: nothing there, pickled weights, a broken file, an architecture that transformers lacks, or adapters
            whose base is gone or which name each other.
        MissingExtra: quantization without bitsandbytes.
    """
    *above, bare = _chain(section)
    model = _load_bare(bare.section, dtype)
    for part in reversed(above):
        vocabulary.add_rows(model, vocabulary.rows_of_adapter(part.adapter))
        model = adapters.put_on(model, locate(part.section.name_or_path), revision=part.section.revision)
    return model


def _load_bare(section: ModelSection, dtype: torch.dtype) -> PreTrainedModel:
    place = locate(section.name_or_path)
    kind = section.quantization
    settings = quantised.settings(kind, compute_dtype=dtype) if kind is not None else None
    trust.check(section, place)
    trust.refuse_pickles(place)
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            place,
            revision=section.revision,
            trust_remote_code=trust.is_trusted(section, place),
            dtype=dtype,
            attn_implementation=None if section.attn_implementation == "rows" else section.attn_implementation,
            use_safetensors=True,
            quantization_config=settings,
            output_loading_info=True,
        )
    except Exception as error:
        raise _cannot_load("model", section, error) from error
    _refuse_missing(sorted(found["missing_keys"]), section)
    return quantised.keep_trainable(model)


def _refuse_missing(names: Sequence[str], section: ModelSection) -> None:
    """transformers makes weights up that the files lack, and warns."""
    if names:
        raise ModelError(
            f"the files lack {len(names)} of the model's weights: {', '.join(names[:3])}{', ...' * (len(names) > 3)}",
            code="model-files",
            place=section.name_or_path,
            expected="every weight of the architecture that config.json names",
            remedy="fetch the model again; an encoder, or a model without its output head, cannot be fine-tuned here",
        )


def stored_dtype(config: PreTrainedConfig) -> torch.dtype:
    """The dtype that the weights are stored in, so that a tuned model is saved as its base came."""
    dtype = getattr(config, "dtype", None) or torch.float32
    return getattr(torch, dtype) if isinstance(dtype, str) else dtype


@dataclass(frozen=True)
class _Part:
    """A model or adapter of a chain; `adapter` is its adapter_config.json, empty for the bare model."""

    section: ModelSection
    adapter: Mapping[str, Any]


def _chain(section: ModelSection) -> list[_Part]:
    """Adapters from the topmost on, then the bare model that the last of them stands on."""
    parts: list[_Part] = []
    seen: list[str] = []
    while file := trust.file_of(place := locate(section.name_or_path), _ADAPTER, revision=section.revision):
        name = absolute(section.name_or_path)
        if name in seen:
            raise ModelError(
                f"adapters that stand on each other: {' -> '.join([*seen, name])}",
                code="adapter",
                place=file,
                expected="a chain of adapters that ends on a model",
                remedy="name the base that each was trained on as base_model_name_or_path",
            )
        seen.append(name)
        adapter = trust.read_json(place, _ADAPTER, revision=section.revision)
        parts.append(_Part(section, adapter))
        section = _base_of(adapter, section, file)
    return [*parts, _Part(section, {})]


def parts(section: ModelSection) -> tuple[ModelSection, ...]:
    """A model and what it stands on: adapters from the topmost on, then the bare model."""
    return tuple(part.section for part in _chain(section))


def _below_adapter(section: ModelSection) -> ModelSection | None:
    """What an adapter was trained on; None where the place is no adapter."""
    parts = _chain(section)
    return parts[1].section if len(parts) > 1 else None


def _base_of(adapter: Mapping[str, Any], section: ModelSection, file: str) -> ModelSection:
    """What an adapter was trained on. It is trusted where the recipe trusts it by its own name, whatever is said of the
    adapter; and an adapter from the Hub names no folder of this machine."""
    base, revision = adapter.get("base_model_name_or_path"), adapter.get("revision")
    if not isinstance(base, str) or not base:
        raise ModelError("the adapter does not say which model it belongs to", code="adapter", place=file)
    local = trust.looks_local(base)
    if local and not Path(base).exists():
        raise ModelError(
            f"the base of the adapter is gone: there is no {base!r}",
            code="adapter",
            place=file,
            expected="the folder or Hub id that the adapter was trained on",
            remedy=f"put it back, or name its new place as base_model_name_or_path in {file}",
        )
    if local and not Path(locate(section.name_or_path)).is_dir():
        raise ModelError(
            f"an adapter from the Hub names a folder of this machine as its base: {base!r}",
            code="adapter",
            place=file,
            expected="the Hub id of a model",
            remedy="fetch the adapter into a folder, and name its base in adapter_config.json there",
        )
    if not (revision is None or (isinstance(revision, str) and ".." not in revision)):
        raise ModelError(
            f"revision is {revision!r}", code="model-files", place=file, expected="a branch, tag or commit of the base"
        )
    return section.model_copy(update={"name_or_path": base, "revision": revision})


def _cannot_load(what: str, section: ModelSection, error: Exception) -> ModelError:
    place = locate(section.name_or_path)
    if trust.looks_local(place) and not Path(place).exists():
        return ModelError(
            f"no {what} at {place!r}",
            code="model-files",
            expected="a model folder, a Hub id as org/name, or pupil",
            remedy=f"check the path; {BUNDLED!r} is bundled",
        )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if trust.ASKS_FOR_TRUST in str(error):
        return trust.code_refused(section, place)
    if what == "model" and (broken := trust.broken_weights(place)):
        return ModelError(
            f"weights that cannot be read: {broken}", code="model-files", place=place, remedy="fetch the file again"
        )
    if what == "model" and not Path(place).is_dir() and "safetensors" in lines[0]:
        remedy = f"hf download {place} --local-dir DIR, and name DIR: the command that converts its weights is told"
        return ModelError(f"no weights as safetensors: {lines[0]}", code="pickled-weights", place=place, remedy=remedy)
    return ModelError(f"the {what} cannot be loaded: {lines[0]}", code="model-files", place=place)
