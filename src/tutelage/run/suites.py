"""Suites by name or file: bundled ones, YAML of our own, IFEval's file, multiple-choice tables, ordinary rows."""

import difflib
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
_LONGEST = 2**20  # characters of YAML, which is slow to read
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
        RecipeError: no such metric, or one that cannot measure rows.
    """
    if metric is not None and metric not in METRICS:
        found = f"no metric is called {metric!r}"
        raise RecipeError(found, code="recipe-value", place="evaluate.metric", expected=", ".join(METRICS))
    defaults = Defaults(metric) if metric else Defaults()
    if name in bundled():
        text = resources.files("tutelage.evaluation").joinpath("suites", f"{name}.yaml").read_text(encoding="utf-8")
        suite = _of_yaml(text, f"{name}.yaml", defaults)
    elif name.endswith(_YAML):
        suite = _of_yaml(_text(name), name, defaults)
    else:
        suite = _of_data(name, defaults)
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
        raise _no_such(path) from None
    except (OSError, ValueError) as error:
        raise DataError(f"the suite cannot be read: {error}", code="suite", place=path) from None


def _no_such(name: str) -> DataError:
    near = difflib.get_close_matches(name, bundled(), n=1)
    remedy = f"did you mean {near[0]}?" if near else ""
    expected = f"a file, or one of {', '.join(bundled())}"
    return DataError("there is no such suite", code="suite", place=name, expected=expected, remedy=remedy)


def _of_data(name: str, defaults: Defaults) -> Suite:
    if not name.strip():
        raise _no_such(name)
    try:
        return Suite(Path(name).stem, tuple(_of_rows(name, defaults)))
    except DataError as error:
        raise _no_such(name) if error.code == "no-such-data" else error from None


def _of_yaml(text: str, place: str, defaults: Defaults) -> Suite:
    if len(text) > _LONGEST:
        raise DataError(
            f"{len(text):,} characters of YAML",
            code="suite",
            place=place,
            expected=f"at most {_LONGEST:,}",
            remedy="write the items as JSONL, one a line",
        )
    try:
        tree = yaml_values.parsed(text, place)
    except RecipeError as error:
        raise DataError(error.found, code="suite", place=error.place, remedy=error.remedy) from None
    if not isinstance(tree, Mapping) or not isinstance(tree.get("items"), list):
        raise DataError("no list of `items`", code="suite", place=place, expected=", ".join(_HEADER))
    unknown = [key for key in tree if key not in _HEADER]
    if unknown:
        raise DataError(f"unknown key `{unknown[0]}`", code="suite", place=place, expected=", ".join(_HEADER))
    vague = next((key for key in _HEADER[:-1] if not isinstance(tree.get(key, ""), str | int | float)), None)
    if vague is not None:
        raise DataError(f"`{vague}` is {tree[vague]!r:.80}", code="suite", place=place, expected="text")
    told = {key: str(tree[key]) for key in ("metric", "task", "system") if key in tree}
    own = Defaults(**{"metric": defaults.metric, **told})
    lines = _lines(text, place)
    items = (_item(fields, number, f"{place}:{lines[number]}", own) for number, fields in enumerate(tree["items"]))
    return Suite(str(tree.get("name") or Path(place).stem), tuple(items))


def _lines(text: str, place: str) -> list[int]:
    """The line on which each item begins. YAML itself would keep the last of several keys and say nothing: refused."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "it was parsed as one"
    items = [value for key, value in root.value if key.value == "items"]
    if not items:
        raise DataError("no list of `items`", code="suite", place=place, expected=", ".join(_HEADER))
    for node in (root, *items[0].value):
        keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        names = [key.value for key in keys]
        for key in keys:
            if names.count(key.value) > 1:
                line = f"{place}:{key.start_mark.line + 1}"
                raise DataError(f"`{key.value}` stands there twice", code="suite", place=line, expected="each key once")
    return [node.start_mark.line + 1 for node in items[0].value]


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
