"""Suites by name or file: bundled ones, YAML of our own, IFEval's file, multiple-choice tables, ordinary rows."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml

from tutelage import data, yaml_values
from tutelage.errors import DataError, RecipeError
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.suite import Item, Suite
from tutelage.evaluation.suite_form import Defaults, item_of
from tutelage.recipe import DataSection, Source
from tutelage.records import Conversation, Dropped, Question, Row
from tutelage.run.path import FIRST_ROWS, conversations
from tutelage.run.rows import choose, question_of

_YAML = (".yaml", ".yml")
_HEADER = ("name", "description", "metric", "task", "system", "items")
_MARKS = ({"instruction_id_list"}, {"A", "B", "Answer"}, {"expected"}, {"constraints"}, {"choices"})


def bundled() -> tuple[str, ...]:
    """Names of the suites that come with the package."""
    files = resources.files("tutelage.evaluation").joinpath("suites").iterdir()
    return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(_YAML)))


def load_suite(name: str, *, metric: str | None = None, most: int | None = None, seed: int = 0) -> Suite:
    """A suite by the name of a bundled one, or from a file.

    Args:
        metric: for items that name none; unset: what their form suggests, else exact match.
        most: a seeded sample of so many items; unset: all.

    Raises:
        DataError: no such suite, or an item that cannot be asked or measured.
    """
    defaults = Defaults(metric) if metric else Defaults()
    if name in bundled():
        text = resources.files("tutelage.evaluation").joinpath("suites", f"{name}.yaml").read_text(encoding="utf-8")
        suite = _of_yaml(text, f"{name}.yaml", defaults)
    elif name.endswith(_YAML):
        suite = _of_yaml(_text(name), name, defaults)
    else:
        suite = Suite(Path(name).stem, tuple(_of_rows(name, defaults)))
    if not suite.items:
        raise DataError("the suite asks nothing", code="suite", place=name, expected="items with a question each")
    kept = set(choose(range(len(suite.items)), count=most or len(suite.items), seed=seed))
    return Suite(suite.name, tuple(item for number, item in enumerate(suite.items) if number in kept))


def rows_suite(name: str, questions: Sequence[tuple[Question, str]], *, metric: str) -> Suite:
    """Questions that rows ask, with the place of each row; their references are the rows' own answers.

    Raises:
        RecipeError: a metric that cannot measure them.
    """
    items = tuple(Item(question, metric, place=place) for question, place in questions)
    lacking = next((item for item in items if METRICS[metric].lacks(item)), None)
    if lacking is not None:
        found = f"{metric} cannot measure the row at {lacking.place}: {METRICS[metric].lacks(lacking)}"
        raise RecipeError(found, code="recipe-value", place="evaluate.metric", remedy="--set evaluate.metric=f1")
    return Suite(name, items)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        expected = f"a file, or one of {', '.join(bundled())}"
        raise DataError("there is no such suite", code="suite", place=path, expected=expected) from None
    except (OSError, ValueError) as error:
        raise DataError(f"the suite cannot be read: {error}", code="suite", place=path) from None


def _of_yaml(text: str, place: str, defaults: Defaults) -> Suite:
    try:
        tree = yaml_values.parsed(text, place)
    except RecipeError as error:
        raise DataError(error.found, code="suite", place=error.place, remedy=error.remedy) from None
    if not isinstance(tree, Mapping) or not isinstance(tree.get("items"), list):
        raise DataError("no list of `items`", code="suite", place=place, expected=", ".join(_HEADER))
    unknown = [key for key in tree if key not in _HEADER]
    if unknown:
        raise DataError(f"unknown key `{unknown[0]}`", code="suite", place=place, expected=", ".join(_HEADER))
    told = {key: str(tree[key]) for key in ("metric", "task", "system") if key in tree}
    own = Defaults(**{"metric": defaults.metric, **told})
    lines = _lines(text)
    items = (_item(fields, number, f"{place}:{lines[number]}", own) for number, fields in enumerate(tree["items"]))
    return Suite(str(tree.get("name") or Path(place).stem), tuple(items))


def _lines(text: str) -> list[int]:
    """The line on which each item begins."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    nodes = next(value.value for key, value in pairs if key.value == "items")
    return [node.start_mark.line + 1 for node in nodes]


def _item(fields: Any, number: int, place: str, defaults: Defaults) -> Item:
    if not isinstance(fields, Mapping):
        raise DataError(f"an item is {fields!r:.80}", code="suite", place=place, expected="keys and values")
    return item_of(fields, number=number, place=place, defaults=defaults)


def _of_rows(path: str, defaults: Defaults) -> Iterator[Item]:
    """Rows in a form of suites; else any rows that could be trained on: their last answer is the reference."""
    rows = data.read([Source(path=path)], malformed="refuse")
    first = list(islice(rows, FIRST_ROWS))
    known = [row for row in first if isinstance(row, Row)]
    if known and any(marks <= known[0].fields.keys() for marks in _MARKS):
        for number, row in enumerate(chain(first, rows)):
            if isinstance(row, Dropped):
                raise DataError(row.detail, code="suite", place=str(row.place), expected="an item of the suite")
            fields = {key: value for key, value in row.fields.items() if key}
            yield item_of(fields, number=number, place=str(row.place), defaults=defaults)
        return
    understood = conversations(DataSection(), [Source(path=path)], formats=[])
    asked = ((one, question_of(one)) for one in understood if isinstance(one, Conversation))
    questions = [(question, str(one.place)) for one, question in asked if question is not None]
    yield from rows_suite(path, questions, metric=defaults.metric).items
