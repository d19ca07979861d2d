"""The recipe: everything that decides a run, typed, frozen, nested by owner. One field, one key, one sentence.

Key names are those people know from TrainingArguments and peft. Unknown keys are refused with a suggestion; keys that
are set but would be read by nothing are refused too (`unused`, law 7).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from tutelage import recipe_keys, yaml_values
from tutelage.errors import RecipeError, redacted
from tutelage.recipe_faults import Known, explained, refuse_mixture

Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A part of the recipe, owned by one room."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, ser_json_inf_nan="constants"
    )


class Source(Section):
    """Where rows come from."""

    path: str = Field(description="file, folder, glob, or a Hub data set id; .gz and .zst are read as they are")
    format: str | None = Field(None, description="row format by name; unset: recognised from the first rows")
    columns: dict[str, str] | None = Field(
        None, description="column of the file -> what it means, e.g. {Frage: prompt, Antwort: response}"
    )
    weight: float | None = Field(None, gt=0, description="share of this source in the mixture; unset: all rows once")
    rows: Positive | None = Field(
        None, description="exactly so many rows of this source in an epoch, instead of weight"
    )
    role: Literal["general", "domain"] | None = Field(None, description="what it is for in data.mode")
    split: str | None = Field(None, description="split of a Hub data set; unset: train")
    subset: str | None = Field(None, description="configuration name of a Hub data set")


def _sources(value: Any) -> Any:
    """A single path or source may stand for a list of one."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]


Sources = Annotated[tuple[Source, ...], BeforeValidator(_sources)]


def _trusted(value: Any, info: ValidationInfo) -> Any:
    """`true` is a word for one name, so that no other model of the run inherits it."""
    named = [info.data.get("name_or_path")] * value if isinstance(value, bool) else value
    return [named] if isinstance(named, str) else named


class ModelSection(Section):
    """The base model."""

    name_or_path: str = Field("pupil", description="folder, Hub id, or `pupil` for the bundled model")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub model")
    attn_implementation: Literal["rows", "sdpa", "eager"] = Field(
        "rows", description="attention: by row lengths, without a dense mask (`rows`), or as transformers names it"
    )
    trust_remote_code: Annotated[tuple[str, ...], BeforeValidator(_trusted)] = Field(
        (), description="models, by name, whose own Python code may be executed; true: the one of name_or_path"
    )
    quantization: Literal["nf4", "int8"] | None = Field(
        None, description="frozen weights in 4 or 8 bits under adapters: nf4 (doubly quantised) or int8"
    )


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
    temperature: float | None = Field(
        None, gt=0, description="shares of the sources as rows ** (1 / temperature), instead of weights; 1: as they are"
    )
    mode: Literal["general", "domain", "mixed", "continual"] | None = Field(
        None, description="train general or domain sources, both mixed, or domain ones with a replay of general ones"
    )
    replay_share: float = Field(0.05, gt=0, lt=1, description="share of general rows in an epoch of mode continual")

    @property
    def trained(self) -> tuple[Source, ...]:
        """The sources that the mode trains on, in their order."""
        return tuple(one for one in self.sources if self.mode not in ("general", "domain") or one.role == self.mode)


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
    new_tokens: tuple[str, ...] = Field(
        (), description="texts that become tokens of their own, as <|im_start|>; their embeddings are trained"
    )
    cache_dir: str | None = Field(None, description="folder of the token store; unset: ~/.cache/tutelage")


class LoraSection(Section):
    """Low-rank adapters (read when train.method is lora)."""

    r: Positive = Field(16, description="rank")
    lora_alpha: float = Field(32.0, gt=0, description="scale: updates are multiplied by lora_alpha / r")
    lora_dropout: Share = Field(0.0, description="dropout on the adapter's input")
    target_modules: str | tuple[str, ...] = Field(
        "all-linear", description="module names that get an adapter; all-linear: all but the output head"
    )
    use_rslora: bool = Field(False, description="scale updates by lora_alpha / sqrt(r) instead")
    use_dora: bool = Field(False, description="train the length of each weight row beside its direction")


class FreezeSection(Section):
    """Which weights stay trainable (read when train.method is freeze)."""

    trainable_layers: Count = Field(2, description="so many layers at the end are trained, with the norm behind them")
    trainable_modules: tuple[str, ...] = Field(
        (), description="patterns of weights to train besides, as *.embed_tokens.* (* stands for any characters)"
    )
    cache_trunk: Literal["auto", "never"] = Field(
        "auto", description="keep the outputs of the frozen layers across epochs where that is cheaper"
    )


