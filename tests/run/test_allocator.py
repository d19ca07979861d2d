"""Freed memory is kept: a tensor as large as one that was freed costs no new pages."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys, torch
from tutelage.run.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(32 << 20)  # 128 MiB: 32,768 pages of 4 KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(min(faults() for _ in range(3)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to keep memory")
def test_a_freed_block_is_used_again() -> None:
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True).stdout)
        for how in ("plain", "keep")
    )
    assert kept < plain / 10, "the pages are there already"
    assert plain > 100, "otherwise they are fetched anew"


HOLES = """
import torch
from types import SimpleNamespace
from tutelage.posix import resident_bytes
from tutelage.run.allocator import Heap, keep_freed_memory
keep_freed_memory()
heap = Heap()
def step(number):
    heap.step(SimpleNamespace(step=number), None, learning_rate=0.0, speed=None)
    return resident_bytes() >> 20
kept = torch.ones(16 << 20)
before = [step(number) for number in (1, 2, 3)][-1]
torch.ones(64 << 20)
left = resident_bytes() >> 20
print(before, left, step(4))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to give memory back")
def test_a_heap_that_has_grown_beyond_its_steps_gives_its_free_pages_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    before, left, after = map(int, done.stdout.split())
    assert left >= before + 250, "256 MiB were freed and kept"
    assert after <= before + 20
