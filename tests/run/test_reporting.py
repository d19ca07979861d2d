"""What the report shows is what the trainer got and what was logged."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRecipe
from tutelage import recipe as recipes
from tutelage.report.content import Sample
from tutelage.run import reporting
from tutelage.run.assemble import speech
from tutelage.run.engine import plan_batches
from tutelage.run.prepare import prepare
from tutelage.run.readback import BatchReader, ReadBatch
from tutelage.run.rows import RowReader
from tutelage.terminal import Terminal
from tutelage.tokens.batches import ROUND

TEXTS = ["one two", "汉字", "a somewhat longer answer"]


def row(text: str, weight: float = 1.0) -> dict[str, Any]:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": text, "weight": weight}]
    return {"messages": turns}


@pytest.fixture
def read(make_recipe: MakeRecipe) -> Callable[..., ReadBatch]:
    """The first batch of some rows, as a report reads it."""

    def first(rows: Sequence[dict[str, Any]], *, packing: bool = True) -> ReadBatch:
        recipe = make_recipe(
            rows,
            data={"eval_share": 0.0},
            tokens={"packing": packing, "max_length": 256},
            train={"per_device_train_batch_size": len(rows)},
        )
        spoken = speech(recipe)
        prepared = prepare(recipe, spoken, terminal=Terminal(quiet=True))
        store = prepared.store
        plan = plan_batches(prepared.train, store, spoken=spoken, recipe=recipe, packed=packing)
        return BatchReader(plan, spoken, conversation=RowReader(store.folder).__getitem__).first()

    return first


Read = Callable[..., ReadBatch]


@pytest.mark.parametrize("packing", [True, False])
def test_samples_are_the_rows_of_the_batch(read: Read, packing: bool) -> None:
    batch = read([row(text, 0.5) for text in TEXTS], packing=packing)
    shown = sorted(reporting.samples(batch), key=lambda sample: sample.row)
    assert [sample.row for sample in shown] == [0, 1, 2]
    for sample, text in zip(shown, TEXTS, strict=True):
        asked, said = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", f"{text}<|im_end|>"
        assert "".join(token.text for token in sample.tokens) == asked + said
        assert "".join(token.text for token in sample.tokens if token.weight == 0.5) == said
        assert {token.weight for token in sample.tokens} == {0.0, 0.5}
        assert "".join(token.text for token in sample.tokens if token.role == "assistant") == said
        assert [token.position for token in sample.tokens] == list(range(sample.length))
        specials = [token.text for token in sample.tokens if token.special]
        assert specials == ["<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>"]
        counts = {one.role: (one.trained, one.seen) for one in sample.roles}
        assert counts["assistant"] == (sample.trained, 0)
        assert sum(map(sum, counts.values())) == sample.length
        assert sample.place.endswith(f"rows.jsonl:{sample.row + 1}")


def test_the_first_batch_is_told_as_a_whole(read: Read) -> None:
    rows = [row(text) for text in TEXTS]
    packed, padded = (reporting.first_batch(read(rows, packing=packing)) for packing in (True, False))
    assert [sorted(one.rows) for one in packed.sequences] == [[0, 1, 2]]
    assert sorted(one.rows for one in padded.sequences) == [(0,), (1,), (2,)]
    assert packed.tokens == padded.tokens == sum(one.tokens for one in padded.sequences)
    assert packed.roles == padded.roles
    assert (packed.tokens + packed.padding) % ROUND == 0
    assert max(one.tokens for one in padded.sequences) == 37, "and rounded up to a multiple of 8"
    assert padded.room == 40
    assert padded.padding == sum(padded.room - one.tokens for one in padded.sequences) > 0


def test_a_single_row_is_shown(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its middle, and even where it takes more than there is room for."""
    monkeypatch.setattr(reporting, "LONGEST_SAMPLE", 60)
    monkeypatch.setattr(reporting, "SAMPLE_TOKENS", 40)
    (sample,) = reporting.samples(read([row("%" * 200)]))
    assert isinstance(sample, Sample)
    assert sample.length > 200
    assert len(sample.tokens) == reporting.LONGEST_SAMPLE
    assert (sample.tokens[0].position, sample.tokens[-1].position) == (0, sample.length - 1)
    assert sample.trained > reporting.LONGEST_SAMPLE  # of the whole row, not of what is shown


def test_samples_are_few(read: Read) -> None:
    assert len(list(reporting.samples(read([row(f"{n}") for n in range(20)])))) == reporting.SAMPLE_ROWS
    shown = sum(len(sample.tokens) for sample in reporting.samples(read([row("%" * 200) for _ in range(20)])))
    assert 0 < shown <= reporting.SAMPLE_TOKENS


def test_a_step_that_was_run_twice_counts_once() -> None:
    step = {"learning_rate": 1e-3, "tokens_per_s": 10.0, "grad_norm": 1.0}
    lines = [{"step": at, "loss": loss, **step} for at, loss in ((1, 3.0), (2, 2.0), (3, 9.0))]
    lines += [{"step": 2, "eval_loss": 2.5}, {"step": 3, "loss": 1.0, **step}, {"step": 4, "eval_loss": 1.5}]
    curves = reporting.curves(lines)
    assert curves.step == (1, 2, 3)
    assert curves.loss == (3.0, 2.0, 1.0)
    assert curves.held_out == ((2, 2.5), (4, 1.5))
    assert curves.sources == curves.scores == ()


def test_what_is_logged_by_name_becomes_a_curve_each() -> None:
    step = {"learning_rate": 1e-3, "tokens_per_s": 10.0, "grad_norm": 1.0, "loss": 2.0}
    lines: list[dict[str, Any]] = [{"step": 9, "source_losses": {"a": 9.0}, **step}]  # before it was resumed
    lines += [
        {"step": 1, "source_losses": {"a": 3.0}, **step},
        {"step": 9, "source_losses": {"b": 2.0, "a": 1.5}, **step},
    ]
    lines += [{"step": 4, "scores": {"world": 0.25}}, {"step": 8, "scores": {"world": 0.5, "更多": 1.0}}]
    curves = reporting.curves(lines)
    assert curves.sources == (("a", ((1, 3.0), (9, 1.5))), ("b", ((9, 2.0),)))
    assert curves.scores == (("world", ((4, 0.25), (8, 0.5))), ("更多", ((8, 1.0),)))


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"train": {"method": "lora", "max_steps": 3}, "data": {"eval_sources": "e.jsonl"}},
        {"evaluate": {"num_questions": 0}},
    ],
)
def test_the_shown_recipe_gives_the_same_run(tree: dict[str, dict[str, object]], tmp_path: Path) -> None:
    recipe = recipes.build({**tree, "data": {"sources": "train.jsonl", **tree.get("data", {})}})
    file = tmp_path / "recipe.yaml"
    file.write_text(recipes.dump(recipe), encoding="utf-8")
    assert recipes.load(file) == recipe