MetricName = Literal["exact_match", "contains", "numeric", "f1", "bleu", "chrf", "rouge1", "rouge2", "rougeL", "code"]
Optimizer = Literal["adamw", "adamw_8bit", "paged_adamw_8bit", "adafactor", "muon", "sgd"]
Schedule = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "cosine_with_min_lr",
    "warmup_stable_decay",
]


class TrainSection(Section):
    """The training loop."""

    method: Literal["full", "freeze", "lora"] = Field(
        "full", description="train all weights, the last layers, or low-rank adapters"
    )
    num_train_epochs: float = Field(3.0, gt=0, description="passes over the training data")
    max_steps: Positive | None = Field(None, description="length in steps, instead of num_train_epochs")
    per_device_train_batch_size: Positive | Literal["auto"] = Field(
        8,
        description="sequences (packs or rows) in one forward pass; auto: as many of a step's "
        "gradient_accumulation_steps sequences as memory holds",
    )
    gradient_accumulation_steps: Positive = Field(1, description="forward passes per optimizer step")
    optim: Optimizer = Field("adamw", description="optimizer; adamw_8bit and paged_adamw_8bit keep moments in 8 bits")
    learning_rate: float = Field(2e-5, gt=0, description="peak learning rate")
    lr_scheduler_type: Schedule = Field("cosine", description="schedule by transformers' name")
    lr_scheduler_kwargs: dict[str, Any] = Field({}, description="arguments of the schedule, as {min_lr_rate: 0.1}")
    warmup_ratio: Share = Field(0.03, description="share of the steps over which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, description="decoupled decay of weight matrices (not norms, not biases)")
    adam_beta1: Decay = Field(0.9, description="decay of the first moment (momentum of sgd and muon)")
    adam_beta2: Decay = Field(0.999, description="decay of the second moment")
    max_grad_norm: float = Field(1.0, ge=0, description="clip the gradient to this norm; 0: do not clip")
    loss_type: Literal["nll", "dft"] = Field(
        "nll", description="negative log-likelihood, or dft: each token's loss times its probability"
    )
    label_smoothing_factor: Decay = Field(0.0, description="share of the target that is spread over all tokens")
    neftune_noise_alpha: float = Field(0.0, ge=0, description="noise on the embeddings of each row while training")
    dtype: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto",
        description="arithmetic of the forward pass; weights that are trained stay fp32. auto: bf16 if fast here",
    )
    gradient_checkpointing: Literal["none", "selective", "full"] = Field(
        "none", description="less memory for more time: recompute layers, or all but their matrix products"
    )
    torch_compile: bool = Field(False, description="compile the layers with torch.compile; the time it takes is told")
    logging_steps: Positive = Field(1, description="steps between lines of metrics.jsonl")
    eval_steps: Positive | None = Field(None, description="steps between evaluations; unset: every epoch")
    save_steps: Positive | None = Field(None, description="steps between checkpoints; unset: every epoch")
    save_total_limit: Positive = Field(2, description="checkpoints kept besides the best one")
    load_best_model_at_end: bool = Field(False, description="keep the weights of the lowest evaluation loss")
    early_stopping_patience: Positive | None = Field(
        None, description="stop after so many evaluations without a lower loss"
    )


class EvaluateSection(Section):
    """Before and after: the same questions to base and tuned model."""

    num_questions: Count = Field(
        100, description="held-out questions asked before and after, and at most so many of each suite; 0: none"
    )
    metric: MetricName = Field("exact_match", description="how answers to held-out questions are scored")
    suites: tuple[str, ...] = Field((), description="suites asked besides: bundled names, or files")
    suite_steps: Positive | None = Field(
        None, description="ask the suites every so many steps of training too; unset: only before and after"
    )
    max_new_tokens: Positive = Field(128, description="limit of one answer")
    batch_size: Positive = Field(32, description="questions generated together")
    judge_url: str | None = Field(
        None, description="endpoint of a judge (OpenAI-compatible); its key is read from JUDGE_API_KEY"
    )
    judge_model: str | None = Field(None, description="name of the judge model there")


class CurateSection(Section):
    """What `tutelage data clean` keeps."""

    min_relevance: Share = Field(
        0.7, description="drop rows whose answer fits their prompt no better than this share of answers from elsewhere"
    )
    min_completeness: Share = Field(0.6, description="drop rows whose answer is less complete: cut off, a refusal, ...")
    personal_data: Literal["redact", "drop", "keep"] = Field(
        "redact",
        description="e-mail addresses, numbers of cards and identity cards, keys: placeholders, or drop the row",
    )
    guard_url: str | None = Field(
        None, description="endpoint of a guard model (OpenAI-compatible); its key is read from GUARD_API_KEY"
    )
    guard_model: str | None = Field(None, description="name of the guard model there; rows it calls unsafe go")
    label_url: str | None = Field(
        None, description="endpoint of a model that labels rows (OpenAI-compatible); its key is read from LABEL_API_KEY"
    )
    label_model: str | None = Field(None, description="name of the labelling model there")
    deduplicate: bool = Field(
        True, description="of prompts that are asked in the same or nearly the same words, keep the best row only"
    )
    semantic_model: str | None = Field(
        None, description="model2vec model (folder or Hub id) by which prompts that mean the same go too; unset: none"
    )
    decontaminate: tuple[str, ...] = Field(
        (), description="evaluation sets whose prompts are not trained on: files, or names of benchmarks as gsm8k"
    )


