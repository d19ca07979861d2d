"""The recipe: everything that decides a run, typed, frozen, nested by owner. One field, one key, one sentence.

Key names are those people know from TrainingArguments and peft. Unknown keys are refused with a suggestion; keys that
are set but would be read by nothing are refused too (`unused`, law 7).
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tutelage.errors import RecipeError

Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A part of the recipe, owned by one room."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Source(Section):
    """Where rows come from."""

    path: str = Field(description="file, folder, glob, or a Hub data set id; .gz and .zst are read as they are")
    format: str | None = Field(None, description="row format by name; unset: recognised from the first rows")
    columns: dict[str, str] | None = Field(
        None, description="column of the file -> what it means, e.g. {Frage: prompt, Antwort: response}"
    )
    weight: float | None = Field(None, gt=0, description="share of this source in the mixture; unset: all rows once")
    split: str | None = Field(None, description="split of a Hub data set; unset: train")
    subset: str | None = Field(None, description="configuration name of a Hub data set")


def _sources(value: Any) -> Any:
    """A single path or source may stand for a list of one."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]


Sources = Annotated[tuple[Source, ...], BeforeValidator(_sources)]


class ModelSection(Section):
    """The base model."""

    name_or_path: str = Field("pupil", description="folder, Hub id, or `pupil` for the bundled model")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub model")
    attn_implementation: Literal["rows", "sdpa", "eager"] = Field(
        "rows", description="attention: by row lengths, without a dense mask (`rows`), or as transformers names it"
    )
    trust_remote_code: bool = Field(False, description="execute Python code that comes with the model")


class DataSection(Section):
    """Which rows are trained and which are held out."""

    sources: Sources = Field((), description="training data: a path, or a list of paths or sources")
    eval_sources: Sources = Field((), description="held-out data; unset: a share of the training data is split off")
    eval_share: Share = Field(0.05, description="share of rows held out when there are no eval_sources")
    max_eval_rows: Count = Field(500, description="at most so many rows are split off by eval_share")
    group_by: str | None = Field(None, description="column whose equal values stay in the same half of the split")
    max_rows: Positive | None = Field(None, description="read at most so many rows in all, from the first on")
    max_lost_share: Share = Field(0.05, description="stop before training when a larger share of rows is lost")
    malformed: Literal["refuse", "drop"] = Field("refuse", description="a line that does not parse: stop, or drop it")


class TemplateSection(Section):
    """How a conversation becomes text."""

    name: str | None = Field(None, description="library name or Jinja file; unset: the tokenizer's own template")
    arguments: dict[str, Any] = Field({}, description="arguments of the template, e.g. {enable_thinking: false}")
    system: str | None = Field(None, description="system message for conversations that have none")
    train_on: Literal["assistant", "last", "all"] = Field(
        "assistant", description="train every assistant turn, only the last one, or all tokens"
    )
    train_reasoning: bool = Field(True, description="train the reasoning of a turn as well as its answer")


class TokensSection(Section):
    """How text becomes batches."""

    max_length: Positive | None = Field(
        None, description="longest sequence in tokens; unset: the model's context, at most 2048"
    )
    packing: bool = Field(True, description="several rows in one sequence, each seeing only itself")
    cache_dir: str | None = Field(None, description="folder of the token store; unset: ~/.cache/tutelage")


class LoraSection(Section):
    """Low-rank adapters (read when train.method is lora)."""

    r: Positive = Field(16, description="rank")
    lora_alpha: float = Field(32.0, gt=0, description="scale: updates are multiplied by lora_alpha / r")
    lora_dropout: Share = Field(0.0, description="dropout on the adapter's input")
    target_modules: str | tuple[str, ...] = Field(
        "all-linear", description="module names that get an adapter; all-linear: all but the output head"
    )


class TrainSection(Section):
    """The training loop."""

    method: Literal["full", "lora"] = Field("full", description="train all weights, or low-rank adapters")
    num_train_epochs: float = Field(3.0, gt=0, description="passes over the training data")
    max_steps: Positive | None = Field(None, description="stop after so many steps; overrides num_train_epochs")
    per_device_train_batch_size: Positive = Field(8, description="sequences (packs or rows) in one forward pass")
    gradient_accumulation_steps: Positive = Field(1, description="forward passes per optimizer step")
    learning_rate: float = Field(2e-5, gt=0, description="peak learning rate of AdamW")
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = Field("cosine", description="after the warm-up")
    warmup_ratio: Share = Field(0.03, description="share of the steps over which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, description="decoupled decay of weight matrices (not norms, not biases)")
    adam_beta1: Decay = Field(0.9, description="decay of the first moment")
    adam_beta2: Decay = Field(0.999, description="decay of the second moment")
    max_grad_norm: float = Field(1.0, ge=0, description="clip the gradient to this norm; 0: do not clip")
    dtype: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        description="arithmetic of the forward pass; weights that are trained stay fp32. auto: bf16 if fast here",
    )
    logging_steps: Positive = Field(1, description="steps between lines of metrics.jsonl")
    eval_steps: Positive | None = Field(None, description="steps between evaluations; unset: every epoch")
    save_steps: Positive | None = Field(None, description="steps between checkpoints; unset: every epoch")
    save_total_limit: Positive = Field(2, description="checkpoints kept besides the best one")
    load_best_model_at_end: bool = Field(False, description="keep the weights of the lowest evaluation loss")
    early_stopping_patience: Positive | None = Field(
        None, description="stop after so many evaluations without a lower loss"
    )


class EvaluateSection(Section):
    """Before and after: the same held-out questions to base and tuned model."""

    num_questions: Count = Field(100, description="held-out questions asked before and after; 0: none")
    max_new_tokens: Positive = Field(128, description="limit of one answer")
    batch_size: Positive = Field(32, description="questions generated together")


