"""Small files that become large ones, and large ones that are one line: written in pieces, so that the writer is small.

python -m tests.hostile.bombs FOLDER    writes, inspects and prepares each; prints a JSON line for each
"""

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import zstandard

from tutelage import posix
from tutelage import recipe as recipes
from tutelage.errors import TutelageError
from tutelage.run.assemble import speech
from tutelage.run.inspecting import inspect
from tutelage.run.prepare import prepare
from tutelage.terminal import Terminal

MIB = 1 << 20
ROW = b'{"instruction": "Say cat.", "output": "Cat."}\n'


def _zeros(size: int, sign: bytes = b"\0") -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield sign * MIB


def _gzip(path: Path, pieces: Iterator[bytes]) -> None:
    with gzip.open(path, "wb") as file:
        file.writelines(pieces)


def _zstd(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as file:
        for piece in pieces:
            file.write(piece)


def _plain(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)


def _row(before: bytes, inside: bytes, after: bytes) -> Iterator[bytes]:
    yield ROW * 3 + before
    yield from (inside * (MIB // len(inside)) for _ in range(50))
    yield after + ROW


# name of the file -> how it is written
BOMBS: dict[str, Callable[[Path], None]] = {
    "zeros.jsonl.gz": lambda path: _gzip(path, _zeros(512 * MIB)),
    "spaces.json.gz": lambda path: _gzip(path, _zeros(512 * MIB, b" ")),
    "letters.txt.gz": lambda path: _gzip(path, _zeros(512 * MIB, b"a")),
    "zeros.parquet.zst": lambda path: _zstd(path, (b"PAR1" if not n else bytes(MIB) for n in range(4096))),
    "zeros.jsonl.zst": lambda path: _zstd(path, _zeros(4096 * MIB)),
    "line.jsonl": lambda path: _plain(path, _row(b'{"instruction": "Say cat.", "output": "', b"cat ", b'"}\n')),
    "brackets.jsonl": lambda path: _plain(path, _row(b"", b"[", b"\n")),
    "broken.jsonl": lambda path: _plain(path, _row(b'{"a": "', b"a", b"\n")),
    "one.csv": lambda path: _plain(path, iter([b"instruction,output\n", b"a,b\n", b"c," + b"d" * (50 * MIB) + b"\n"])),
    "columns.csv": lambda path: _plain(path, iter([b"a," * MIB + b"\n" + b"1," * MIB + b"\n"])),
}


def read(path: Path) -> dict[str, object]:
    """What a run says to the file, with the highest memory of this process and the time."""
    spoken = speech(recipes.build({"tokens": {"max_length": 256}}))
    started, said = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as work:
        data = {"sources": [str(path)], "max_lost_share": 1.0, "malformed": "drop", "eval_share": 0.2}
        recipe = recipes.build({"data": data, "tokens": {"cache_dir": work}})
        for step in (
            lambda: inspect(recipe, with_model=False).ledger.summary(),
            lambda: prepare(recipe, spoken, terminal=Terminal(quiet=True)).ledger.summary(),
        ):
            try:
                said.append(json.dumps(step()))
            except TutelageError as error:
                said.append(str(error)[:1000])
    return {
        "said": said,
        "peak_gib": round(posix.peak_resident_bytes() / 2**30, 2),
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    for name, write in BOMBS.items():
        file = Path(sys.argv[1], name)
        write(file)
        print(json.dumps({"name": name, **read(file)}))
        file.unlink()