class Recipe(Section):
    """Everything that decides a run."""

    output_dir: str = Field("runs/tutelage", description="folder of the run: report, model, metrics, checkpoints")
    seed: Count = Field(42, lt=2**63, description="split, order, initialisation and dropout follow from it")
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    template: TemplateSection = TemplateSection()
    tokens: TokensSection = TokensSection()
    lora: LoraSection = LoraSection()
    freeze: FreezeSection = FreezeSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    curate: CurateSection = CurateSection()


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file with `key=value` overrides applied.

    Raises:
        RecipeError: unreadable file, unknown key, wrong value, or a key that nothing would read.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(
            "the recipe does not exist", code="recipe-file", place=str(path), remedy="tutelage init --data FILE"
        ) from None
    except (OSError, ValueError) as error:  # a name with a null byte, or text that is not UTF-8
        raise RecipeError(f"the recipe cannot be read: {error}", code="recipe-file", place=str(path)) from None
    tree = yaml_values.parsed(text, str(path)) or {}
    if not isinstance(tree, dict):
        raise RecipeError(
            f"found a {type(tree).__name__}",
            code="recipe-file",
            place=str(path),
            expected="a mapping of sections to keys",
        )
    return build(tree, overrides, place=str(path))


def build(tree: Mapping[str, Any], overrides: Sequence[str] = (), *, place: str = "recipe") -> Recipe:
    """A recipe from nested mappings, with `section.key=value` overrides (values are YAML).

    Raises:
        RecipeError: unknown key, wrong value, or a key that nothing would read.
    """
    base = {name: part for name, part in _copy(tree).items() if part is not None}  # `train:` with nothing below
    _refuse_secrets(base, place)
    if overrides:
        refuse_unused(_validated(base, place), place)
        base = _overridden(base, overrides, place=place)
    recipe = _validated(base, place)
    refuse_unused(recipe, place)
    section = recipe.data
    refuse_mixture(
        section.sources, section.eval_sources, mode=section.mode, temperature=section.temperature, place=place
    )
    return recipe


def _refuse_secrets(tree: Any, place: str, key: str = "") -> None:
    """A recipe is kept with the run and shown in its report, so nothing secret may stand in it (law 10)."""
    if isinstance(tree, str) and redacted(tree) != tree:
        remedy = "name a file that is fetched already; a token of the Hub is read from HF_TOKEN"
        raise RecipeError(
            f"`{key}` holds a password or an access token", code="secret-in-recipe", place=place, remedy=remedy
        )
    parts = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, (list, tuple)) else ()
    for name, part in parts:
        _refuse_secrets(part, place, f"{key}.{name}" if key else str(name))


def _validated(tree: Mapping[str, Any], place: str) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        described = (*recipe_keys.described(Recipe), *recipe_keys.described(Source, "data.sources."))
        names = [*Recipe.model_fields, *(key for key, _ in described)]
        raise explained(error, Known(Recipe.model_fields, names), place=place) from None


def _overridden(tree: Mapping[str, Any], overrides: Sequence[str], *, place: str) -> dict[str, Any]:
    """The tree with overrides. Keys of the tree that an override makes unread are lifted (`train.method=full` lifts
    `lora`); keys that the overrides themselves set are not."""
    merged, said = _copy(tree), _copy({})
    for override in overrides:
        yaml_values.apply(merged, override)
        yaml_values.apply(said, override)
    yaml_values.check(merged, place)
    _refuse_secrets(merged, place)
    recipe = _validated(merged, place)
    for key in set(recipe_keys.given(recipe)) - set(recipe_keys.leaves(said)):
        if not _why_unread(key, recipe):
            continue
        *parents, last = key.split(".")
        owner = merged
        for parent in parents:
            owner = owner[parent]
        del owner[last]
    return {name: part for name, part in merged.items() if part != {}}


