"""Memory, and the places where things are written: room, permission, and a file system that keeps its promises."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tutelage.machine.findings import GIB, Finding, Verdict, gib
from tutelage.machine.threads import CGROUPS
from tutelage.posix import LOCKS, lock

LEAST_MEMORY, LEAST_DISK, LITTLE_DISK = 2 * GIB, GIB, 10 * GIB
_MEMINFO, _MOUNTS = Path("/proc/meminfo"), Path("/proc/mounts")
_NOT_KEPT = ("tmpfs", "ramfs")  # what is written there is gone after a restart


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that will be written to.

    Attributes:
        path: it need not be there yet.
        vital: nothing can be trained without it.
        remedy: how another folder is chosen.
    """

    name: str
    path: Path
    vital: bool
    remedy: str

    @property
    def standing(self) -> Path:
        """What of the path is there already."""
        path = Path(os.path.abspath(self.path))
        return next(one for one in (path, *path.parents) if os.path.exists(one))


def cache_home(environment: Mapping[str, str]) -> Path:
    """The user's folder for caches. Unlike `Path.home` it needs no entry among the system's users."""
    return Path(environment.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~")) / ".cache")


def hub_home(environment: Mapping[str, str]) -> Path:
    """The folder of huggingface_hub."""
    return Path(environment.get("HF_HOME") or cache_home(environment) / "huggingface")


def places(output: Path, environment: Mapping[str, str]) -> list[Place]:
    """Where runs, prepared tokens and models of the Hub are written."""
    tokens = cache_home(environment) / "tutelage" / "tokens"
    hub = Path(environment.get("HF_HUB_CACHE") or hub_home(environment) / "hub")
    return [
        Place("runs", output, True, "another output_dir in the recipe"),
        Place("token cache", tokens, True, "tokens.cache_dir in the recipe, or XDG_CACHE_HOME"),
        Place("Hub cache", hub, False, "export HF_HOME=FOLDER"),
    ]


def examine_storage(output: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Memory, then each place, then the promises of the file system of the runs."""
    yield _memory(available_memory())
    listed = places(output, environment)
    for place in listed:
        yield examine_place(place)
    yield _temporary()
    yield from examine_file_system(listed[0])


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: of the machine, what is available now, and what a container may use (None: all)."""

    total: int
    available: int
    limit: int | None


def available_memory() -> Memory | None:
    """Memory as Linux tells it; None elsewhere."""
    if not _MEMINFO.is_file():
        return None
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", _MEMINFO.read_text(), re.MULTILINE))
    total, available = int(sizes["MemTotal"]) << 10, int(sizes["MemAvailable"]) << 10
    limit, used = memory_limit(CGROUPS)
    if limit is None or limit >= total:
        return Memory(total, available, None)
    return Memory(total, min(available, limit - used), limit)


def memory_limit(root: Path) -> tuple[int | None, int]:
    """(limit, used) of the control group in bytes; no limit where none is set."""
    pairs = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    for limit, used in pairs:
        if (root / limit).is_file():
            text = (root / limit).read_text().strip()
            return (None if text == "max" else int(text)), int((root / used).read_text())
    return None, 0


def _memory(memory: Memory | None) -> Finding:
    if memory is None:
        return Finding("storage", "memory", "this system does not tell")
    limit = "" if memory.limit is None else f", the container may use {gib(memory.limit)}"
    found = f"{gib(memory.available)} available of {gib(memory.total)}{limit}"
    if memory.available >= LEAST_MEMORY:
        return Finding("storage", "memory", found)
    cause = "other processes hold it, or the container's limit is low"
    remedy = "ps aux --sort=-rss | head names the largest processes; tutelage preflight tells what a run needs"
    return Finding("storage", "memory", found, "note", f"{gib(LEAST_MEMORY)} for small models", cause, remedy)


def examine_place(place: Place) -> Finding:
    """Whether a place can be written to, and its room. What is written for that is removed again."""
    where = place.standing
    wrong: Verdict = "WRONG" if place.vital else "note"
    try:
        with tempfile.TemporaryDirectory(prefix=".tutelage-doctor-", dir=where) as folder:
            (Path(folder) / "file").write_bytes(b"x")
    except OSError as error:
        found = f"{place.path} cannot be written: {error.strerror} ({where})"
        return Finding("storage", place.name, found, wrong, "a folder to write to", "", place.remedy)
    free, kind = shutil.disk_usage(where).free, file_system(where)
    found = f"{place.path}, {gib(free)} free{f' ({kind})' if kind else ''}"
    if free < LITTLE_DISK:
        verdict: Verdict = wrong if free < LEAST_DISK else "note"
        expected = f"{gib(LITTLE_DISK)}: a checkpoint in training is about 12 bytes for each trained weight"
        return Finding("storage", place.name, found, verdict, expected, "the disk is full", place.remedy)
    if kind in _NOT_KEPT and place.vital:
        cause = "this file system lives in memory: it takes memory from training and is empty after a restart"
        return Finding("storage", place.name, found, "note", "a disk", cause, place.remedy)
    return Finding("storage", place.name, found)


def file_system(path: Path) -> str:
    """The kind of file system that a path is on, as ext4 or nfs4; empty where the system does not tell."""
    if not _MOUNTS.is_file():
        return ""
    mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
    real = path.resolve()
    holding = [(len(point), kind) for point, kind in mounts if real.is_relative_to(point)]
    return max(holding)[1] if holding else ""


def _temporary() -> Finding:
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        expected, remedy = "a folder for temporary files", "export TMPDIR=FOLDER"
        return Finding("storage", "temporary files", str(error.strerror), "WRONG", expected, "", remedy)
    return examine_place(Place("temporary files", folder, False, "export TMPDIR=FOLDER"))


def examine_file_system(place: Place) -> Iterator[Finding]:
    """Whether locks keep a second process out, and whether a folder is renamed and a file replaced in one step:
    what keeps two runs apart, and what keeps checkpoints whole. Nothing where nothing can be written."""
    what, where = "locks and renames", place.standing
    expected = "flock keeps others out, rename replaces in one step"
    try:
        with tempfile.TemporaryDirectory(prefix=".tutelage-doctor-", dir=where) as folder:
            faults = [*_lock_faults(Path(folder)), *_rename_faults(Path(folder))]
    except OSError:
        return  # `examine_place` has told it
    if not faults:
        yield Finding("storage", what, f"work in {where}", expected=expected)
        return
    kind = file_system(where)
    cause = f"the file system{f' ({kind})' if kind else ''} does not do it; network and FUSE mounts often do not"
    yield Finding("storage", what, "; ".join(faults), "WRONG", expected, cause, f"a local disk: {place.remedy}")


def _lock_faults(folder: Path) -> Iterator[str]:
    if not LOCKS:
        return
    with (folder / "lock").open("w") as first, (folder / "lock").open("w") as second:
        try:
            lock(first.fileno())
        except OSError as error:
            yield f"a file cannot be locked: {error.strerror}"
            return
        try:
            lock(second.fileno())
        except BlockingIOError:
            return
        yield "a locked file can be locked again"


def _rename_faults(folder: Path) -> Iterator[str]:
    old, new, inside = folder / "old", folder / "new", folder / "checkpoint.part"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    inside.mkdir()
    (inside / "weights").write_bytes(b"w")
    try:
        os.replace(new, old)
        os.replace(inside, folder / "checkpoint")
    except OSError as error:
        yield f"nothing can be renamed: {error.strerror}"
        return
    if old.read_bytes() != b"new" or new.exists() or not (folder / "checkpoint" / "weights").is_file():
        yield "a renamed file is not where it should be"
