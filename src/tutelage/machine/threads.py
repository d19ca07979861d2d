"""Cores that this process may use, the threads that torch takes, and who else is busy."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tutelage.machine.findings import Finding

CGROUPS = Path("/sys/fs/cgroup")
_BUSY = 0.5  # share of the cores that others may use before it is worth a note


@dataclass(frozen=True, slots=True)
class Cores:
    """Processor cores.

    Attributes:
        machine: of the whole machine.
        allowed: that this process may run on (affinity, cpuset).
        quota: processor time per time that a container grants; None where it is not limited.
    """

    machine: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> int:
        """Threads that can run at the same time."""
        return self.allowed if self.quota is None else max(1, min(self.allowed, int(self.quota)))


def read_cores() -> Cores:
    """The cores of this process."""
    machine = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else machine
    return Cores(machine, allowed, cpu_quota(CGROUPS))


def cpu_quota(root: Path) -> float | None:
    """Cores that the control group grants: `cpu.max` (version 2), or `cfs_quota_us` over `cfs_period_us` (version 1).

    Inside a container the root of the file system of groups is the container's own group.
    """
    new, old = root / "cpu.max", root / "cpu" / "cpu.cfs_quota_us"
    if new.is_file():
        quota, period = new.read_text().split()
    elif old.is_file():
        quota, period = old.read_text(), old.with_name("cpu.cfs_period_us").read_text()
    else:
        return None
    return None if quota.strip() in ("max", "-1") else int(quota) / int(period)


def examine_threads(cores: Cores, threads: int | None, *, load: float | None) -> Iterator[Finding]:
    """Cores against threads, other load, and the compiler.

    Args:
        threads: of torch; None where torch is not there.
        load: processes that were running on average in the last minute; None where nobody knows.
    """
    granted = "" if cores.quota is None else f", the container grants {cores.quota:g}"
    yield Finding("threads", "cores", f"{cores.usable} usable of {cores.machine}{granted}")
    if threads is not None:
        yield _threads(cores.usable, threads, os.environ)
    if load is not None:
        yield _load(cores, load)
    yield _compiler(os.environ.get("CXX") or "g++")


def _threads(usable: int, threads: int, environment: Mapping[str, str]) -> Finding:
    set_to = environment.get("OMP_NUM_THREADS")
    asked = int(set_to) if set_to and set_to.isdecimal() else threads
    found = f"torch computes with {threads}" + (f" (OMP_NUM_THREADS={set_to})" if set_to is not None else "")
    expected = f"{usable}, one for each usable core"
    if threads == asked == usable:
        return Finding("threads", "threads", found, expected=expected)
    export = f"export OMP_NUM_THREADS={usable}"
    if threads > usable:
        cause = "more threads than cores: each waits at every barrier for one that has no core, which costs many times"
        return Finding("threads", "threads", found, "WRONG", expected, cause, export)
    if asked > usable:
        cause = "more than there are cores: this torch keeps to the cores, other libraries do as they are told"
        return Finding("threads", "threads", found, "note", expected, cause, export)
    cause = "fewer threads than cores; right where several processes share the machine, slower where one trains alone"
    remedy = "unset OMP_NUM_THREADS" if set_to is not None and usable == os.cpu_count() else export
    return Finding("threads", "threads", found, "note", expected, cause, remedy)


def _load(cores: Cores, load: float) -> Finding:
    found = f"{load:.1f} of {cores.machine} cores busy in the last minute"
    if load <= _BUSY * cores.machine:
        return Finding("threads", "other load", found)
    free = max(1, cores.usable - round(load))
    return Finding(
        "threads",
        "other load",
        found,
        "note",
        expected=f"at most {_BUSY:.0%}",
        cause="OpenMP's threads wait for each other at every barrier: beside busy processes the slowest sets the pace",
        remedy=f"wait for the others, or leave them cores: export OMP_NUM_THREADS={free}",
    )


def _compiler(name: str) -> Finding:
    found = next((path for path in map(shutil.which, (name, "clang++")) if path), None)
    if found:
        return Finding("threads", "C++ compiler", f"{found}, for train.torch_compile")
    cause = "torch.compile writes C++ for the processor and has it compiled"
    remedy = "sudo apt-get install g++, or its path in CXX, or leave train.torch_compile off"
    return Finding("threads", "C++ compiler", f"neither {name} nor clang++", "note", "one of them", cause, remedy)
