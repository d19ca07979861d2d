"""Mutations: what editors, transfers, scripts and attackers do to files, drawn from a seeded generator."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

WORDS: tuple[bytes, ...] = (
    *(b'"', b"'", b"{", b"}", b"[", b"]", b"{}", b"[]", b":", b",", b"\n", b"\r\n", b"\r", b"\t", b" ", b"\\", b"\0"),
    *(b"\\u0000", b"\\ud800", b"\\udfff", b"\\u", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3"),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 25, b"9" * 400, b"9" * 5000, b"0x1F", b"1e308"),
    *(b'"role"', b'"content"', b'"messages"', b'"system"', b'"tools"', b'"weight"', b"assistant", b"user", b"tool"),
    *(b"[" * 200, b'{"a":' * 200, b'""', b'","', b'"\n"', b"\x1f\x8b", b"PAR1", b"ARROW1", b"<|im_end|>", b"<think>"),
    *(b"{{", b"}}", b"{%", b"%}", b"{#", b"-%}", b"{% if ", b"{% for m in messages %}", b"{% endfor %}", b"|tojson"),
    *(b"{% set x = [x, x] %}", b"range(10**9)", b"loop.index", b"messages[0]", b".__class__", b"raise_exception(1)"),
    *(b"* 10 ** 9", b"{{ bos_token }}", b"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", b"namespace()", b" in "),
    *(b"&a ", b"*a", b"? ", b"!!python/object:os.system", b"!!binary ", b"<<: ", b"2001-99-99", b"---\n", b"- ", b": "),
    *(b"0b", b"1_000", b"12:30:61", b".nan", b"~", b"|\n", b"%YAML 9.9\n", b"&a [*a]", b"\xf0\x9f\x98\x80"),
)

# Values that a field may have instead of its own.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e39, 1e308, float("nan"), float("inf")),
    *("", " ", "\n", "\0", "\ud800", "x" * 5000, "null", "[1]", '{"name": 1}', "{", "<|im_end|>", "猫", "1e999"),
    *([], {}, [[]], [None], [1, "a"], {"a": None}, {"": ""}, {"role": "user"}, [{"role": "assistant", "content": "x"}]),
    *([[["deep"] * 3] * 3] * 3, {"name": "f", "arguments": {"n": 10**30}}, [{"name": "f", "arguments": "{"}]),
)


def bytes_of(data: bytes, other: bytes, draw: Random) -> bytes:
    """`data` after one to four mutations; `other` is what pieces are spliced in from."""
    for _ in range(draw.randint(1, 4)):
        data = draw.choice(_MUTATIONS)(data, other, draw)
    return data


def _flip(data: bytes, other: bytes, draw: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4) if data else 0):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, other: bytes, draw: Random) -> bytes:
    start, end = _range(data, draw)
    return data[:start] + data[end:]


def _truncate(data: bytes, other: bytes, draw: Random) -> bytes:
    return data[: draw.randint(0, len(data))]


def _splice(data: bytes, other: bytes, draw: Random) -> bytes:
    start, end = _range(other, draw)
    at, to = _range(data, draw)
    return data[:at] + other[start:end] + data[to if draw.random() < 0.5 else at :]


def _duplicate(data: bytes, other: bytes, draw: Random) -> bytes:
    start, end = _range(data, draw)
    return data[:end] + data[start:end] * draw.choice((1, 1, 2, 20)) + data[end:]


def _insert(data: bytes, other: bytes, draw: Random) -> bytes:
    at = draw.randint(0, len(data))
    return data[:at] + draw.choice(WORDS) + data[at:]


def _replace(data: bytes, other: bytes, draw: Random) -> bytes:
    start = draw.randint(0, len(data))
    return data[:start] + draw.choice(WORDS) + data[start + draw.randint(0, 8) :]


Mutation = Callable[[bytes, bytes, Random], bytes]
_MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _truncate, _splice, _duplicate, _insert, _insert, _replace)


def _range(data: bytes, draw: Random) -> tuple[int, int]:
    start = draw.randint(0, len(data))
    return start, min(len(data), start + draw.choice((1, 4, 30, 300)))


def rows_of(rows: list[dict[str, Any]], draw: Random) -> list[dict[str, Any]]:
    """The rows with one to three values, at any depth, changed in type, left out, or named otherwise."""
    changed = json.loads(json.dumps(rows))
    for _ in range(draw.randint(1, 3)):
        _change(draw.choice(changed), draw)
    return [row for row in changed if row] or [{}]


def _change(inside: Any, draw: Random) -> None:
    keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
    if not keys:
        return
    key = draw.choice(keys)
    if isinstance(inside[key], (dict, list)) and draw.random() < 0.7:
        _change(inside[key], draw)
        return
    fate = draw.random()
    if fate < 0.1:
        del inside[key]
    elif fate < 0.2 and isinstance(inside, dict):
        inside[draw.choice(("Role", "value", "name", "train", "weight", "tools", "\ud800", ""))] = inside.pop(key)
    else:
        inside[key] = draw.choice(ODD_VALUES)
