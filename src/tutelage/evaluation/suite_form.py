"""From the fields of a suite's entry to an item; what cannot be asked or measured is refused with its place."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.errors import DataError
from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.parsing import ifeval_constraints, parsed
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.suite import Item
from tutelage.records import Message, Question

KEYS = ("question", "messages", "system", "expected", "metric", "task", "choices", "constraints")
_ROLES = ("system", "user", "assistant")
_LETTERS = "ABCDEFGHIJ"
_SUBJECT = ("Question", "question")
_TURN = {"role", "content"}
_SURELY = 0.999  # score of a reference as an answer: 1 but for rounding


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an entry that does not say otherwise takes from its suite."""

    metric: str = "exact_match"
    task: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The fields of an entry and where they stand."""

    fields: Mapping[str, Any]
    number: int
    place: str

    def refused(self, found: str, *, expected: str, remedy: str = "") -> DataError:
        """The error for this entry."""
        return DataError(found, code="suite", place=self.place, expected=expected, remedy=remedy)

    def text(self, key: str, default: str = "") -> str:
        """A field that is text or a number."""
        value = self.fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.refused(
                f"`{key}` is {value!r:.80}", expected="text", remedy="put it in quotes" if value is not None else ""
            )
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A field that is one text or a list of them."""
        value = self.fields.get(key, ())
        if not isinstance(value, list | tuple):
            value = [value]
        return tuple(_Entry({key: one}, self.number, self.place).text(key) for one in value)


def item_of(fields: Mapping[str, Any], *, number: int, place: str, defaults: Defaults) -> Item:
    """The item that an entry describes, in any form that suites come in: ours (`KEYS`), IFEval's (`prompt`,
    `instruction_id_list`, `kwargs`), or a multiple choice in columns (`Question`, `A`, `B`, ..., `Answer`).

    Raises:
        DataError: naming what was found, where, and what an entry needs.
    """
    entry = _Entry(fields, number, place)
    if "instruction_id_list" in fields:
        return _checked(_of_ifeval(entry), entry)
    if {"A", "B"} <= fields.keys():
        return _checked(_of_columns(entry, defaults), entry)
    unknown = next((key for key in fields if key not in KEYS), None)
    if unknown is not None:
        near = difflib.get_close_matches(str(unknown), KEYS, n=1)
        remedy = f"did you mean `{near[0]}`?" if near else f"remove `{unknown}`"
        raise entry.refused(f"unknown key `{unknown}`", expected=", ".join(KEYS), remedy=remedy)
    metric = entry.text("metric", "constraints" if fields.get("constraints") else defaults.metric)
    choices, references = entry.texts("choices"), entry.texts("expected")
    if choices:
        metric = entry.text("metric", "accuracy")
        _check_choices(entry, choices, metric=metric)
        references = tuple(_letter(entry, reference, choices) for reference in references)
    question = Question(number, tuple(_messages(entry, defaults, choices)), references)
    task = entry.text("task", defaults.task)
    return _checked(Item(question, metric, task, choices, tuple(_constraints(entry)), place), entry)


def _of_ifeval(entry: _Entry) -> Item:
    constraints = tuple(ifeval_constraints(entry.fields, place=entry.place))
    question = Question(entry.number, (Message("user", entry.text("prompt")),), ())
    return Item(question, "constraints", "", (), constraints, entry.place)


def _of_columns(entry: _Entry, defaults: Defaults) -> Item:
    letters = "".join(letter for letter in _LETTERS if entry.fields.get(letter) not in (None, ""))
    if len(letters) < 2 or not _LETTERS.startswith(letters):
        raise entry.refused(f"the options are {letters or 'none'}", expected="A, B and so on, none of them left blank")
    choices = tuple(entry.text(letter) for letter in letters)
    asked = next((key for key in _SUBJECT if key in entry.fields), "Question")
    fields = {"question": entry.text(asked), "choices": choices}
    messages = tuple(_messages(replace(entry, fields=fields), defaults, choices))
    told = entry.text("Answer").strip().upper()
    reference = told if told in tuple(letters) else _letter(entry, entry.text("Answer"), choices)
    return Item(Question(entry.number, messages, (reference,)), "accuracy", defaults.task, choices, (), entry.place)


