"""Pairs of answers of which the better one is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
import yaml

from tutelage.errors import DataError
from tutelage.evaluation.judge.pairwise import Pair

_BUNDLED = Path(__file__).parent / "known.yaml"


@dataclass(frozen=True, slots=True)
class KnownPair:
    """A pair whose better answer is known; `set` names where it comes from."""

    pair: Pair
    better: Literal["first", "second"]
    set: str

    @property
    def outcome(self) -> int:
        """What a right judge says, as in `Preference.outcome`."""
        return 1 if self.better == "second" else -1


@cache
def bundled() -> tuple[KnownPair, ...]:
    """The pairs that come with the package, half of them in Chinese. Each has an answer that does what was asked and a
    worse one that tempts; by turns the first and the second is the better one."""
    sets = yaml.safe_load(_BUNDLED.read_text(encoding="utf-8"))
    entries = [(name, entry) for name, entries in sets.items() for entry in entries]
    return tuple(_turned(entry, name, number % 2 == 1) for number, (name, entry) in enumerate(entries))


def _turned(entry: dict[str, str], name: str, second: bool) -> KnownPair:
    question, better, worse = (entry[part].strip() for part in ("question", "better", "worse"))
    if second:
        return KnownPair(Pair(question, worse, better), "second", name)
    return KnownPair(Pair(question, better, worse), "first", name)


def known_pairs(file: Path) -> list[KnownPair]:
    """The pairs of a file in the form of LLMBar (Zeng et al. 2024): objects with `input`, `output_1`, `output_2` and
    `label` (1 or 2), in a JSON list or one on each line. The set is called like the file.

    Raises:
        DataError: the file cannot be read, or one of its pairs has another form.
    """
    try:
        return [_known(entry, file=file, place=place) for place, entry in _entries(file)]
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}", code="unreadable-file", place=str(file)) from None


def _entries(file: Path) -> Iterator[tuple[str, Any]]:
    """Place and value of each pair."""
    content = file.read_bytes()
    if content.lstrip()[:1] == b"[":
        yield from ((f"{file}, pair {number}", one) for number, one in enumerate(_decoded(content, str(file)), start=1))
        return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield f"{file}:{number}", _decoded(line, f"{file}:{number}")


def _decoded(content: bytes, place: str) -> Any:
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise DataError(f"this is no JSON: {error}", code="unreadable-file", place=place) from None


def _known(entry: Any, *, file: Path, place: str) -> KnownPair:
    match entry:
        case {"input": str(question), "output_1": str(first), "output_2": str(second), "label": int(label)}:
            if label in (1, 2) and label is not True:
                return KnownPair(Pair(question, first, second), "first" if label == 1 else "second", file.stem)
    raise DataError(
        "this is no pair with a known preference",
        code="unreadable-file",
        place=place,
        expected='{"input": text, "output_1": text, "output_2": text, "label": 1 or 2}',
    )