def dump(recipe: Recipe, *, curating: bool = False) -> str:
    """The fully resolved recipe as YAML: every key that is read, with its value. Loading it gives the same run.

    Args:
        curating: of a curation; else its section is read by nothing.
    """
    tree = recipe.model_dump(mode="json")
    for key, (is_read, _) in _READ_WHEN.items():
        if not is_read(recipe):
            *parents, last = key.split(".")
            owner = tree
            for parent in parents:
                owner = owner[parent]
            del owner[last]
    if not curating:
        del tree["curate"]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def _holds_out(recipe: Recipe) -> bool:
    return bool(recipe.data.eval_sources) or (recipe.data.eval_share > 0 and recipe.data.max_eval_rows > 0)


def _asks(recipe: Recipe) -> bool:
    return recipe.evaluate.num_questions > 0 and (_holds_out(recipe) or bool(recipe.evaluate.suites))


_NOTHING_HELD_OUT = "no rows are held out (data.eval_share or data.max_eval_rows is 0)"
_NOTHING_ASKED = "no questions are asked (nothing is held out and no suite is named, or evaluate.num_questions is 0)"

# Keys that are read only under a condition: key (or section) -> (is it read?, why not).
_READ_WHEN: dict[str, tuple[Callable[[Recipe], bool], str]] = {
    "lora": (lambda r: r.train.method == "lora", "train.method is not lora"),
    "freeze": (lambda r: r.train.method == "freeze", "train.method is not freeze"),
    "train.adam_beta1": (lambda r: r.train.optim != "adafactor", "adafactor keeps no first moment"),
    "train.adam_beta2": (lambda r: "adamw" in r.train.optim or r.train.optim == "muon", "only adamw has it"),
    "data.eval_share": (lambda r: not r.data.eval_sources, "data.eval_sources gives the held-out rows"),
    "data.max_eval_rows": (lambda r: not r.data.eval_sources, "data.eval_sources gives the held-out rows"),
    "data.group_by": (lambda r: not r.data.eval_sources, "nothing is split off: data.eval_sources is set"),
    "data.temperature": (
        lambda r: sum(one.rows is None for one in r.data.trained) > 1,
        "no two sources share the rows",
    ),
    "curate.guard_model": (lambda r: r.curate.guard_url is not None, "curate.guard_url names no endpoint"),
    "curate.label_model": (lambda r: r.curate.label_url is not None, "curate.label_url names no endpoint"),
    "curate.semantic_model": (lambda r: r.curate.deduplicate, "curate.deduplicate is false"),
    "data.replay_share": (lambda r: r.data.mode == "continual", "data.mode is not continual"),
    "template.train_reasoning": (lambda r: r.template.train_on != "all", "template.train_on all trains every token"),
    "train.num_train_epochs": (lambda r: r.train.max_steps is None, "train.max_steps decides the length of the run"),
    "train.eval_steps": (_holds_out, _NOTHING_HELD_OUT),
    "train.load_best_model_at_end": (_holds_out, _NOTHING_HELD_OUT),
    "train.early_stopping_patience": (_holds_out, _NOTHING_HELD_OUT),
    "evaluate.metric": (_asks, _NOTHING_ASKED),
    "evaluate.suites": (_asks, _NOTHING_ASKED),
    "evaluate.suite_steps": (lambda r: _asks(r) and bool(r.evaluate.suites), "evaluate.suites names no suite"),
    "evaluate.judge_url": (_asks, _NOTHING_ASKED),
    "evaluate.judge_model": (lambda r: r.evaluate.judge_url is not None, "evaluate.judge_url names no endpoint"),
    "evaluate.max_new_tokens": (_asks, _NOTHING_ASKED),
    "evaluate.batch_size": (_asks, _NOTHING_ASKED),
}


def refuse_unused(recipe: Recipe, place: str = "recipe") -> None:
    """Refuse a key that was set and that nothing would read (law 7).

    Raises:
        RecipeError: naming the key and why it would not be read.
    """
    for key in recipe_keys.given(recipe):
        why = _why_unread(key, recipe)
        if why:
            raise RecipeError(
                f"`{key}` is set, but nothing would read it: {why}",
                code="unread-key",
                place=place,
                remedy=f"remove {key}",
            )


def refuse_curation(recipe: Recipe) -> None:
    """Refuse a key of `curate` that was set: the verb that asks does not curate (law 7).

    Raises:
        RecipeError: naming the key and the verb that reads it.
    """
    for key in recipe_keys.given(recipe):
        if key.startswith("curate."):
            raise RecipeError(
                f"`{key}` is set, but nothing would read it: `tutelage data clean` reads it, this verb does not",
                code="unread-key",
                place="recipe",
                remedy=f"remove {key}, or give it to tutelage data clean with --set",
            )


def _why_unread(key: str, recipe: Recipe) -> str:
    """Why nothing would read a key; empty where it is read."""
    owner = key if key in _READ_WHEN else key.split(".")[0]
    is_read, why = _READ_WHEN.get(owner, (None, ""))
    return "" if is_read is None or is_read(recipe) else why


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
