"""JSON in the shapes in which people keep rows: an array, one object per line, or one object around a list."""

import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import orjson

from tutelage.data.pieces import Malformed, Piece, around
from tutelage.data.streams import SAVE_AS_UTF8, decode, wrong_byte

_log = logging.getLogger(__name__)
_decode_value = json.JSONDecoder().raw_decode
_DIGITS = b"0123456789"
_LONG_INTEGER = re.compile(rb"\d{19}")
_SPACE = re.compile(r"[ \t\r\n]*")
# Lists that belong to one row: an object that holds one of these is a row, not a wrapper around rows.
_LISTS_OF_A_ROW = frozenset(
    {"messages", "conversations", "conversation", "prompt", "completion", "chosen", "rejected"}
    | {"tools", "functions", "history", "instances"}
)


def read_json(lines: Iterable[bytes], file: str) -> Iterator[Piece]:
    """The rows of a JSON or JSONL file; the content decides which it is, not the ending.

    Lines are read one by one; an array or an indented object is held in memory as text and decoded element by element.
    What does not parse is yielded as Malformed; after it, JSONL goes on and an array ends.

    Raises:
        DataError: an array or indented object that is not UTF-8.
    """
    numbered = enumerate(lines, 1)
    head = _first_lines(numbered)
    first = head[0][1].lstrip()[:1] if head else b""
    if first == b"[":
        yield from _array(_whole(head, numbered, file))
    elif first == b"{" and not _is_jsonl(head):
        yield from _objects(_whole(head, numbered, file), file)
    else:
        yield from _jsonl(chain(head, numbered))


_Numbered = tuple[int, bytes]  # a line with its number


def _first_lines(lines: Iterator[_Numbered]) -> list[_Numbered]:
    """The first two lines that are not blank; only the first of an array."""
    head: list[_Numbered] = []
    for number, line in lines:
        if not line.isspace():
            head.append((number, line))
            if len(head) == 2 or line.lstrip().startswith(b"["):
                break
    return head


def _is_jsonl(head: list[_Numbered]) -> bool:
    """Whether one of two lines is an object in itself: so it is in JSONL and never in an indented object."""
    return len(head) > 1 and any(isinstance(_line(line), dict) for _, line in head)


def _whole(head: Iterable[_Numbered], rest: Iterable[_Numbered], file: str) -> str:
    """The text of the whole file; blank lines before those of `head` are kept as line ends alone."""
    whole = io.BytesIO()  # a list of all lines would take many times the memory
    before = 0
    for number, line in head:
        whole.write(b"\n" * (number - before - 1) + line)
        before = number
    whole.writelines(line for _, line in rest)
    return decode(whole.getvalue(), file)


def _jsonl(lines: Iterable[_Numbered]) -> Iterator[Piece]:
    for number, line in lines:
        if not line.isspace():
            yield number, _line(line)


def _line(line: bytes) -> Any:
    # orjson turns integers beyond 64 bits (19 digits and more) into floats. Counting digits spares most lines a search.
    if len(line) - len(line.translate(None, _DIGITS)) >= 19 and _LONG_INTEGER.search(line):
        return _second_opinion(line)
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _second_opinion(line)


def _second_opinion(line: bytes) -> Any:
    """The standard library accepts what orjson does not (NaN, long integers, lone surrogates), and explains better."""
    try:
        text = line.decode()
        return json.loads(text)
    except UnicodeDecodeError as error:
        return Malformed(wrong_byte(error), "UTF-8", SAVE_AS_UTF8)
    except (ValueError, RecursionError) as error:
        return _malformed(text, error)


def _malformed(text: str, error: ValueError | RecursionError) -> Malformed:
    if isinstance(error, json.JSONDecodeError):
        return Malformed(f"{error.msg} at column {error.colno}: {around(text, error.pos)}")
    problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Malformed(f"{problem}: {around(text, 0)}")


def _line_of(text: str, error: ValueError | RecursionError, *, start: int) -> int:
    position = error.pos if isinstance(error, json.JSONDecodeError) else start
    return text.count("\n", 0, position) + 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # the pattern matches the empty string
    return match.end()


def _array(text: str, start: int = 0, *, nested: bool = False) -> Iterator[Piece]:
    """The elements of the array that begins at or after `start`, and what follows it unless it is nested."""
    counted, line = 0, 1
    position = _skip(text, _skip(text, start) + 1)
    while text[position : position + 1] != "]":
        line += text.count("\n", counted, position)
        counted = position
        try:
            value, end = _decode_value(text, position)
        except (ValueError, RecursionError) as error:
            yield _line_of(text, error, start=position), _malformed(text, error)
            return
        yield line, value
        position, problem = _after_element(text, _skip(text, end))
        if problem is not None:
            yield problem
            return
    rest = _skip(text, position + 1)
    if not nested and rest < len(text):
        yield _broken(text, rest, found="text after the end of the array", expected="one array in the file")


def _after_element(text: str, position: int) -> tuple[int, Piece | None]:
    """Where the next element or the closing bracket stands, or what is wrong after an element."""
    mark = text[position : position + 1]
    if mark == "]":
        return position, None
    if mark != ",":
        found = f"{mark!r} after an element" if mark else "the array is cut off"
        return position, _broken(text, position, found=found, expected="`,` or `]`")
    following = _skip(text, position + 1)
    if text[following : following + 1] == "]":
        found, expected = "a comma before the closing ]", "the next element, or no comma"
        return position, _broken(text, following, found=found, expected=expected)
    return following, None


def _broken(text: str, position: int, *, found: str, expected: str) -> Piece:
    return text.count("\n", 0, position) + 1, Malformed(f"{found}: {around(text, position)}", expected)


def _objects(text: str, file: str) -> Iterator[Piece]:
    """Objects one after the other over several lines; a single one may be a wrapper around a list of rows."""
    counted, line, number = 0, 1, 0
    position = _skip(text, 0)
    while position < len(text):
        line += text.count("\n", counted, position)
        counted = position
        try:
            value, end = _decode_value(text, position)
        except (ValueError, RecursionError) as error:
            yield _line_of(text, error, start=position), _malformed(text, error)
            return
        following = _skip(text, end)
        wrapped = _wrapped_list(value) if number == 0 and following == len(text) else None
        if wrapped is not None:
            _log.warning("%s holds one object: the elements of its list `%s` are read as rows", file, wrapped)
            yield from _array(text, _start_of_member(text, position, wanted=wrapped), nested=True)
        else:
            yield line, value
        position, number = following, number + 1


def _wrapped_list(value: Any) -> str | None:
    """The key of the one list of objects in an object, unless that list is part of a row."""
    if not isinstance(value, dict) or _LISTS_OF_A_ROW & value.keys():
        return None
    keys = [key for key, item in value.items() if isinstance(item, list) and item and isinstance(item[0], dict)]
    return keys[0] if len(keys) == 1 else None


def _start_of_member(text: str, position: int, *, wanted: str) -> int:
    """Where the value of the last member `wanted` begins in the (valid) object at `position`."""
    found = position
    position = _skip(text, position + 1)
    while text[position] != "}":
        key, end = _decode_value(text, position)
        value_start = _skip(text, _skip(text, end) + 1)
        if key == wanted:
            found = value_start
        _, end = _decode_value(text, value_start)
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found
