"""The prompts that a model will be asked, gathered from files and from public benchmarks by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage import data
from tutelage.curate.decontamination import Benchmark, Index, benchmark
from tutelage.curate.personal import redacted
from tutelage.curate.sample import sample
from tutelage.errors import DataError
from tutelage.recipe import DataSection, Recipe, Source
from tutelage.records import Conversation, Row
from tutelage.run.curating.examining import asked, setting_of, without_personal_data
from tutelage.run.path import conversations


def evaluation_index(recipe: Recipe) -> Index | None:
    """The prompts of `curate.decontaminate` and of the recipe's own held-out sources; None where there are none.

    Raises:
        DataError: a set that cannot be read, or has no prompts.
        RecipeError: a name that is neither a file nor a benchmark.
    """
    named = recipe.curate.decontaminate
    if not named and not recipe.data.eval_sources:
        return None
    prompts = list[tuple[str, str]]()
    for name in named:
        of_set = list(_of_benchmark(benchmark(name)) if _is_benchmark(name) else _of_source(Source(path=name)))
        if not of_set:
            raise DataError(f"no prompt in `{name}`", code="no-rows", place="curate.decontaminate")
        prompts += [(name, prompt) for prompt in of_set]
    for source in recipe.data.eval_sources:
        prompts += [(source.path, prompt) for prompt in _of_source(source)]
    if recipe.curate.personal_data == "keep":
        return Index.of(prompts)
    return Index.of((name, redacted(prompt)[0]) for name, prompt in prompts)  # as the rows that are compared with them


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a row of the recipe's own held-out sources asks, as rows are examined: see `Examined`."""

    name: str
    prompt: str
    setting: int


def held_out(recipe: Recipe) -> list[HeldOut]:
    """What the rows of `data.eval_sources` ask.

    Raises:
        DataError: a source that cannot be read.
    """
    redacts, found = recipe.curate.personal_data != "keep", list[HeldOut]()
    for source in recipe.data.eval_sources:
        for row in conversations(DataSection(), [source], formats=[]):
            if isinstance(row, Conversation):
                shown = without_personal_data(row) if redacts else row
                found.append(HeldOut(source.path, asked(sample(shown, "und")), setting_of(shown)))
    return found


def _is_benchmark(name: str) -> bool:
    """A bare word that is no file: files have endings, data sets of the Hub have owners."""
    return not Path(name).exists() and not {"/", ".", "*"} & set(name)


def _of_benchmark(known: Benchmark) -> Iterator[str]:
    for source in _sources(known):
        for row in data.read([source]):
            if isinstance(row, Row):
                yield from _prompts([row.fields.get(column) for column in known.columns])


def _prompts(values: Sequence[Any]) -> Iterator[str]:
    """The columns of a row in one prompt; a column that lists turns gives one for each."""
    turns = [turn for value in values if isinstance(value, (list, tuple)) for turn in value]
    if turns:
        yield from map(str, turns)
    elif any(values):
        yield "\n".join(str(value) for value in values if value)


def _sources(known: Benchmark) -> Sequence[Source]:
    subsets = known.subsets or (None,)
    return [Source(path=known.dataset, subset=subset, split=known.split) for subset in subsets]


def _of_source(source: Source) -> Iterator[str]:
    """Every prompt of every row; a plain text as a whole."""
    for row in conversations(DataSection(), [source], formats=[]):
        if isinstance(row, Conversation):
            seen = sample(row, "und")
            yield from seen.prompts or seen.answers
