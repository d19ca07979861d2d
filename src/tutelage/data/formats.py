"""Row formats: what the columns of a row mean, recognised from the rows or named by the user."""

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.data import tasks
from tutelage.data.turns import check_turns, messages_of
from tutelage.data.values import Unusable, is_too_deep, optional_text, shown, text_of, tools_of
from tutelage.errors import DataError
from tutelage.records import LABELS, Conversation, Dropped, Message, Row

Fields = Mapping[str, Any]
_SYSTEM = ("system", "system_prompt")
_TOOLS = ("tools", "functions")
_PREFERENCES = (("chosen", "rejected"), ("chosen_messages", "rejected_messages"))


@dataclass(frozen=True, slots=True)
class Shape:
    """A row format: which columns it needs and how they become turns.

    Attributes:
        required: for each part, the names that it may have; the first is the usual one.
        optional: columns that are read where they are present.
        meaning: the columns in words, for the user.
        turns: the turns of a row; for plain text None.
        signs: columns of which one must be there for the format to be recognised where nobody names it; None: the
            required ones are enough. Without any, it is never recognised, only named.
    """

    name: str
    required: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...]
    meaning: str
    turns: Callable[[Fields], tuple[Message, ...]] | None
    signs: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*(name for names in self.required for name in names), *self.optional)

    @property
    def needs(self) -> str:
        """The required columns in words."""
        return ", ".join(" or ".join(names) for names in self.required)

    def fits(self, columns: Iterable[str]) -> bool:
        """Whether every part is there."""
        present = set(columns)
        return all(present.intersection(names) for names in self.required)

    def is_seen_in(self, columns: Iterable[str]) -> bool:
        """Whether the columns are unmistakably of this format."""
        present = set(columns)
        return self.fits(present) and (self.signs is None or not present.isdisjoint(self.signs))


@dataclass(frozen=True, slots=True)
class Format:
    """What the rows of a source are.

    Attributes:
        name: key in FORMATS.
        sentence: what was recognised, for the user.
        renamed: column of the file -> canonical column.
        group_by: column whose equal values stay in the same half of the split.
    """

    name: str
    sentence: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    group_by: str | None = None

    def convert(self, row: Row) -> Conversation | Dropped:
        """The row as a conversation, or why it cannot be one. Text is kept as it is."""
        try:
            return self._conversation(row)
        except Unusable as problem:
            return Dropped(row.index, row.place, problem.reason, _printable(problem.detail))

    def _conversation(self, row: Row) -> Conversation:
        shape = FORMATS[self.name]
        fields = _rename(row.fields, self.renamed) if self.renamed else row.fields
        for names in shape.required:
            if not any(name in fields for name in names):
                raise Unusable("missing column", f"{' or '.join(names)}; the row has {_listed(list(fields))}")
        group = (
            None
            if self.group_by is None or self.group_by not in row.fields
            else _printable(str(row.fields[self.group_by]))
        )
        if shape.turns is None:
            text = _plain_text(fields)
            return Conversation(
                row.index, row.place, text=_valid(text), group=group, source=row.source, labels=_labels(fields)
            )
        messages = check_turns(_with_system(fields, shape.turns(fields)))
        tools = tools_of(_first(fields, _TOOLS))
        for message in messages:
            _valid_message(message)
        if tools:
            _valid_json(tools)
        return Conversation(
            row.index, row.place, messages, tools, group=group, source=row.source, labels=_labels(fields)
        )


def recognise(
    rows: Sequence[Row],
    columns: Mapping[str, str] | None = None,
    *,
    name: str | None = None,
    group_by: str | None = None,
) -> Format:
    """The format of a source, from its first rows.

    Args:
        rows: the first rows, at least one.
        columns: column of the file -> canonical column of any format.
        name: a format by name, where the user names one; then preference columns are not looked at.
        group_by: column for `Conversation.group`.

    Raises:
        DataError: no rows, an unknown format or column, preference data, or columns that no format knows.
    """
    if not rows:
        raise DataError("no row can be read", code="no-rows", expected="rows from which the format is recognised")
    found = list(dict.fromkeys(key for row in rows for key in row.fields))
    place = str(rows[0].place)
    _check_mapping(columns or {}, found, place=place)
    if group_by is not None and group_by not in found:
        raise DataError(
            f"no row has the column `{group_by}`",
            code="unknown-columns",
            place=place,
            expected=_listed(found),
            remedy="data.group_by",
        )
    renamed = [_rename(row.fields, columns) if columns else row.fields for row in rows]
    if name is None:
        _refuse_preferences(renamed, place)
        shape = _best(renamed, found, place=place)
    else:
        shape = _named(name, renamed, found=found, place=place)
    return Format(shape.name, _sentence(shape, renamed, columns=columns or {}), columns or {}, group_by)