def _messages(entry: _Entry, defaults: Defaults, choices: Sequence[str]) -> Iterator[Message]:
    system, turns = entry.text("system", defaults.system), entry.fields.get("messages")
    if (turns is None) == ("question" not in entry.fields):
        raise entry.refused("neither `question` nor `messages`, or both", expected="what the model is asked, once")
    if turns is None:
        turns = [{"role": "user", "content": entry.text("question")}]
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, Mapping) for turn in turns):
        raise entry.refused(f"`messages` is {turns!r:.80}", expected="a list of turns, each with role and content")
    for turn in turns:
        if turn.keys() != _TURN or turn["role"] not in _ROLES or not isinstance(turn["content"], str):
            raise entry.refused(f"a turn is {dict(turn)!r:.80}", expected="role system, user or assistant, and content")
    if turns[-1]["role"] != "user":
        raise entry.refused("the last turn is not the user's", expected="a question to be answered")
    if turns[0]["role"] == "system" and "system" in entry.fields:
        raise entry.refused("a system message in `system` and in `messages`", expected="one of them")
    if system and turns[0]["role"] != "system":
        yield Message("system", system)
    yield from (Message(turn["role"], turn["content"]) for turn in turns[:-1])
    yield Message("user", _with_options(turns[-1]["content"], choices))


def _with_options(question: str, choices: Sequence[str]) -> str:
    lines = (f"{letter}. {choice}" for letter, choice in zip(_LETTERS, choices, strict=False))
    return "\n".join((question, *lines))


def _check_choices(entry: _Entry, choices: Sequence[str], *, metric: str) -> None:
    """Refuse options that cannot be told apart, and metrics that would compare texts with letters."""
    texts = {choice.strip() for choice in choices}
    if not 2 <= len(choices) <= len(_LETTERS) or len(texts) < len(choices) or "" in texts:
        raise entry.refused(
            f"the options are {list(choices)!r:.80}",
            expected=f"2 to {len(_LETTERS)} different texts, none of them blank",
        )
    if metric != "accuracy":
        raise entry.refused(f"options are measured by {metric}", expected="accuracy", remedy="remove `metric`")


def _letter(entry: _Entry, reference: str, choices: Sequence[str]) -> str:
    """The letter of the right option, which may be given by its letter or its text, if that is clear."""
    options = list(zip(_LETTERS, choices, strict=False))
    told = reference.strip().upper()
    found = {letter for letter, choice in options if told == letter or reference.strip() == choice.strip()}
    if len(found) == 1:
        return found.pop()
    doubt = ", which is the letter of one option and the text of another" if found else ""
    raise entry.refused(
        f"the answer is {reference!r:.80}{doubt}",
        expected=f"one of {', '.join(letter for letter, _ in options)}, or an option's text",
    )


def _constraints(entry: _Entry) -> Iterator[Constraint]:
    told = entry.fields.get("constraints", ())
    if not isinstance(told, list | tuple):
        raise entry.refused(f"`constraints` is {told!r:.80}", expected="a list of constraints, each with its id")
    for one in told:
        yield parsed(one, place=entry.place)


def _checked(item: Item, entry: _Entry) -> Item:
    """The item, if its metric can measure it."""
    if item.metric not in METRICS:
        near = difflib.get_close_matches(item.metric, METRICS, n=1)
        remedy = f"did you mean {near[0]}?" if near else ""
        raise entry.refused(f"no metric is called {item.metric!r}", expected=", ".join(METRICS), remedy=remedy)
    lacking = METRICS[item.metric].lacks(item)
    if lacking:
        raise entry.refused(f"{item.metric} cannot measure this item: {lacking}", expected=METRICS[item.metric].needs)
    score = METRICS[item.metric].score
    vain = next((reference for reference in item.references if not _fits(item, score(item, reference))), None)
    if vain is not None:
        raise entry.refused(
            f"{item.metric} would not count {vain!r:.60} as right, though it is expected",
            expected=METRICS[item.metric].needs,
            remedy="mend the reference, or take another metric",
        )
    if not item.prompt.strip():
        raise entry.refused("the question is empty", expected="what the model is asked")
    return item


def _fits(item: Item, score: float) -> bool:
    """Whether a reference that scores so as an answer can be one; constraints are measured without references."""
    return METRICS[item.metric].needs == "constraints" or score > _SURELY
