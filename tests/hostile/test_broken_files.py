"""Broken files of every kind: each is refused with its place, or every row of it is in the ledger once."""

import contextlib
import io
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hostile import valid
from tests.hostile.fuzz import speeches
from tests.hostile.judge import judge_data
from tutelage import cli

ROW = b'{"instruction": "Say cat.", "output": "Cat."}\n'


def turn(**fields: object) -> bytes:
    turns = [{"role": "user", "content": "Say cat."}, {"role": "assistant", "content": "Cat.", **fields}]
    return valid.jsonl([{"messages": turns}])


def call(arguments: object) -> bytes:
    return turn(tool_calls=[{"function": {"name": "count", "arguments": arguments}}])


def column(values: pa.Array) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"instruction": ["a"], "output": ["b"], "tools": values}), stream)
    return stream.getvalue()


NULLS = [{"messages": None}, {"messages": [None, {"role": None, "content": None}]}, valid.plain_messages()[0]]

# name of the file -> (its bytes, rows in it, rows of them that are dropped); None: the file is refused.
FILES: dict[str, tuple[bytes, int | None, int]] = {
    "truncated.jsonl": (ROW * 3 + ROW[:20], 4, 1),
    "nested.jsonl": (ROW + b'{"a": {"b": {"c": \n' + ROW, 3, 1),
    "mark.jsonl": (b"\xef\xbb\xbf" + ROW, 1, 0),
    "utf16.jsonl": ((ROW * 3).decode().encode("utf-16"), 3, 0),
    "unmarked-le.jsonl": ((ROW * 3).decode().encode("utf-16-le"), 3, 0),
    "unmarked-be.json": ("[".encode("utf-16-be") + ROW.decode().encode("utf-16-be") + b"\0]", 1, 0),
    "null-bytes.jsonl": (ROW + b"\0\0\0\n" + ROW, 3, 1),
    "null-escape.jsonl": (ROW + ROW.replace(b"Cat", b"C\\u0000t"), 2, 0),
    "surrogate.jsonl": (ROW + ROW.replace(b"Cat", b"C\\ud800t"), 2, 1),
    "surrogate-key.jsonl": (ROW + ROW.replace(b'"output"', b'"\\ud800": 1, "output"'), 2, 0),
    "windows.jsonl": (ROW.replace(b"\n", b"\r\n") * 3, 3, 0),
    "deep.jsonl": (ROW + b"[" * 100_000 + b"\n" + ROW, 3, 1),
    "deep.json": (b"[" * 100_000, None, 0),
    "deep-value.jsonl": (ROW + ROW.replace(b"}", b', "tools": ' + b"[" * 500 + b"]" * 500 + b"}"), 2, 1),
    "duplicate-keys.jsonl": (ROW + ROW.replace(b"{", b'{"output": "Dog.", '), 2, 0),
    "types.jsonl": (
        b"".join(ROW.replace(b'"Cat."', one) for one in (b"[]", b"{}", b"true", b"null", b"7", b"2.5")),
        6,
        4,
    ),
    "no-numbers.jsonl": (ROW + ROW.replace(b'"Cat."', b"NaN") + ROW.replace(b'"Cat."', b"-Infinity"), 3, 2),
    "huge-integer.jsonl": (ROW + ROW.replace(b'"Cat."', b"9" * 400), 2, 0),
    "endless-integer.jsonl": (ROW + ROW.replace(b'"Cat."', b"9" * 5000), 2, 1),
    "heavy.messages.jsonl": (turn() + turn(weight=10**400) + turn(weight=1e39) + turn(weight=2), 4, 2),
    "long-number.messages.jsonl": (turn() + call({"n": 10**30}), 2, 0),
    "nan-argument.messages.jsonl": (turn() + call({"n": float("nan")}), 2, 1),
    "unclosed.csv": (b'instruction,output\na,b\n"c,d\n' + b"e,f\n" * 50, None, 0),
    "cut-off.csv": (b'instruction,output\na,b\n"c,d', 2, 1),
    "ragged.csv": (b"instruction,output\na,b\nc\nd,e,f\n", 3, 2),
    "odd-quotes.csv": (b'instruction,output\na,b\n"c"d,e\nf,"g""h"\n', 3, 1),
    "broken-header.csv": (b'"instruction"x,output\na,b\nc,d\n', None, 0),
    "null-byte.csv": (b"instruction,output\na,b\0\nc,d\n", 2, 0),
    "old-mac.csv": (b"instruction,output\ra,b\rc,d\r", None, 0),
    "half.parquet": (valid.parquet(valid.alpaca())[:700], None, 0),
    "no-rows.parquet": (valid.parquet(valid.alpaca()[:0]), None, 0),
    "nulls.messages.parquet": (valid.parquet(NULLS), 3, 2),
    "byte-keys.parquet": (column(pa.array([[(b"name", 1)]], pa.map_(pa.binary(), pa.int64()))), 1, 0),
    "truncated.jsonl.gz": (valid.gzipped(ROW * 99)[:-9], None, 0),
    "truncated.jsonl.zst": (valid.squeezed(ROW * 99)[:-4], None, 0),
    "other.jsonl.xz": (lzma.compress(ROW), None, 0),
    "other.jsonl": (lzma.compress(ROW), None, 0),
    "empty.jsonl": (b"", None, 0),
    "empty.parquet": (b"", None, 0),
    "white.jsonl": (b" \n\t\r\n" * 100, None, 0),
}


def inspected(path: Path, monkeypatch: pytest.MonkeyPatch, *settings: str) -> tuple[int, str]:
    """Exit code and words of `tutelage data inspect --json`, in process, through `main`."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["tutelage", "data", "inspect", "--data", str(path), "--json", *settings])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        cli.main()
    code = int(ended.value.code or 0)
    return code, err.getvalue() if code else out.getvalue().splitlines()[-1]


def check_refusal(said: str, path: Path) -> None:
    assert said.startswith(f"error: {path}"), said
    assert "run again with --debug" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_refused_or_every_row_is_accounted_for(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, rows, dropped = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    plain, tools = speeches()
    verdict = judge_data(path, tools if "messages" in name else plain)
    assert verdict.is_sound, verdict.problem
    assert verdict.rows == (rows or 0)
    code, said = inspected(path, monkeypatch, "--set", "data.malformed=drop")
    if rows is None:
        assert code == 1
        check_refusal(said, path)
    else:
        assert code == 0, said
        assert (counts := json.loads(said)["ledger"])["rows"] == rows
        assert counts["dropped"] == dropped


def as_folder(path: Path) -> None:
    path.mkdir()


def as_loop(path: Path) -> None:
    path.symlink_to(path)


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [as_folder, as_loop, as_pipe])
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    make(path)
    code, said = inspected(path, monkeypatch)
    assert code == 1
    check_refusal(said, path)
    assert judge_data(path, speeches()[0]).refused


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(ROW)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    code, said = inspected(path, monkeypatch)
    assert code == 1
    check_refusal(said, path)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_name_that_is_no_text_is_printed_all_the_same(tmp_path: Path, as_json: bool) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    path.write_bytes(ROW)
    command = [sys.executable, "-m", "tutelage.cli", "data", "inspect", "--data", str(path), *["--json"] * as_json]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, env=strict, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert b"caf\\udce9.jsonl" in done.stdout
    if as_json:
        assert str(path) in json.loads(done.stdout.splitlines()[-1])["formats"][0]
