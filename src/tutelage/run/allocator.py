"""How the C library gives memory to tensors on CPU.

glibc fetches every block above 32 MiB from the operating system and gives it back when the tensor dies. A training step
makes and drops such blocks all the time (gradients of embeddings and of the head), and each of their pages is zeroed
anew: measured on a 135M model, 4 % of a step's time.
"""

import ctypes
import gc
import platform

from tutelage.posix import resident_bytes
from tutelage.records import Speed
from tutelage.training.checkpoint import TrainState
from tutelage.training.step import StepResult

# Numbers of mallopt's parameters, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_GROWTH = 64 << 20  # bytes by which the heap grows at once
_FIRST_STEPS = 2  # the optimizer's moments come with the first
_GROWN = 1.03  # beyond this multiple of what a step needs the heap has holes


def keep_freed_memory() -> None:
    """From now on this process keeps memory that tensors have freed, for the next ones. Only glibc knows the way."""
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, -1)
    library.mallopt(_TOP_PAD, _GROWTH)


def give_back_freed_memory() -> None:
    """Give the operating system what tensors have freed, once: what comes next is of other sizes."""
    gc.collect()
    _trim()


class Heap:
    """Hears of every step, and keeps the heap from growing by holes: steps differ a little in what they allocate, and
    what fits into no hole extends the heap. Where it has grown beyond what a step needs, its free pages go back."""

    def __init__(self) -> None:
        self._needed = 0  # bytes; measured after a step that began without free pages
        self._is_fresh = True

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""
        taken = resident_bytes()
        if self._is_fresh:
            self._needed, self._is_fresh = max(self._needed, taken), state.step < _FIRST_STEPS
        elif taken > _GROWN * self._needed:
            _trim()
            self._is_fresh = True

    def close(self) -> None:
        """Nothing is open."""


def _trim() -> None:
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
