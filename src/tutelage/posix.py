"""What POSIX systems give a process and Windows does not: file locks, limits, and the peak of memory."""

import sys
from pathlib import Path

LOCKS = sys.platform != "win32"  # whether `lock` does anything

if sys.platform != "win32":
    import fcntl
    import resource


def lock(descriptor: int) -> None:
    """Hold a file against other processes until it is closed; on Windows, nothing.

    Raises:
        BlockingIOError: another descriptor holds it.
        OSError: this file system does not lock.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def peak_resident_bytes() -> int:
    """The most memory this process has had; 0 on Windows.

    On Linux from /proc: `getrusage` also counts what the process that started this one had then.
    """
    if sys.platform == "win32":
        return 0
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024  # Linux tells KiB


def resident_bytes() -> int:
    """The memory this process has now; 0 where only other systems than Linux would tell."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()


def address_space_bytes() -> int | None:
    """The limit set on this process's address space (RLIMIT_AS); None without one."""
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
