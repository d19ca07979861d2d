"""Law 7: an unknown key is refused with a suggestion, a key that nothing would read is refused, and every key of the
recipe is really read by a run."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.endpoints import running
from tests.small import Listening, questions
from tutelage import recipe as recipes
from tutelage import recipe_keys
from tutelage.errors import RecipeError
from tutelage.recipe import Recipe, Section, Source
from tutelage.run.chatting import chat
from tutelage.run.curating.cleaning import clean
from tutelage.run.curating.mixing import mix
from tutelage.run.curating.workers import Workers
from tutelage.run.doctoring import doctor
from tutelage.run.inspecting import inspect
from tutelage.run.preflighting import preflight
from tutelage.run.previewing import preview
from tutelage.run.training import train

# All keys. Adding one is a reviewed act: say here that it is wanted.
KEYS = tuple(
    """
    output_dir seed
    model.name_or_path model.revision model.attn_implementation model.trust_remote_code
    model.quantization
    data.sources data.eval_sources data.eval_share data.max_eval_rows data.group_by data.max_rows data.max_lost_share
    data.malformed data.temperature data.mode data.replay_share
    template.name template.arguments template.system template.train_on template.train_reasoning
    tokens.max_length tokens.packing tokens.new_tokens tokens.cache_dir
    lora.r lora.lora_alpha lora.lora_dropout lora.target_modules lora.use_rslora
    lora.use_dora freeze.trainable_layers freeze.trainable_modules freeze.cache_trunk
    train.method train.num_train_epochs train.max_steps train.per_device_train_batch_size
    train.gradient_accumulation_steps train.optim train.learning_rate train.lr_scheduler_type train.lr_scheduler_kwargs
    train.warmup_ratio train.weight_decay train.adam_beta1 train.adam_beta2 train.max_grad_norm train.loss_type
    train.label_smoothing_factor train.neftune_noise_alpha train.dtype train.gradient_checkpointing train.torch_compile
    train.logging_steps train.eval_steps
    train.save_steps train.save_total_limit train.load_best_model_at_end train.early_stopping_patience
    evaluate.num_questions evaluate.metric evaluate.suites evaluate.suite_steps evaluate.max_new_tokens
    evaluate.batch_size evaluate.judge_url evaluate.judge_model
    curate.min_relevance curate.min_completeness curate.personal_data curate.guard_url curate.guard_model
    curate.label_url curate.label_model curate.deduplicate
    curate.semantic_model curate.decontaminate
    """.split()  # noqa: SIM905
)
CURATE = {key for key in KEYS if key.startswith("curate.")}
MODELS = {"curate.guard_model", "curate.label_model"}  # refused without their endpoints
SOURCE_KEYS = ("path", "format", "columns", "weight", "rows", "role", "split", "subset")

JUDGE = "http://judge"  # stands for the endpoint that a test runs

# Runs that differ in what they read; each is a short one on a tiny model.
RUNS: dict[str, dict[str, Any]] = {
    "full and packed": {"train": {"num_train_epochs": 1.0}, "evaluate": {"num_questions": 2, "max_new_tokens": 3}},
    "lora and padded": {
        "train": {"method": "lora", "max_steps": 2, "gradient_accumulation_steps": 2, "lr_scheduler_type": "linear"},
        "tokens": {"packing": False},
        "lora": {"r": 2},
    },
    "last layer": {
        "train": {"method": "freeze", "num_train_epochs": 2.0},
        "freeze": {"trainable_layers": 1, "trainable_modules": ["lm_head.*"]},
    },
    "held-out files": {"train": {"max_steps": 2}, "data": {"eval_sources": "held.jsonl"}},
    "continual": {
        "train": {"max_steps": 2},
        "data": {
            "sources": [{"path": "held.jsonl", "role": "general"}, {"path": "rows.jsonl", "role": "domain"}],
            "mode": "continual",
            "temperature": 2.0,
        },
    },
    "nothing held out": {"train": {"max_steps": 2}, "data": {"eval_share": 0.0}},
    "suites": {
        "train": {"max_steps": 2},
        "data": {"eval_share": 0.0},
        "evaluate": {
            "suites": ["world_en"],
            "suite_steps": 1,
            "num_questions": 2,
            "max_new_tokens": 2,
            "judge_url": JUDGE,
            "judge_model": "judge",
        },
    },
    "noisy dft": {
        "train": {
            "max_steps": 2,
            "loss_type": "dft",
            "label_smoothing_factor": 0.1,
            "neftune_noise_alpha": 5.0,
            "gradient_checkpointing": "selective",
            "optim": "sgd",
            "lr_scheduler_type": "polynomial",
            "lr_scheduler_kwargs": {"power": 2.0},
        },
    },
    "all tokens": {"train": {"max_steps": 2}, "template": {"name": "chatml", "train_on": "all"}},
}


def test_these_are_the_keys() -> None:
    described = dict(recipe_keys.described(Recipe))
    assert tuple(described) == KEYS
    assert tuple(Source.model_fields) == SOURCE_KEYS
    assert all(text and text[0].islower() for _, text in (*described.items(), *recipe_keys.described(Source)))


@contextmanager
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Keys that are asked for while the context lasts, those by the recipe's own room left out."""
    names = {field.annotation: f"{name}." for name, field in Recipe.model_fields.items()}
    names |= {Recipe: "", Source: "data.sources."}
    seen: set[str] = set()
    plain = Section.__getattribute__

    def spy(section: Section, name: str) -> Any:
        if name in type(section).model_fields and sys._getframe(1).f_globals["__name__"] != "tutelage.recipe":
            seen.add(f"{names[type(section)]}{name}")
        return plain(section, name)

    with monkeypatch.context() as patch:
        patch.setattr(Section, "__getattribute__", spy)
        yield seen


