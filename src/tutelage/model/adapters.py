"""Which weights are trained: all of them, or low-rank adapters on linear layers; and adapters put on what they were
trained on."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel

from tutelage.errors import ModelError
from tutelage.model import trust, vocabulary
from tutelage.model.lora_product import fuse_products
from tutelage.model.quantised import in_8_bits, is_quantised
from tutelage.recipe import LoraSection

TRAINED = "default"  # peft's name of the adapter that is trained and saved; earlier ones are numbered
WEIGHTS = "adapter_model.safetensors"
_KINDS = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT")  # weights of their own, merged into the model's


def train_all(model: PreTrainedModel) -> PreTrainedModel:
    """Every weight is trained, as an fp32 master: updates far below the weight's own size are kept."""
    model.float()
    model.requires_grad_(True)
    return model


def add_lora(
    model: PreTrainedModel,
    section: LoraSection,
    *,
    base: str | None = None,
    revision: str | None = None,
    new_ids: Sequence[int] = (),
) -> PeftModel:
    """Low-rank adapters (LoRA, rsLoRA, DoRA), fp32, on frozen weights in their stored dtype.

    Args:
        base: folder or Hub id of what is trained on, kept with the adapter so that it is put on the same weights
            again: another adapter's, where the model came from one. Unset: the model's own name.
        revision: of the base, kept likewise.
        new_ids: tokens whose embeddings are trained too.

    Returns:
        The peft model, for saving; its base (with the adapters inside) is what is trained.

    Raises:
        ModelError: no module has a name in `target_modules`, or DoRA where weights cannot be measured.
    """
    below = _stacked(model)
    if section.use_dora:
        _refuse_dora(model, below)
    targets = section.target_modules
    config = LoraConfig(
        r=section.r,
        lora_alpha=section.lora_alpha,
        lora_dropout=section.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        use_rslora=section.use_rslora,
        use_dora=section.use_dora,
        trainable_token_indices=vocabulary.trained_rows(model, new_ids),
        task_type="CAUSAL_LM",
        revision=revision,
    )
    wrapped = _wrapped(model, config, targets)
    if base is not None:
        wrapped.peft_config[TRAINED].base_model_name_or_path = base
    _activate(wrapped, [*below, TRAINED])
    _in_fp32(weight for weight in wrapped.parameters() if weight.requires_grad)
    fuse_products(wrapped)
    return wrapped


def put_on(model: PreTrainedModel, place: str, *, revision: str | None = None) -> PreTrainedModel:
    """A model with a saved adapter: merged into its weights, or beside them where they are quantised.

    Args:
        place: folder or Hub id of the adapter.

    Raises:
        ModelError: the adapter has no safetensors, or does not fit the model.
    """
    _check(place, revision)
    below = _stacked(model)
    name = f"earlier_{len(below)}"
    try:
        with _several_adapters():
            wrapped = PeftModel.from_pretrained(model, place, adapter_name=name, revision=revision)
        if not is_quantised(model):
            merged: PreTrainedModel = wrapped.merge_and_unload()
            return merged
        _activate(wrapped, [*below, name])
    except (RuntimeError, ValueError, TypeError, SafetensorError) as error:  # other shapes, other modules, broken files
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the adapter does not fit its base: {reason}", code="adapter", place=place) from error
    base: PreTrainedModel = wrapped.get_base_model().requires_grad_(False)
    return base


def _check(place: str, revision: str | None) -> None:
    """Refuse what would be unpickled, and kinds of adapters that fetch more than their own weights."""
    kind = trust.read_json(place, "adapter_config.json", revision=revision).get("peft_type")
    if kind not in _KINDS:
        raise ModelError(
            f"an adapter of kind {kind!r}", code="adapter", place=place, expected=f"one of {', '.join(_KINDS)}"
        )
    trust.refuse_pickles(place, wanted=[WEIGHTS])
    if trust.file_of(place, WEIGHTS, revision=revision) is None:
        raise ModelError(
            f"the adapter has no {WEIGHTS}", code="adapter", place=place, expected="weights as safetensors"
        )


def _wrapped(model: PreTrainedModel, config: LoraConfig, targets: str | Sequence[str]) -> PeftModel:
    try:
        with _several_adapters():
            return get_peft_model(model, config, adapter_name=TRAINED)
    except ValueError as error:
        linear = sorted(
            {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        )
        raise ModelError(
            f"lora.target_modules {targets!r} fits no module of the model",
            code="nothing-trained",
            expected=f"some of: {', '.join(linear)}; or all-linear",
        ) from error


def _refuse_dora(model: PreTrainedModel, below: Sequence[str]) -> None:
    """DoRA measures the lengths of the weights' rows; refuse it where that is not to be had."""
    if below:
        raise ModelError(
            "lora.use_dora on a quantised model that has an adapter: DoRA measures the merged weights, "
            "which a quantised model does not have",
            code="adapter",
            expected="LoRA on top of the earlier adapter, or DoRA on the bare model",
            remedy="--set lora.use_dora=false",
        )
    if in_8_bits(model):
        raise ModelError(
            "DoRA on int8: bitsandbytes loses the scales of 8-bit weights when they are measured",
            code="adapter",
            expected="DoRA on nf4, or LoRA on int8",
            remedy="--set model.quantization=nf4, or --set lora.use_dora=false",
        )


def _stacked(model: PreTrainedModel) -> list[str]:
    """Names of adapters that stand beside a model's weights, the lowest first."""
    return list(getattr(model, "peft_config", {}))


def _activate(wrapped: PeftModel, names: Sequence[str]) -> None:
    """All these adapters count, only the one for training is trained."""
    if len(names) == 1:
        return
    wrapped.base_model.set_adapter(list(names))
    for name, weight in wrapped.named_parameters():
        if f".{TRAINED}." not in name and not name.endswith(f".{TRAINED}"):
            weight.requires_grad_(False)


@contextmanager
def _several_adapters() -> Iterator[None]:
    """peft warns of what is wanted here: a second adapter beside the first."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are trying to modify a model with PEFT for a second time")
        warnings.filterwarnings("ignore", "Already found a `peft_config` attribute")
        yield


def _in_fp32(weights: Iterable[nn.Parameter]) -> None:
    for weight in weights:
        weight.data = weight.data.to(torch.float32)
