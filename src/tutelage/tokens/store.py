"""The token store: every example of a data set in files of plain numbers, so that a second run starts at once.

A store is a folder named by the hash of everything that decides its content: rows, tokenizer, template, mask policy,
length limit, and the source code that made it. It is written beside its place and renamed, so that a half-written
store never stands there.

    tokens.i32      token ids of all examples, one after the other
    weights.f32     weight of each token as a target
    examples.i64    (n + 1,) offsets of the examples, then (n,) their rows
    store.json      sizes of all files, and whatever its maker wants to keep (counts, notes)

Its maker may put files of its own beside these; they are part of the store.
"""

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.records import Example

_WRITE_AT_ONCE = 1024  # examples
_READ_AT_ONCE = 1 << 20  # numbers


def store_key(parts: Mapping[str, Any]) -> str:
    """A name for the content that `parts` decide: SHA-256 of their JSON, 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_version(files: Iterable[Path]) -> str:
    """A hash of source files: a store made by other code is another store."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class TokenStore(Sequence[Example]):
    """The examples of a finished store, read as they are asked for.

    The files are opened once: a store that is deleted under a run is read to its end. One that is cut short is told;
    through a memory map it would end the process without a word.

    Attributes:
        extra: what its maker kept.
        rows: the row of each example, (n,).

    Raises:
        DataError: a file is missing or has not the size that it was written with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.extra: dict[str, Any] = _side_car(folder)
        self._tokens = _Column(folder / "tokens.i32", np.dtype(np.int32))
        self._weights = _Column(folder / "weights.f32", np.dtype(np.float32))
        index = np.fromfile(folder / "examples.i64", dtype=np.int64)
        count = (len(index) - 1) // 2
        self._offsets, self.rows = index[: count + 1], index[count + 1 :]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: Any) -> Any:
        start, end = self._offsets[number], self._offsets[number + 1]
        return Example(int(self.rows[number]), self._tokens.read(start, end), self._weights.read(start, end))

    @property
    def digest(self) -> str:
        """SHA-256 of the ids and of the weights of all examples: what is trained on, whatever code prepared it."""
        return str(self.extra["digest"])

    @property
    def largest_id(self) -> int:
        """The largest token id; -1 in an empty store."""
        end = int(self._offsets[-1])
        parts = range(0, end, _READ_AT_ONCE)
        return max((int(self._tokens.read(at, min(end, at + _READ_AT_ONCE)).max()) for at in parts), default=-1)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, (n,)."""
        return np.diff(self._offsets)

    def trained_tokens(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> int:
        """How many tokens of these examples are trained: those with weight that something before them predicts."""
        return int(sum(np.count_nonzero(self[int(number)].weights[1:]) for number in numbers))


class StoreWriter:
    """Writes a store beside its place; `finish` moves it there. Used as a context: leaving early removes all traces.

    Attributes:
        work: the folder that is being written; its maker may put files of its own there.
    """

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        self._tokens = (self.work / "tokens.i32").open("wb")
        self._weights = (self.work / "weights.f32").open("wb")
        self._digests = (hashlib.sha256(), hashlib.sha256())
        self._waiting: list[Example] = []
        self._lengths: list[int] = []
        self._rows: list[int] = []

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tokens.close()
        self._weights.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def add(self, example: Example) -> None:
        """Append an example."""
        self._waiting.append(example)
        self._lengths.append(len(example.token_ids))
        self._rows.append(example.row)
        if len(self._waiting) == _WRITE_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        tokens = np.concatenate([example.token_ids for example in self._waiting]).astype(np.int32)
        weights = np.concatenate([example.weights for example in self._waiting]).astype(np.float32)
        for file, digest, values in zip((self._tokens, self._weights), self._digests, (tokens, weights), strict=True):
            content = values.tobytes()
            file.write(content)
            digest.update(content)
        self._waiting.clear()

    def finish(self, extra: Mapping[str, Any]) -> TokenStore:
        """Complete the store with its JSON side car and move it into place."""
        self._write()
        self._tokens.close()
        self._weights.close()
        offsets = np.concatenate([[0], np.cumsum(self._lengths, dtype=np.int64)])
        np.concatenate([offsets, np.asarray(self._rows)]).astype(np.int64).tofile(self.work / "examples.i64")
        sizes = {file.name: file.stat().st_size for file in sorted(self.work.iterdir())}
        content = {"files": sizes, "extra": {**extra, "digest": "".join(one.hexdigest() for one in self._digests)}}
        (self.work / "store.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        try:
            os.replace(self.work, self._folder)
        except OSError as error:
            # Another run finished the same store first: same key, same content.
            if not (self._folder / "store.json").exists():
                raise DataError(
                    f"the token store cannot be put there: {error.strerror}",
                    code="cannot-write",
                    place=str(self._folder),
                    remedy=f"rm -r {self._folder}",
                ) from None
        return TokenStore(self._folder)


def _side_car(folder: Path) -> dict[str, Any]:
    """What store.json keeps for its maker, once all files are as it says."""
    try:
        content = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _damaged(folder / "store.json", "it cannot be read") from None
    for name, size in content["files"].items():
        file = folder / name
        if not file.is_file():
            raise _damaged(file, "it is missing")
        if file.stat().st_size != size:
            raise _damaged(file, f"{file.stat().st_size:,} bytes of {size:,}")
    extra: dict[str, Any] = content["extra"]
    return extra


def _damaged(file: Path, problem: str) -> DataError:
    return DataError(
        f"the token store is damaged: {problem}", code="token-store", place=str(file), remedy=f"rm -r {file.parent}"
    )


class _Column:
    """Numbers of one type in a file, read by their places."""

    def __init__(self, file: Path, dtype: np.dtype[Any]) -> None:
        self._path, self._dtype = file, dtype
        self._descriptor = os.open(file, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, start: int, end: int) -> npt.NDArray[Any]:
        """The numbers from `start` up to `end`.

        Raises:
            DataError: the file has become shorter than it was.
        """
        size = self._dtype.itemsize
        content = os.pread(self._descriptor, int(end - start) * size, int(start) * size)
        if len(content) != (end - start) * size:
            raise _damaged(self._path, "it was cut short while it was in use")
        return np.frombuffer(content, dtype=self._dtype)
