"""Mutated inputs through the real path, with a count of what went wrong:

python -m tests.hostile.fuzz --inputs 2000 --seed 0

Prints one JSON line of figures, last, and exits with 1 where there was a traceback or a row unaccounted for; such
inputs are kept in a folder, each named by seed and number (`--only NUMBER` runs it again).
"""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random

os.environ["HF_HUB_OFFLINE"] = "1"

import pyarrow as pa

from tests.hostile import mutate, valid
from tests.hostile.judge import Verdict, judge_data, judge_recipe, judge_template
from tutelage import posix, recipe_keys
from tutelage import recipe as recipes
from tutelage import template as templates
from tutelage.run.assemble import Speech, speech

LONGEST_S = 60  # for one input


@dataclass(frozen=True)
class Input:
    """A mutated file and, for recipes, the overrides that go with it."""

    name: str
    content: bytes
    overrides: tuple[str, ...] = ()


@dataclass
class Figures:
    """What a run found."""

    inputs: int = 0
    refused: int = 0
    rows: int = 0
    tracebacks: int = 0
    rows_unaccounted: int = 0
    slowest_s: float = 0.0
    peak_gib: float = 0.0
    kept: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.tracebacks or self.rows_unaccounted)


class TooSlow(Exception):
    """An input that does not come to an end."""


def made(seed: int, number: int) -> Input:
    """The input of that number: the same on every machine."""
    draw = Random(f"{seed}/{number}")
    chance = draw.random()
    if chance < 0.7:
        return _data(draw)
    return _recipe(draw) if chance < 0.85 else _template(draw)


def _data(draw: Random) -> Input:
    name = draw.choice(list(valid.DATA))
    rows, write, compress = valid.DATA[name]
    if draw.random() < 0.4:
        with suppress(ValueError, TypeError, OverflowError, pa.ArrowException):  # a column has one type
            return Input(name, compress(write(mutate.rows_of(rows(), draw))))
    other = draw.choice(list(valid.DATA))
    if compress is not valid.same and draw.random() < 0.5:
        return Input(name, compress(mutate.bytes_of(write(rows()), valid.data(other), draw)))
    return Input(name, mutate.bytes_of(valid.data(name), valid.data(other), draw))


def _recipe(draw: Random) -> Input:
    text = valid.recipe().encode()
    keys = list(dict(recipe_keys.described(recipes.Recipe)))
    overrides = [f"{draw.choice(keys)}={draw.choice(('1', '0.5', 'null', '[1]', 'true', 'x'))}" for _ in range(2)]
    overrides = overrides[: draw.randint(0, 2)]
    mutated = [mutate.bytes_of(one.encode(), b"=.:{}[]&*", draw).decode(errors="replace") for one in overrides]
    if draw.random() < 0.8:
        text = mutate.bytes_of(text, text, draw)
    return Input("recipe.yaml", text, tuple(mutated))


def _template(draw: Random) -> Input:
    source, other = (valid.template(draw.choice(valid.TEMPLATES)).encode() for _ in range(2))
    return Input("template.jinja", mutate.bytes_of(source, other, draw))


@cache
def speeches() -> tuple[Speech, Speech]:
    """The bundled tokenizer with its own template, and with one that writes tools."""
    plain = speech(recipes.build({"tokens": {"max_length": 256}}))
    facts = plain.tokenizer
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tools.jinja")
        file.write_text(valid.TOOL_TEMPLATE, encoding="utf-8")
        special, control = facts.special_tokens, facts.control_tokens
        tools = templates.load(str(file), None, special_tokens=special, control_tokens=control)
    return plain, replace(plain, template=tools)


def judge(one: Input, folder: Path) -> Verdict:
    """The verdict on one input, which is written into `folder`."""
    path = folder / one.name
    path.write_bytes(one.content)
    try:
        with _in_time():
            if one.name == "recipe.yaml":
                return judge_recipe(path, one.overrides)
            plain, tools = speeches()
            if one.name == "template.jinja":
                return judge_template(path, plain)
            return judge_data(path, tools if "messages" in one.name else plain)
    except TooSlow:
        return Verdict(problem=f"no end after {LONGEST_S} s")


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(numbers: range, *, seed: int, keep: Path) -> Figures:
    """Judge the inputs of these numbers; those that are not treated soundly are kept in the folder `keep`."""
    figures = Figures()
    speeches()
    work = Path(tempfile.mkdtemp(prefix="fuzz"))
    for number in numbers:
        one, started = made(seed, number), time.perf_counter()
        verdict = judge(one, work)
        figures.slowest_s = max(figures.slowest_s, round(time.perf_counter() - started, 2))
        figures.inputs += 1
        figures.refused += verdict.refused
        figures.rows += verdict.rows
        figures.rows_unaccounted += verdict.unaccounted
        figures.tracebacks += bool(verdict.problem) and not verdict.unaccounted
        if not verdict.is_sound:
            figures.kept.append(_kept(one, verdict, keep / f"{seed}-{number}-{one.name}"))
    shutil.rmtree(work)
    figures.peak_gib = round(posix.peak_resident_bytes() / 2**30, 2)
    return figures


def _kept(one: Input, verdict: Verdict, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(one.content)
    print(f"{path} {' '.join(map(repr, one.overrides))}\n{verdict.problem}", file=sys.stderr)
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=None, help="run the input of this number alone")
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="folder of inputs that went wrong")
    given = parser.parse_args()
    logging.getLogger("tutelage").setLevel(logging.ERROR)
    numbers = range(given.inputs) if given.only is None else range(given.only, given.only + 1)
    figures = run(numbers, seed=given.seed, keep=given.keep)
    print(json.dumps({name: value for name, value in vars(figures).items() if name != "kept"}))
    sys.exit(0 if figures.is_sound else 1)


if __name__ == "__main__":
    main()