class Recipe(Section):
    """Everything that decides a run."""

    output_dir: str = Field("runs/tutelage", description="folder of the run: report, model, metrics, checkpoints")
    seed: Count = Field(42, description="split, order, initialisation and dropout follow from it")
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    template: TemplateSection = TemplateSection()
    tokens: TokensSection = TokensSection()
    lora: LoraSection = LoraSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file with `key=value` overrides applied.

    Raises:
        RecipeError: unreadable file, unknown key, wrong value, or a key that nothing would read.
    """
    file = Path(path)
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise RecipeError("the recipe does not exist", place=str(path), remedy="tutelage init --data FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe cannot be read: {error}", place=str(path)) from None
    except yaml.YAMLError as error:
        raise RecipeError(f"not valid YAML: {_yaml_problem(error)}", place=_yaml_place(path, error)) from None
    if not isinstance(tree, dict):
        raise RecipeError(f"found a {type(tree).__name__}", place=str(path), expected="a mapping of sections to keys")
    return build(tree, overrides, place=str(path))


def build(tree: Mapping[str, Any], overrides: Sequence[str] = (), *, place: str = "recipe") -> Recipe:
    """A recipe from nested mappings, with `section.key=value` overrides (values are YAML).

    Raises:
        RecipeError: unknown key, wrong value, or a key that nothing would read.
    """
    merged = {name: part for name, part in _copy(tree).items() if part is not None}  # `train:` with nothing below
    for override in overrides:
        _apply(merged, override)
    try:
        recipe = Recipe.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, place) from None
    refuse_unused(recipe, place)
    return recipe


def dump(recipe: Recipe) -> str:
    """The fully resolved recipe as YAML: every key that is read, with its value. Loading it gives the same run."""
    tree = recipe.model_dump(mode="json")
    for key, (is_read, _) in _READ_WHEN.items():
        if not is_read(recipe):
            *parents, last = key.split(".")
            owner = tree
            for parent in parents:
                owner = owner[parent]
            del owner[last]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def flat(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """All keys with their values as JSON types, as {"train.learning_rate": 1e-4}; sources stay lists of mappings."""
    found: dict[str, Any] = {}
    for name, value in section:
        if isinstance(value, Section):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = section.model_dump(mode="json", include={name})[name]
    return found


def keys(section: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[tuple[str, str]]:
    """All keys with their descriptions, as ("train.learning_rate", "peak learning rate of AdamW")."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description or ""


# Keys that are read only under a condition: key (or section) -> (is it read?, why not, what to do).
_READ_WHEN: dict[str, tuple[Any, str]] = {
    "lora": (lambda r: r.train.method == "lora", "train.method is not lora"),
    "data.eval_share": (lambda r: not r.data.eval_sources, "data.eval_sources gives the held-out rows"),
    "data.max_eval_rows": (lambda r: not r.data.eval_sources, "data.eval_sources gives the held-out rows"),
    "data.group_by": (lambda r: not r.data.eval_sources, "nothing is split off: data.eval_sources is set"),
    "template.train_reasoning": (lambda r: r.template.train_on != "all", "template.train_on all trains every token"),
    "train.num_train_epochs": (lambda r: r.train.max_steps is None, "train.max_steps decides the length of the run"),
    "evaluate.max_new_tokens": (lambda r: r.evaluate.num_questions > 0, "evaluate.num_questions is 0"),
    "evaluate.batch_size": (lambda r: r.evaluate.num_questions > 0, "evaluate.num_questions is 0"),
}


def refuse_unused(recipe: Recipe, place: str = "recipe") -> None:
    """Refuse a key that was set and that nothing would read (law 7).

    Raises:
        RecipeError: naming the key and why it would not be read.
    """
    for key in _set_keys(recipe):
        owner = key if key in _READ_WHEN else key.split(".")[0]
        is_read, why = _READ_WHEN.get(owner, (None, ""))
        if is_read is not None and not is_read(recipe):
            raise RecipeError(f"`{key}` is set, but nothing would read it: {why}", place=place, remedy=f"remove {key}")


def _set_keys(section: BaseModel, prefix: str = "") -> Iterator[str]:
    for name, value in section:
        if name not in section.model_fields_set:
            continue
        if isinstance(value, Section):
            yield from _set_keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override}", expected="section.key=value", remedy="--set train.learning_rate=1e-4")
    *parents, last = key.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"--set {override}: `{parent}` is not a section")
    try:
        tree[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        tree[last] = text


def _explain(error: ValidationError, place: str) -> RecipeError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = [name for name, _ in (*keys(), *keys(Source, "data.sources."))]
        near = difflib.get_close_matches(key, known, 1, 0.6) or _same_name(path[-1], known)
        hint = f"did you mean `{near[0]}`?" if near else "see `tutelage init` for every key"
        return RecipeError(f"unknown key `{key}` (value {first['input']!r})", place=place, remedy=hint)
    described = dict(keys()).get(key, "")
    message = first["msg"].removeprefix("Input should be ")
    return RecipeError(
        f"`{key}` is {first['input']!r}", place=place, expected=message, remedy=described and f"{key}: {described}"
    )


def _same_name(name: str, known: Sequence[str]) -> list[str]:
    leaves = {key.rsplit(".", 1)[-1]: key for key in known}
    return [leaves[near] for near in difflib.get_close_matches(name, leaves, 1, 0.7)]


def _yaml_problem(error: yaml.YAMLError) -> str:
    return error.problem or str(error) if isinstance(error, yaml.MarkedYAMLError) else str(error)


def _yaml_place(path: str | Path, error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f"{path}:{mark.line + 1}" if mark else str(path)
