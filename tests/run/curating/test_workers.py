"""Results in their order, whoever is done first; a failure reaches the caller."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tutelage.errors import DataError
from tutelage.run.curating.workers import Part, Workers, in_order

PARTS = [(at, at + 10) for at in range(0, 200, 10)]


def slow_at_first(part: Part) -> tuple[int, int]:
    time.sleep(0.05 if part[0] % 40 == 0 else 0)
    return part[0], os.getpid()


def failing(part: Part) -> int:
    if part[0] == 50:
        raise DataError("broken", code="unreadable-file")
    return part[0]


def ended(part: Part, *, at: int) -> int:
    if part[0] == at:
        os._exit(9)
    return part[0]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_results_come_in_the_order_of_the_parts(processes: int) -> None:
    found = list(Workers(processes).results(slow_at_first, PARTS))
    assert [start for start, _ in found] == [start for start, _ in PARTS]
    workers = {pid for _, pid in found}
    assert (workers == {os.getpid()}) == (processes == 1)
    assert len(workers) <= processes


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_part_raises_is_raised_here(processes: int) -> None:
    results = in_order(failing, PARTS, processes=processes)
    assert [next(results) for _ in range(5)] == [0, 10, 20, 30, 40]
    with pytest.raises(DataError, match="broken"):
        next(results)


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(DataError, match="ended from outside"):
        list(in_order(partial(ended, at=100), PARTS, processes=2))


def test_a_caller_that_stops_leaves_no_process_behind() -> None:
    results = in_order(slow_at_first, PARTS, processes=2)
    _, pid = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_no_parts_no_results() -> None:
    assert list(in_order(slow_at_first, [], processes=2)) == []


CALLER = """
import os, sys, time
from tutelage.run.curating.workers import in_order

def slow(part):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: the lines of two processes do not mix
    time.sleep(0.2 if part[0] else 0)
    return part[0]

for _ in in_order(slow, [(at, at + 1) for at in range(1000)], processes=2):
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL])
def test_a_caller_that_is_ended_leaves_no_process_and_they_say_nothing(ended_by: signal.Signals) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert caller.stdout is not None
    workers = set[int]()
    while len(workers) < 2:
        workers.add(int(caller.stdout.readline()))
    if ended_by == signal.SIGINT:  # as a terminal does: to every process of the group
        os.killpg(caller.pid, ended_by)
    else:
        os.kill(caller.pid, ended_by)
    left = _living(workers)
    if left and ended_by == signal.SIGINT:  # Python loses the one that comes while it collects garbage
        os.killpg(caller.pid, ended_by)
        left = _living(workers)
    os.kill(caller.pid, signal.SIGKILL if left else 0)
    _, said = caller.communicate(timeout=20)
    assert left == []
    assert said.count("Traceback") == (ended_by == signal.SIGINT), "of the caller itself"


def _living(workers: set[int]) -> list[int]:
    """Those that live on for ten seconds."""
    deadline = time.monotonic() + 10
    while (left := [pid for pid in workers if _lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
