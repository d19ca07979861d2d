"""Recipes: values, overrides, and what is said about those that are wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tutelage import recipe as recipes
from tutelage import recipe_keys
from tutelage.errors import RecipeError
from tutelage.recipe import Recipe


def refusal(*overrides: str, tree: dict[str, Any] | None = None) -> str:
    with pytest.raises(RecipeError) as error:
        recipes.build(tree or {}, overrides, place="my.yaml")
    return str(error.value)


def test_a_recipe_is_its_defaults_with_what_is_set_over_them(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train:\n  learning_rate: 1.0e-4\ndata:\n  sources: a.jsonl\n", encoding="utf-8")
    recipe = recipes.load(file, ["train.learning_rate=3e-4", "seed=7", "template.arguments.enable_thinking=false"])
    assert recipe.train.learning_rate == 3e-4
    assert recipe.seed == 7
    assert [source.path for source in recipe.data.sources] == ["a.jsonl"]
    assert recipe.template.arguments == {"enable_thinking": False}
    assert recipe.train.num_train_epochs == Recipe().train.num_train_epochs


def test_sources_may_be_a_path_a_list_or_mappings() -> None:
    one = recipes.build({"data": {"sources": "a.jsonl"}})
    assert one == recipes.build({"data": {"sources": ["a.jsonl"]}})
    assert one == recipes.build({"data": {"sources": [{"path": "a.jsonl"}]}})
    mixed = recipes.build({"data": {"sources": ["a.jsonl", {"path": "b.csv", "weight": 2}]}})
    assert [(source.path, source.weight) for source in mixed.data.sources] == [("a.jsonl", None), ("b.csv", 2)]


def test_a_section_with_nothing_below_it_is_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("train:\n  # learning_rate: 1\ndata:\n", encoding="utf-8")
    assert recipes.load(tmp_path / "r.yaml") == Recipe()
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    assert recipes.load(tmp_path / "empty.yaml") == Recipe()


def test_a_recipe_cannot_be_changed() -> None:
    recipe = Recipe()
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        recipe.train.learning_rate = 3  # type: ignore[misc]


WRONG = {
    "train.learning_rate=fast": "expected: a number; peak",
    "train.learning_rate=0": "greater than 0",
    "train.learning_rate=.inf": "finite number",
    "train.num_train_epochs=.nan": "finite number",
    "train.warmup_ratio=1.5": "less than or equal to 1",
    "train.adam_beta2=1": "less than 1",
    "train.method=qlora": "'full', 'freeze' or 'lora'",
    "train.per_device_train_batch_size=2.5": "a whole number",
    "train.max_steps=0": "greater than 0",
    "seed=-1": "greater than or equal to 0",
    "tokens.packing=maybe": "true or false",
    "output_dir=5": "expected: text",
    "lora.target_modules=5": "expected: text",
    "train=5": "a mapping of keys",
    "data.sources=[5]": "a mapping of keys",
}


@pytest.mark.parametrize("override", list(WRONG))
def test_a_wrong_value_is_told_with_its_key_and_what_was_expected(override: str) -> None:
    message = refusal(override)
    key, _, value = override.partition("=")
    assert message.startswith(f"my.yaml: `{key}")
    assert str(yaml.safe_load(value)).strip("[]") in message
    assert WRONG[override] in message
    if key.count(".") == 1 and "sources" not in key:
        assert dict(recipe_keys.described(Recipe))[key] in message, "the key's own sentence says what it is"


@pytest.mark.parametrize("override", list(WRONG))
def test_a_wrong_value_is_told_in_plain_words_with_what_to_do(override: str) -> None:
    message = refusal(override)
    assert not any(word in message for word in ("Section", "instance", "valid", "parse", "integer", ".str"))
    remedy = message.partition("to do: ")[2].partition("\n  see: ")[0]
    assert remedy
    sentences = dict(recipe_keys.described(Recipe)).values()
    assert not any(text and text in remedy for text in sentences), "the sentence is not said twice"


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("train.learning_rate=fast", "mend `train.learning_rate`, or leave it out: then it is 2.0e-05"),
        ("train.max_steps=0", "mend `train.max_steps`, or leave it out"),
        ("train.method=loar", "did you mean `lora`?"),
        ("model=qwen", "give `model` keys of its own, such as {name_or_path: ...}"),
        ("data.sources=[{format: alpaca}]", "set `data.sources.0.path`"),
        ("data.sources=[{path: a, columns: {str: 5}}]", "mend `data.sources.0.columns.str`"),
        ("trian.learning_rate=1e-4", "did you mean `train`?"),
        ("tempalte={name: alpaca}", "did you mean `template`?"),
        ("1=2", "see `tutelage init`"),
    ],
)
def test_what_to_do_is_named(override: str, remedy: str) -> None:
    assert f"to do: {remedy}" in refusal(override)


def test_a_misspelt_section_of_a_file_is_answered_with_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("trian:\n  learning_rate: 1.0e-4\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"r\.yaml: unknown key `trian`[\s\S]*did you mean `train`"):
        recipes.load(tmp_path / "r.yaml")


A, B = {"path": "a.jsonl"}, {"path": "b.jsonl"}
CONTRADICTIONS: dict[str, tuple[dict[str, object], str, str]] = {
    "weight and rows": (
        {"sources": [A, {**B, "weight": 2, "rows": 5}]},
        "`data.sources.1` has a weight (2) and rows (5)",
        "remove one of them",
    ),
    "weight and temperature": (
        {"sources": [A, {**B, "weight": 2}], "temperature": 3},
        "`data.sources.1.weight` and `data.temperature` (3.0) both decide",
        "remove the weights, or data.temperature",
    ),
    "a role and no mode": (
        {"sources": [{**A, "role": "general"}]},
        "`data.sources.0.role` is set, but nothing would read it",
        "set data.mode",
    ),
    "a mode and no role": (
        {"sources": [{**A, "role": "domain"}, B], "mode": "domain"},
        "`data.sources.1` has no role, and data.mode is domain",
        "set `data.sources.1.role` to general or domain",
    ),
    "continual without replay": (
        {"sources": [{**A, "role": "domain"}], "mode": "continual"},
        "data.mode is continual, and no source has the role general",
        "give the source its role",
    ),
    "general without a general source": (
        {"sources": [{**A, "role": "domain"}], "mode": "general"},
        "data.mode is general, and no source has the role general",
        "give the source its role, or choose another data.mode",
    ),
    "replay by number and by share": (
        {"sources": [{**A, "role": "domain"}, {**B, "role": "general", "rows": 5}], "mode": "continual"},
        "`data.sources.1.rows` (5) and data.replay_share both decide",
        "remove `data.sources.1.rows`",
    ),
    "held-out rows are not mixed": (
        {"sources": [A], "eval_sources": [{**B, "weight": 1}]},
        "`data.eval_sources.0.weight` is set, but nothing would read it",
        "remove data.eval_sources.0.weight",
    ),
}


@pytest.mark.parametrize("what", list(CONTRADICTIONS))
def test_a_mixture_that_contradicts_itself_is_refused(what: str) -> None:
    section, found, remedy = CONTRADICTIONS[what]
    with pytest.raises(RecipeError) as told:
        recipes.build({"data": section}, place="my.yaml")
    assert str(told.value).startswith(f"my.yaml: {found}")
    assert f"to do: {remedy}" in str(told.value)


def test_a_mode_can_be_changed_on_the_command_line() -> None:
    sources = [{**A, "role": "domain", "weight": 1}, {**B, "role": "general"}]
    tree = {"data": {"sources": sources, "mode": "continual", "replay_share": 0.2}}
    assert recipes.build(tree).data.replay_share == 0.2
    changed = recipes.build(tree, ["data.mode=domain"]).data
    assert [source.path for source in changed.trained] == ["a.jsonl"]
    assert changed.replay_share == 0.05, "a share that nothing reads any more is lifted"


def test_overrides_that_are_none_are_told() -> None:
    assert "section.key=value" in refusal("train.learning_rate")
    assert "section.key=value" in refusal("=3")
    assert "`train` is 5" in refusal("train.learning_rate=1", tree={"train": 5})
    assert "`seed` is not a section" in refusal("seed.learning_rate=1", tree={"seed": 5})


def test_an_override_lifts_keys_of_the_file_that_it_makes_unread() -> None:
    tree = {"train": {"num_train_epochs": 2, "method": "lora"}, "lora": {"r": 4}}
    recipe = recipes.build(tree, ["train.max_steps=4", "train.method=full"])
    assert (recipe.train.max_steps, recipe.train.method) == (4, "full")
    with pytest.raises(RecipeError, match="num_train_epochs"):
        recipes.build(tree, ["train.max_steps=4", "train.num_train_epochs=1"])


def test_a_value_may_hold_what_yaml_could_not_read() -> None:
    assert recipes.build({}, ["template.system=You: {be brief"]).template.system == "You: {be brief"
    assert recipes.build({}, ["output_dir=runs/a=b"]).output_dir == "runs/a=b"


@pytest.mark.parametrize(
    ("content", "place", "found"),
    [
        ("train:\n  - [\n", r"r\.yaml:\d", "not valid YAML"),
        ("- a\n- b\n", r"r\.yaml", "found a list"),
        ("train: {learning_rate: 1e-4\n", r"r\.yaml:\d", "not valid YAML"),
        ("1: 2\n", r"r\.yaml", "1"),
    ],
)
def test_files_that_are_no_recipes_are_told(tmp_path: Path, content: str, place: str, found: str) -> None:
    (tmp_path / "r.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError, match=f"{place}.*{found}"):
        recipes.load(tmp_path / "r.yaml")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"does not exist[\s\S]*tutelage init"):
        recipes.load(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(RecipeError, match="cannot be read"):
        recipes.load(tmp_path / "bytes.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        recipes.load(tmp_path)


RATES = st.floats(1e-8, 1e-2, allow_nan=False)
TEXTS = st.text(st.characters(exclude_characters="\x85", exclude_categories=["Cs"]), max_size=20)  # YAML folds NEL


@given(rate=RATES, epochs=st.floats(0.1, 50), system=st.none() | TEXTS, seed=st.integers(0, 2**31))
def test_a_dumped_recipe_is_the_same_recipe(rate: float, epochs: float, system: str | None, seed: int) -> None:
    tree = {
        "seed": seed,
        "train": {"learning_rate": rate, "num_train_epochs": epochs},
        "template": {"system": system},
        "data": {"sources": [{"path": "数据.jsonl", "columns": {"Frage": "prompt"}}]},
    }
    recipe = recipes.build(tree)
    assert recipes.build(yaml.safe_load(recipes.dump(recipe))) == recipe


def test_flat_holds_every_value() -> None:
    found = recipe_keys.flat(recipes.build({"data": {"sources": "a"}}, ["lora.r=4", "train.method=lora"]))
    assert list(found) == [key for key, _ in recipe_keys.described(Recipe)]
    assert (found["lora.r"], found["train.method"], found["lora.target_modules"]) == (4, "lora", "all-linear")
    assert found["data.sources"][0]["path"] == "a"
