"""Everything that can be told of a row without looking at the others, for a part of the set at a time."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from xxhash import xxh64_intdigest

from tutelage.curate.categories import tags
from tutelage.curate.decontamination import Index, Match
from tutelage.curate.personal import find, redacted
from tutelage.curate.quality import Scores, assess
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import Sample, sample
from tutelage.curate.shingles import Signatures, signatures
from tutelage.curate.taxonomy import Labels, label
from tutelage.records import Conversation, Message
from tutelage.run.curating.workers import Part
from tutelage.run.rows import RowReader
from tutelage.text import count_words, normalised


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a guard model said of a row: safe, controversial, unsafe or unknown, and categories as it names them."""

    rating: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in a row.

    Attributes:
        personal: kind of personal data -> how often it stands there.
        tags: for review; they drop nothing.
        leak: a prompt of an evaluation set that the row holds.
        prompt_words, answer_words: as `text.count_words` counts.
        prompt: all that was asked, by which duplicates are told.
        setting: hash of the system messages and tools; 0 for none. The same prompt in another setting asks for
            something else.
        guard: None where no guard model was asked.
    """

    scores: Scores
    labels: Labels
    personal: dict[str, int]
    tags: tuple[str, ...]
    leak: Match | None
    language: str
    prompt_words: int
    answer_words: int
    prompt: str
    setting: int = 0
    guard: Guarded | None = None

    @property
    def words(self) -> int:
        """Of prompt and answer."""
        return self.prompt_words + self.answer_words


@dataclass(frozen=True)
class Examiner:
    """Examines rows that lie in a folder. Called with a part of them; the same rows give the same, whatever the parts.

    Attributes:
        folder: of a `RowReader`.
        redacts: everything else is told of the rows with placeholders for personal data.
        relevance: fitted to the set.
        evaluation: prompts that must not be trained on; None: there are none.
    """

    folder: Path
    redacts: bool
    relevance: Relevance
    evaluation: Index | None

    def __call__(self, part: Part) -> tuple[list[Examined], Signatures]:
        """What is found in the rows of a part, and by what their duplicates are told."""
        rows = list(RowReader(self.folder).part(*part))
        personal = [personal_data(row) for row in rows]
        if self.redacts:
            rows = [without_personal_data(row) if found else row for row, found in zip(rows, personal, strict=True)]
        seen = [sample(row) for row in rows]
        scores = assess(seen, self.relevance)
        leaks = self._leaks(seen)
        found = [
            _examined(row, one, scores=score, personal=kinds, leak=leak)
            for row, one, score, kinds, leak in zip(rows, seen, scores, personal, leaks, strict=True)
        ]
        return found, signatures([one.prompt for one in found])

    def shown(self, row: Conversation, found: Examined) -> Conversation:
        """A row as it is written and shown."""
        return without_personal_data(row) if self.redacts and found.personal else row

    def _leaks(self, seen: list[Sample]) -> list[Match | None]:
        if self.evaluation is None:
            return [None] * len(seen)
        # The turns on lines of their own: a whole prompt may be one of them.
        held = self.evaluation.matches([f"{one.prompt}\n{one.answer}" for one in seen])
        return [leak or self.evaluation.equal(one.prompt) for leak, one in zip(held, seen, strict=True)]


def _examined(
    row: Conversation, seen: Sample, *, scores: Scores, personal: dict[str, int], leak: Match | None
) -> Examined:
    return Examined(
        scores=scores,
        labels=label(seen, row.labels),
        personal=personal,
        tags=tags(f"{seen.prompt}\n{seen.answer}"),
        leak=leak,
        language=seen.language,
        prompt_words=count_words(seen.prompt),
        answer_words=count_words(seen.answer),
        prompt=asked(seen),
        setting=setting_of(row),
    )


def asked(seen: Sample) -> str:
    """What duplicates are told by: all that was asked; of plain text, the text."""
    return seen.prompt if seen.prompts else seen.answer


def setting_of(row: Conversation) -> int:
    """Hash of the system messages and tools; 0 for none."""
    told = [normalised(message.content) for message in row.messages if message.role == "system"]
    return xxh64_intdigest(json.dumps([told, row.tools], sort_keys=True).encode()) if told or row.tools else 0


def personal_data(row: Conversation) -> dict[str, int]:
    """Kind of personal data -> how often it stands in the texts of a row, calls and descriptions of tools included."""
    said: list[Any] = [row.text, row.tools, row.labels]
    for message in row.messages:
        said += [message.content, message.reasoning, [call.arguments for call in message.tool_calls]]
    return dict(Counter(finding.kind for text in _texts(said) for finding in find(text)))


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from chain.from_iterable(map(_texts, value))
    elif isinstance(value, Mapping):
        yield from chain.from_iterable(map(_texts, value.values()))


def without_personal_data(row: Conversation) -> Conversation:
    """The same row, with placeholders for personal data."""
    messages = tuple(_redacted(message) for message in row.messages)
    tools = tuple(map(_replaced, row.tools))
    return replace(row, text=_replaced(row.text), messages=messages, tools=tools, labels=_replaced(row.labels))


def _replaced(value: Any) -> Any:
    """A JSON value with placeholders in its texts."""
    if isinstance(value, str):
        return redacted(value)[0]
    if isinstance(value, (list, tuple)):
        return [_replaced(part) for part in value]
    return {key: _replaced(part) for key, part in value.items()} if isinstance(value, Mapping) else value


def _redacted(message: Message) -> Message:
    calls = tuple(replace(call, arguments=_replaced(call.arguments)) for call in message.tool_calls)
    content, reasoning = redacted(message.content)[0], _replaced(message.reasoning)
    changed = replace(message, content=content, reasoning=reasoning, tool_calls=calls)
    if message.input is None:
        return changed
    return replace(changed, input=_end_of(changed.content, redacted(message.input)[0]))


def _end_of(content: str, part: str) -> str | None:
    return part if content.endswith(f"\n{part}") else None
