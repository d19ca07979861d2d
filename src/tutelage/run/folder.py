"""The output folder of a run: claimed before anything is written, held against other runs, and an earlier run in it is
kept."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage import posix
from tutelage.errors import TrainingError
from tutelage.recipe import Recipe
from tutelage.terminal import Terminal

LOCK = ".lock"
ANOTHER = "--set output_dir=ANOTHER/FOLDER"


@contextmanager
def claimed(recipe: Recipe, *, resume: bool, terminal: Terminal) -> Iterator[Path]:
    """The output folder, this run's own while the block lasts. A run that is already there is moved beside it, unless
    it is resumed. The system lets go of the folder when a process dies, however it dies.

    Raises:
        TrainingError: another process trains into it, the place is a file, or it cannot be written to.
    """
    output = Path(recipe.output_dir)
    try:
        if (output / "recipe.yaml").exists() and not resume:
            os.close(locked(output, ANOTHER))  # nobody is at work there
            aside = _free(output)
            output.rename(aside)
            terminal.note(f"{output} holds an earlier run; it is now {aside}")
        output.mkdir(parents=True, exist_ok=True)
        lock = locked(output, ANOTHER)
        (output / "recipe.yaml").touch()
    except OSError as error:
        raise TrainingError(
            f"the output folder cannot be written: {error.strerror}",
            code="cannot-write",
            place=str(output),
            remedy=ANOTHER,
        ) from None
    try:
        yield output
    finally:
        os.close(lock)


def locked(output: Path, elsewhere: str) -> int:
    """The lock's descriptor; closing it unlocks.

    Args:
        elsewhere: what sends the results to another folder.

    Raises:
        TrainingError: another process holds the folder.
        OSError: the folder cannot be written to.
    """
    lock = os.open(output / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        posix.lock(lock)
    except BlockingIOError:
        holder = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise TrainingError(
            f"another run is at work in this folder (process {holder or 'unknown'})",
            code="folder-in-use",
            place=str(output),
            remedy=f"wait for it, or {elsewhere}",
        ) from None
    os.ftruncate(lock, 0)
    os.lseek(lock, 0, os.SEEK_SET)
    os.write(lock, str(os.getpid()).encode())
    return lock


def _free(output: Path) -> Path:
    number = 1
    while (aside := output.with_name(f"{output.name}.{number}")).exists():
        number += 1
    return aside
