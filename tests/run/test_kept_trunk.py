"""The outputs of frozen layers across the epochs of a run: when they are kept, what is told, and law 6."""

from pathlib import Path
from typing import Any

import pytest

from tests.laws.test_law_6_resume import Deadly, Killed, steady, weights_file
from tests.small import Listening, questions
from tutelage.model.trunk import HIDDEN, TrunkStore, is_there
from tutelage.recipe import Recipe
from tutelage.run import kept_trunk
from tutelage.run.training import train

ROWS = 16


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """On so small a model the clock is a coin: here the trunk counts as dear."""
    monkeypatch.setattr(kept_trunk, "_too_dear", lambda *_, **__: "")


def recipe_of(make_recipe: Any, output: Path, *, packing: bool = True, **sections: dict[str, Any]) -> Recipe:
    train_section = {"method": "freeze", "num_train_epochs": 3.0, "eval_steps": 6, "save_steps": 2}
    return make_recipe(
        questions(ROWS),
        output_dir=str(output),
        data={"eval_share": 0.2},
        tokens={"max_length": 64, "packing": packing},
        freeze={"trainable_layers": 1, **sections.get("freeze", {})},
        train={**train_section, **sections.get("train", {})},
    )


def trained(recipe: Recipe, **settings: bool) -> tuple[tuple[float, ...], str]:
    terminal = Listening()
    return train(recipe, terminal=terminal, **settings).outcome.losses, terminal.text


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of the batches that a store has given back."""
    counts: list[int] = []
    plain = TrunkStore.read

    def read(self: TrunkStore, batch: Any, **settings: Any) -> Any:
        counts.append(len(batch.examples))
        return plain(self, batch, **settings)

    monkeypatch.setattr(TrunkStore, "read", read)
    return counts


@pytest.mark.parametrize("packing", [True, False])
def test_a_run_on_kept_outputs_learns_the_same(make_recipe, tmp_path, cheap, replays, packing: bool) -> None:
    kept, said = trained(recipe_of(make_recipe, tmp_path / "kept", packing=packing))
    assert "the outputs of 1 frozen layers are kept in" in said
    assert sum(replays) > 3 * 0.8 * ROWS
    replays.clear()
    never = recipe_of(make_recipe, tmp_path / "never", packing=packing, freeze={"cache_trunk": "never"})
    computed, said = trained(never)
    assert "frozen layers" not in said
    assert replays == []
    assert kept == pytest.approx(computed, rel=1e-5)
    assert len(kept) > 6
    held = [
        [line["eval_loss"] for line in steady(tmp_path / name) if "eval_loss" in line] for name in ("kept", "never")
    ]
    assert held[0] == pytest.approx(held[1], rel=1e-5)
    assert not is_there(tmp_path / "kept"), "the files go with the run's end"


@pytest.mark.parametrize(("packing", "at"), [(True, 4), (True, 8), (False, 8)])
def test_a_killed_run_ends_in_the_same_weights(make_recipe, tmp_path, cheap, packing: bool, at: int) -> None:
    """Law 6, in the first epoch and in a later one. The outputs that were kept are used again."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes: dict[str, Any] = {"train": {"per_device_train_batch_size": 1 if packing else 3}, "packing": packing}
    losses, _ = trained(recipe_of(make_recipe, whole, **changes))
    assert len(losses) > at
    with pytest.raises(Killed):
        train(recipe_of(make_recipe, broken, **changes), terminal=Deadly(at))
    size = (broken / HIDDEN).stat().st_size
    resumed, said = trained(recipe_of(make_recipe, broken, **changes), resume=True)
    assert f"resuming after step {at - 2}" in said
    assert size > 0
    assert "are kept in" in said
    assert resumed == losses[at - 2 :]
    assert weights_file(broken) == weights_file(whole)
    assert steady(broken)[-1] == steady(whole)[-1]


def test_a_run_that_computed_goes_on_computing(make_recipe, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_trunk, "FREE_SHARE", 0.0)
    terminal = Deadly(4)
    with pytest.raises(Killed):
        train(recipe_of(make_recipe, tmp_path / "run"), terminal=terminal)
    assert "are not kept: they would take more than 0% of the free disk" in terminal.text
    assert "B free)" in terminal.text
    monkeypatch.undo()
    _, said = trained(recipe_of(make_recipe, tmp_path / "run"), resume=True)
    assert "frozen layers" not in said


def test_where_reading_is_slower_it_is_computed(make_recipe, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_trunk, "_disk_seconds", lambda *_: 60.0)
    _, said = trained(recipe_of(make_recipe, tmp_path / "run"))
    assert "frozen layers are not kept: a forward pass would take 60 s with them, and takes 0.0" in said


def test_a_difference_to_the_full_pass_forbids_it(make_recipe, tmp_path, cheap, monkeypatch) -> None:
    plain = TrunkStore.read
    monkeypatch.setattr(TrunkStore, "read", lambda *where, **settings: plain(*where, **settings) * 1.1)
    _, said = trained(recipe_of(make_recipe, tmp_path / "run"))
    assert "are not kept: training on kept outputs differs from training on computed ones: loss by " in said


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"train": {"num_train_epochs": 1.0}}, "every row is seen only once"),
        ({"train": {"neftune_noise_alpha": 5.0}}, "train.neftune_noise_alpha"),
        ({"freeze": {"trainable_modules": ["*embed_tokens*"]}}, "the embeddings or a weight of the first layer"),
        ({"freeze": {"trainable_layers": 2}}, "the embeddings or a weight of the first layer"),
    ],
)
def test_a_decision_against_it_is_told(make_recipe, tmp_path: Path, sections: dict[str, Any], why: str) -> None:
    _, said = trained(recipe_of(make_recipe, tmp_path / "run", **sections))
    assert f"the outputs of the frozen layers are not kept: {why}" in said
