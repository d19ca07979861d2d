"""Mutated inputs never end in a traceback and no row is lost; and the harness that says so notices when they do."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import fuzz, valid
from tests.hostile.judge import judge_data, judge_recipe, standing
from tutelage.data import sources
from tutelage.recipe import Recipe, build, dump, load

ROOT = Path(__file__).parents[2]


def test_mutated_inputs_leave_no_traceback_and_lose_no_row(tmp_path: Path) -> None:
    figures = fuzz.run(range(300), seed=7, keep=tmp_path)
    assert figures.is_sound, figures.kept
    assert figures.inputs == 300
    assert figures.refused > 30
    assert figures.rows > 300
    assert {fuzz.made(7, number).name for number in range(300)} >= {*valid.DATA, "recipe.yaml", "template.jinja"}


@pytest.mark.parametrize("name", valid.DATA)
def test_what_is_not_mutated_is_used(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(valid.data(name))
    verdict = judge_data(path, fuzz.speeches()["messages" in name])
    assert verdict.is_sound, verdict.problem
    assert not verdict.refused
    assert verdict.rows == len(valid.DATA[name][0]())
    assert standing(path) in (verdict.rows, None)


def break_with_key_error(pieces: Iterator[Any], file: str) -> Iterator[Any]:
    for number, piece in enumerate(pieces):
        yield {}["missing"] if number == 1 else piece


def swallow_a_row(pieces: Iterator[Any], file: str) -> Iterator[Any]:
    yield from (piece for number, piece in enumerate(pieces) if number != 1)


@pytest.mark.parametrize(
    ("broken", "tracebacks", "unaccounted"), [(break_with_key_error, True, False), (swallow_a_row, False, True)]
)
def test_a_broken_reader_is_noticed_and_its_input_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Any, tracebacks: bool, unaccounted: bool
) -> None:
    monkeypatch.setattr(sources, "_guarded", broken)
    monkeypatch.setattr(fuzz, "made", lambda seed, number: fuzz.Input("alpaca.jsonl", valid.data("alpaca.jsonl")))
    figures = fuzz.run(range(2), seed=5, keep=tmp_path / "kept")
    assert not figures.is_sound
    assert (figures.tracebacks > 0, figures.rows_unaccounted > 0) == (tracebacks, unaccounted)
    assert [Path(path).name for path in figures.kept] == ["5-0-alpaca.jsonl", "5-1-alpaca.jsonl"]
    assert all(Path(path).read_bytes() == valid.data("alpaca.jsonl") for path in figures.kept)


def test_the_command_prints_its_figures_last(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hostile.fuzz", "--inputs", "20", "--seed", "3", "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["inputs"], figures["tracebacks"], figures["rows_unaccounted"]) == (20, 0, 0)


SCALARS = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text() | st.just("\ud800")
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]) | ANYTHING, "content": st.text() | ANYTHING},
    optional=dict.fromkeys(("weight", "train", "name", "tool_call_id", "tool_calls", "reasoning_content"), ANYTHING),
)
ROWS = st.lists(
    st.fixed_dictionaries({"messages": st.lists(TURN, max_size=4) | ANYTHING}, optional={"tools": ANYTHING}), min_size=1
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=ROWS)
def test_any_value_in_any_field_is_accounted_for(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(valid.jsonl([*valid.messages(), *rows]))
    verdict = judge_data(path, fuzz.speeches()[1])
    assert verdict.is_sound, verdict.problem
    assert verdict.rows == len(rows) + 4


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
RECIPES = {
    "itself": "template: &a {arguments: {a: *a}}",
    "multiplied": BOMB,
    "deep": "a: " + "[" * 10_000,
    "half a pair": 'output_dir: "\\ud800"',
    "null character": 'output_dir: "\\0"',
    "bytes": "template: {arguments: {a: !!binary aGVsbG8=}}",
    "no integer": "seed: 0x_",
    "no boolean": "seed: !!bool x",
    "no text as key": "template: {arguments: {a: {1: 2}}}",
    "too long": f"output_dir: {'x' * 2**20}",
    "beyond any seed": f"seed: {10**400}",
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_hostile_recipe_is_refused_in_few_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPES[name], encoding="utf-8")
    verdict = judge_recipe(path)
    assert verdict.is_sound, verdict.problem
    assert verdict.refused


def read_back(recipe: Recipe, path: Path) -> Recipe:
    path.write_text(dump(recipe), encoding="utf-8")
    return load(path)


def test_a_date_is_text_and_comes_back_as_it_was(tmp_path: Path) -> None:
    recipe = build({}, ["template.arguments.date_string=2024-07-26"])
    assert recipe.template.arguments == {"date_string": "2024-07-26"}
    assert read_back(recipe, tmp_path / "r.yaml") == recipe


def test_infinity_in_arguments_comes_back(tmp_path: Path) -> None:
    recipe = build({}, ["template.arguments.most=.inf"])
    assert math.isinf(recipe.template.arguments["most"])
    assert read_back(recipe, tmp_path / "r.yaml") == recipe