def recipe_of(make_recipe, folder: Path, run: str, judge: str = JUDGE) -> Recipe:
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(3, start=50)))
    text = json.dumps(RUNS[run]).replace(JUDGE, judge)
    for name in ("held.jsonl", "rows.jsonl"):
        text = text.replace(json.dumps(name), json.dumps(str(folder / name)))
    sections = json.loads(text)
    sections["tokens"] = {**sections.get("tokens", {}), "cache_dir": str(folder / f"{run} tokens")}
    return make_recipe(questions(10), **{**sections, "output_dir": str(folder / run)})


def keys_read(make_recipe, monkeypatch: pytest.MonkeyPatch, folder: Path, run: str) -> set[str]:
    with running() as judge:
        recipe = recipe_of(make_recipe, folder, run, judge.url)
        with reads(monkeypatch) as seen:
            result = train(recipe, terminal=Listening())
    assert result.outcome.state.step > 0
    return {key for key in seen if key in KEYS}


def test_every_key_is_read_in_some_run(make_recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {run: keys_read(make_recipe, monkeypatch, tmp_path, run) for run in RUNS}
    assert set().union(*found.values()) == set(KEYS) - CURATE
    assert "lora.r" not in found["full and packed"]
    for run, seen in found.items():
        for key in set(KEYS) - CURATE - seen:
            refused(make_recipe, tmp_path, run, key)


def refused(make_recipe, folder: Path, run: str, key: str) -> None:
    """A key that a run does not read is refused when it is set for that run."""
    tree = yaml.safe_load(recipes.dump(recipe_of(make_recipe, folder, run)))
    section, name = key.split(".")
    default = Recipe.model_fields[section].annotation.model_fields[name].default
    tree.setdefault(section, {})[name] = list(default) if isinstance(default, tuple) else default
    with pytest.raises(RecipeError, match=rf"`{key}` is set, but nothing would read it"):
        recipes.build(tree)


WITHOUT_CURATION = (
    lambda recipe: train(recipe, terminal=Listening()),
    lambda recipe: preflight(recipe, terminal=Listening()),
    lambda recipe: inspect(recipe, with_model=False),
    preview,
    doctor,
    lambda recipe: chat(recipe, [], write=str),
    lambda recipe: mix(recipe, output=f"{recipe.output_dir}-mixed"),
)


@pytest.mark.parametrize("key", sorted(CURATE - MODELS))
def test_other_verbs_refuse_what_only_a_curation_reads(make_recipe, key: str) -> None:
    section, name = key.split(".")
    value = Recipe.model_fields[section].annotation.model_fields[name].default
    recipe = make_recipe(questions(10), curate={name: value})
    for verb in WITHOUT_CURATION:
        with pytest.raises(RecipeError, match=rf"`{key}` is set, but nothing would read it.*data clean"):
            verb(recipe)


def test_a_curation_reads_every_key_of_its_own(make_recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(questions(10))
    with reads(monkeypatch) as seen:
        clean(recipe, output=tmp_path / "clean", workers=Workers(1), terminal=Listening())
    assert seen >= CURATE


UNREAD = {
    "lora.r=4": "train.method is not lora",
    "train.method=full lora.lora_dropout=0.1": "train.method is not lora",
    "lora.use_dora=true": "train.method is not lora",
    "lora.use_rslora=true": "train.method is not lora",
    "freeze.trainable_layers=1": "train.method is not freeze",
    "train.max_steps=3 train.num_train_epochs=2": "train.max_steps decides",
    "data.eval_sources=held.jsonl data.eval_share=0.1": "data.eval_sources gives the held-out rows",
    "data.eval_sources=held.jsonl data.group_by=topic": "nothing is split off",
    "data.sources=a.jsonl data.temperature=2": "no two sources share the rows",
    "curate.guard_model=watcher": "names no endpoint",
    "curate.label_model=librarian": "names no endpoint",
    "curate.deduplicate=false curate.semantic_model=potion": "curate.deduplicate is false",
    "data.mode=domain data.replay_share=0.1": "data.mode is not continual",
    "template.train_on=all template.train_reasoning=false": "trains every token",
    "evaluate.num_questions=0 evaluate.max_new_tokens=5": "no questions are asked",
    "evaluate.num_questions=0 evaluate.metric=f1": "no questions are asked",
    "data.eval_share=0 evaluate.num_questions=0 evaluate.suites=[world_en]": "no questions are asked",
    "evaluate.suite_steps=2": "names no suite",
    "evaluate.num_questions=0 evaluate.judge_url=http://localhost:1/v1": "no questions are asked",
    "evaluate.judge_model=m": "names no endpoint",
    "data.eval_share=0 train.early_stopping_patience=2": "no rows are held out",
    "data.max_eval_rows=0 train.load_best_model_at_end=true": "no rows are held out",
    "data.eval_share=0 train.eval_steps=5": "no rows are held out",
    "train.optim=adafactor train.adam_beta1=0.8": "adafactor keeps no first moment",
    "train.optim=sgd train.adam_beta2=0.99": "only adamw has it",
}


@pytest.mark.parametrize("overrides", list(UNREAD))
def test_a_key_that_nothing_would_read_is_refused(overrides: str) -> None:
    *conditions, last = overrides.split()
    recipes.build({}, conditions)
    with pytest.raises(RecipeError) as refusal:
        recipes.build({}, overrides.split(), place="my.yaml")
    assert f"my.yaml: `{last.split('=')[0]}` is set, but nothing would read it" in str(refusal.value)
    assert UNREAD[overrides] in str(refusal.value)
    assert f"remove {last.split('=')[0]}" in str(refusal.value)


def test_every_condition_is_tried_above() -> None:
    tried = {override.split("=")[0] for overrides in UNREAD for override in overrides.split()[-1:]}
    conditional = {key for key in KEYS if key in recipes._READ_WHEN or key.split(".")[0] in recipes._READ_WHEN}
    untried = {"lora.lora_alpha", "lora.target_modules", "data.max_eval_rows", "evaluate.batch_size"}
    untried |= {"freeze.trainable_modules", "freeze.cache_trunk"}
    assert conditional - tried == untried


TYPOS = {
    "train.learning_rat=1": "train.learning_rate",
    "train.lr=1": None,
    "learning_rate=1": "train.learning_rate",
    "trian.learning_rate=1": "train",
    "lora.alpha=8": "lora.lora_alpha",
    "data.packing=true": "tokens.packing",
    "max_steps=3": "train.max_steps",
    "nonsense=1": None,
}


@pytest.mark.parametrize("override", list(TYPOS))
def test_an_unknown_key_is_refused_with_a_suggestion(override: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        recipes.build({}, [override], place="my.yaml")
    wanted = TYPOS[override]
    assert "my.yaml: unknown key `" in str(refusal.value)
    assert ("tutelage init" if wanted is None else f"did you mean `{wanted}`?") in str(refusal.value)


def test_an_unknown_key_of_a_source_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RecipeError, match=r"unknown key `data\.sources\.0\.formt`.*\n.*`data\.sources\.format`"):
        recipes.build({"data": {"sources": [{"path": "a.jsonl", "formt": "alpaca"}]}})


def test_the_resolved_recipe_holds_every_key_that_is_read(make_recipe, tmp_path: Path) -> None:
    for run in RUNS:
        recipe = recipe_of(make_recipe, tmp_path, run)
        text = recipes.dump(recipe)
        assert recipes.build(yaml.safe_load(text)) == recipe, "it is a recipe for the same run"
        saved = recipe_keys.flat(recipe)
        assert tuple(saved) == KEYS
        written = yaml.safe_load(text)
        absent = {
            key
            for key in set(KEYS) - CURATE
            if "." in key and key.split(".")[1] not in written.get(key.split(".")[0], {})
        }
        assert "curate" not in written
        assert absent == {key for key in set(KEYS) - CURATE if is_refused(recipe, key)}


def is_refused(recipe: Recipe, key: str) -> bool:
    owner = key if key in recipes._READ_WHEN else key.split(".")[0]
    return owner in recipes._READ_WHEN and not recipes._READ_WHEN[owner][0](recipe)