def _best(rows: Sequence[Fields], found: list[str], *, place: str) -> Shape:
    """The shape that fits most rows; among equals the one that stands first in FORMATS."""
    counts = {name: sum(shape.is_seen_in(row) for row in rows) for name, shape in FORMATS.items()}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] == 0:
        raise _unknown(found, place)
    return FORMATS[best]


def _named(name: str, rows: Sequence[Fields], *, found: list[str], place: str) -> Shape:
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, 1, 0.5)
        remedy = f"did you mean `{near[0]}`?" if near else "leave it out: it is recognised"
        raise DataError(
            f"unknown format `{name}`", code="unknown-columns", place=place, expected=", ".join(FORMATS), remedy=remedy
        )
    shape = FORMATS[name]
    if not any(shape.fits(row) for row in rows):
        raise DataError(
            f"{_listed(found)}, named `{name}`", code="unknown-columns", place=place, expected=shape.needs, remedy=_MAP
        )
    return shape


_MAP = "name what the columns mean, as `columns: {Frage: prompt, Antwort: response}` of the source"


def _unknown(found: list[str], place: str) -> DataError:
    known = "; ".join(f"{name} ({shape.needs})" for name, shape in FORMATS.items())
    spelt = {column: column.strip().lower() for column in found if column != column.strip().lower()}
    fitting = any(shape.is_seen_in(spelt.get(column, column) for column in found) for shape in FORMATS.values())
    names = {meaning for shape in FORMATS.values() for meaning in shape.columns}
    mapping = ", ".join(f"{column}: {meaning}" for column, meaning in spelt.items() if meaning in names)
    remedy = f"`columns: {{{mapping}}}` of the source" if fitting else _MAP
    return DataError(
        f"no known format has the {_listed(found)}", code="unknown-columns", place=place, expected=known, remedy=remedy
    )


def _listed(found: Sequence[str]) -> str:
    return f"columns {', '.join(repr(name) for name in found[:20])}{', ...' if len(found) > 20 else ''}"


def _check_mapping(columns: Mapping[str, str], found: list[str], *, place: str) -> None:
    known = list(dict.fromkeys(name for shape in FORMATS.values() for name in shape.columns))
    for column, meaning in columns.items():
        if column not in found:
            raise DataError(
                f"`columns` names `{column}`",
                code="unknown-columns",
                place=place,
                expected=_listed(found),
                remedy="mend `columns`",
            )
        if meaning not in known:
            near = difflib.get_close_matches(meaning, known, 1, 0.5)
            remedy = f"did you mean `{column}: {near[0]}`?" if near else _MAP
            found_text = f"`columns` maps `{column}` to `{meaning}`"
            raise DataError(
                found_text, code="unknown-columns", place=place, expected=f"one of {', '.join(known)}", remedy=remedy
            )
    repeated = sorted({meaning for meaning in columns.values() if list(columns.values()).count(meaning) > 1})
    if repeated:
        raise DataError(
            f"`columns` names `{repeated[0]}` twice",
            code="unknown-columns",
            place=place,
            expected="one column for each meaning",
        )


def _refuse_preferences(rows: Sequence[Fields], place: str) -> None:
    for good, bad in _PREFERENCES:
        row = next((row for row in rows if good in row and bad in row), None)
        if row is not None:
            found = f"a preference set: `{good}` and `{bad}`"
            remedy = f"train the better answers with `columns: {_preferred(row, good)}` of the source"
            raise DataError(found, code="preferences", place=place, expected=_ONE_ANSWER, remedy=remedy)
    labels = [row.get("label") for row in rows]
    if any(value is False for value in labels) and all(isinstance(value, bool) for value in labels):
        found = "a preference set: `label: false` marks answers that are not to be learnt"
        remedy = "keep the rows with `label: true`; `format: messages` of the source would train all of them"
        raise DataError(found, code="preferences", place=place, expected=_ONE_ANSWER, remedy=remedy)


_ONE_ANSWER = "one answer per row, the one to learn: this is supervised fine-tuning"


