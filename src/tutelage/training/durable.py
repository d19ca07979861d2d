"""Folders that are whole or are not there: files synced, a manifest of their sizes and hashes, one rename.

A process may die, and a machine lose power, at any instant: what stands under its final name has reached the disk, and
whether it still is what was written can be seen from the manifest.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from tutelage.errors import TrainingError

MANIFEST = "manifest.json"


@contextmanager
def writing(what: str, place: Path, *, remedy: str) -> Iterator[None]:
    """What the disk does not take in this block is told as such.

    Raises:
        TrainingError: instead of the system's errors, and of safetensors' own.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{what} cannot be written: {error}",
            code="cannot-write",
            place=str(place),
            expected="room on the disk",
            remedy=remedy,
        ) from error


def seal(folder: Path) -> None:
    """Bring all files of a folder to the disk, and write their sizes and SHA-256 beside them.

    Raises:
        OSError: the disk is full, or breaks.
    """
    files = {str(file.relative_to(folder)): _facts(file) for file in _files(folder)}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
    for path in (*(folder / name for name in files), folder / MANIFEST, folder):
        _sync(path)


def put_in_place(work: Path, target: Path) -> None:
    """Give a sealed folder its final name; what stood there is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    os.replace(work, target)
    _sync(target.parent)


def problem_of(folder: Path) -> str:
    """What a sealed folder has lost since it was written; empty where it is whole."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"it has no {MANIFEST} that can be read"
    for name, wanted in files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if (size := file.stat().st_size) != wanted["bytes"]:
            return f"{name} has {size:,} bytes of {wanted['bytes']:,}"
        if _facts(file) != wanted:
            return f"{name} is not what was written: its hash differs"
    return ""


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)


def _facts(file: Path) -> dict[str, int | str]:
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