def _preferred(row: Fields, good: str) -> str:
    """The mapping under which the better answer is trained."""
    if isinstance(row[good], list):
        return f"{{{good}: messages}}"
    asked = next((name for name in ("conversations", "messages", "question", "instruction") if name in row), None)
    return f"{{{asked}: prompt, {good}: response}}" if asked else f"{{{good}: response}}"


def _sentence(shape: Shape, rows: Sequence[Fields], *, columns: Mapping[str, str]) -> str:
    read = {*shape.columns, *LABELS}
    unread = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in read]
    mapped = [f"`{column}` read as `{meaning}`" for column, meaning in columns.items()]
    rest = [f"not read: {', '.join(unread)}"] if unread else []
    return _printable("; ".join([f"{shape.name}: {shape.meaning}", *mapped, *rest]))


def _rename(fields: Fields, columns: Mapping[str, str]) -> dict[str, Any]:
    """Mapped columns under their canonical names; they win over columns that happen to have that name."""
    kept = {key: value for key, value in fields.items() if key not in columns}
    return kept | {meaning: fields[column] for column, meaning in columns.items() if column in fields}


def _first(fields: Fields, names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _part(fields: Fields, names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of the columns that is there, with its value."""
    name = next((name for name in names if fields.get(name) is not None), None)
    name = name or next(name for name in names if name in fields)
    return name, fields[name]


def _with_system(fields: Fields, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The system column before the turns, unless they bring their own system message."""
    system = optional_text(_first(fields, _SYSTEM), "system")
    if not system.strip() or any(message.role == "system" for message in messages):
        return messages
    return (Message("system", system), *messages)


def _labels(fields: Fields) -> dict[str, str]:
    return {name: _printable(value) for name in LABELS if isinstance(value := fields.get(name), str) and value.strip()}


def _question_and_answer(question: tuple[str, ...], answer: tuple[str, ...]) -> Callable[[Fields], tuple[Message, ...]]:
    def turns(fields: Fields) -> tuple[Message, ...]:
        return (*_asked(*_part(fields, question)), *_answered(*_part(fields, answer)))

    return turns


def _asked(name: str, value: Any) -> tuple[Message, ...]:
    if isinstance(value, (list, tuple)):
        return messages_of(value, name)
    text = text_of(value, name)
    if not text.strip():
        raise Unusable("empty instruction", f"{name} is {shown(text)}")
    return (Message("user", text),)


def _answered(name: str, value: Any) -> tuple[Message, ...]:
    if isinstance(value, Mapping):
        return messages_of([value], name)
    if isinstance(value, (list, tuple)):
        return messages_of(value, name)
    text = text_of(value, name)
    if not text.strip():
        raise Unusable("empty answer", f"{name} is {shown(text)}")
    return (Message("assistant", text),)


def _alpaca(fields: Fields) -> tuple[Message, ...]:
    instruction = optional_text(fields["instruction"], "instruction")
    context = optional_text(_first(fields, ("input", "context")), "input")
    if instruction.strip() and context.strip():
        # `Message.instruction` splits this join again, so nothing else may stand between the two.
        asked: tuple[Message, ...] = (Message("user", f"{instruction}\n{context}", input=context),)
    else:
        asked = _asked("instruction", context if context.strip() else instruction)
    answer = _answered(*_part(fields, ("output", "response")))
    return (*_history(fields.get("history")), *asked, *answer)


def _history(value: Any) -> tuple[Message, ...]:
    """Earlier turns as [user, assistant] pairs."""
    if value is None or value == "" or value == []:
        return ()
    if not isinstance(value, (list, tuple)):
        raise Unusable("wrong type", f"history is {shown(value)}, not a list of pairs")
    turns: list[Message] = []
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise Unusable("wrong type", f"history holds {shown(pair)}, not a pair")
        turns.append(Message("user", text_of(pair[0], "history")))
        turns.append(Message("assistant", text_of(pair[1], "history")))
    return tuple(turns)


def _instances(fields: Fields) -> tuple[Message, ...]:
    """Self-Instruct's seed tasks: an instruction with one instance of input and output."""
    instances = fields["instances"]
    if not isinstance(instances, (list, tuple)) or len(instances) != 1 or not isinstance(instances[0], Mapping):
        raise Unusable("not one instance", f"instances is {shown(instances)}")
    if "output" not in instances[0]:
        raise Unusable("missing column", f"output; the instance has {', '.join(instances[0])}")
    return _alpaca({"instruction": fields["instruction"], **instances[0]})


def _turns_in(*names: str) -> Callable[[Fields], tuple[Message, ...]]:
    return lambda fields: messages_of(_part(fields, names)[1], names[0])


def _plain_text(fields: Fields) -> str:
    text = text_of(fields["text"], "text")
    if not text.strip():
        raise Unusable("empty text", shown(text))
    return text


def _valid(text: str) -> str:
    """The text, if it can be written as UTF-8: half of a surrogate pair cannot be tokenised."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            around = text[max(0, error.start - 20) : error.start + 20]
            raise Unusable("invalid unicode", shown(around)) from None
    return text


def _valid_message(message: Message) -> None:
    for text in (message.content, message.reasoning, message.name, message.tool_call_id):
        if text:
            _valid(text)
    if message.tool_calls:
        _valid_json([(call.name, call.arguments, call.id) for call in message.tool_calls])


def _valid_json(value: Any) -> None:
    if is_too_deep(value):
        raise Unusable("nested too deeply", "a tool or a tool call")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Unusable("invalid unicode", "in a tool or a tool call") from None
    except (TypeError, ValueError) as error:  # nan, or what a column of a table holds: dates, bytes
        raise Unusable("wrong type", f"{error}, in a tool or a tool call") from None


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _pair(name: str, *, question: tuple[str, ...], answer: tuple[str, ...]) -> Shape:
    meaning = f"{' or '.join(question)} -> user, {' or '.join(answer)} -> assistant"
    return Shape(name, (question, answer), (*_SYSTEM, *_TOOLS), meaning, _question_and_answer(question, answer))


def _task(
    name: str,
    required: tuple[tuple[str, ...], tuple[str, ...]],
    turns: Callable[[Fields], tuple[Message, ...]],
    *,
    optional: tuple[str, ...] = (),
    signs: tuple[str, ...] | None = None,
) -> Shape:
    asked, answered = (" or ".join(names) for names in required)
    about = f", with {' or '.join(optional)}" if optional else ""
    meaning = f"{asked}{about} -> user, worded as a task; {answered} -> assistant"
    return Shape(name, required, (*optional, *_SYSTEM, *_TOOLS), meaning, turns, signs)


_SHAPES = (
    Shape("messages", (("messages",),), (*_SYSTEM, *_TOOLS), "turns in messages", _turns_in("messages")),
    Shape(
        "sharegpt",
        (("conversations", "conversation"),),
        (*_SYSTEM, *_TOOLS),
        "turns in conversations",
        _turns_in("conversations", "conversation"),
    ),
    Shape(
        "alpaca",
        (("instruction",), ("output", "response")),
        ("input", "context", "history", *_SYSTEM, *_TOOLS),
        "instruction and input or context -> user, output or response -> assistant",
        _alpaca,
    ),
    _pair("prompt-response", question=("prompt",), answer=("response",)),
    _pair("prompt-completion", question=("prompt",), answer=("completion",)),
    _task(
        "qa",
        (tasks.QUESTIONS, tasks.ANSWERS),
        tasks.questioned,
        optional=tasks.CONTEXTS,
        signs=("answers", *tasks.CONTEXTS),
    ),
    _pair("question-answer", question=("question",), answer=("answer",)),
    _pair("query-response", question=("query",), answer=("response",)),
    _pair("input-output", question=("input",), answer=("output", "target")),
    Shape(
        "self-instruct",
        (("instruction",), ("instances",)),
        (*_SYSTEM, *_TOOLS),
        "instruction with one instance: input -> user, output -> assistant",
        _instances,
    ),
    _task("summarization", (tasks.DOCUMENTS, tasks.SUMMARIES), tasks.summarized),
    _task(
        "translation",
        (tasks.SOURCES, tasks.TARGETS),
        tasks.translated,
        optional=tasks.TARGET_LANGUAGES,
        signs=(tasks.TRANSLATION,),
    ),
    _task("classification", (tasks.LABELLED, tasks.LABELS), tasks.classified, signs=()),
    _task("generation", (tasks.NOTES, tasks.WRITTEN), tasks.generated, signs=()),
    Shape("text", (("text",),), (), "text, trained whole", None),
)
FORMATS: Mapping[str, Shape] = {shape.name: shape for shape in _SHAPES}
"""All row formats by name, in the order in which they are tried."""
