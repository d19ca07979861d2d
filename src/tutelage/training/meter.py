"""The meter: how fast a run goes, and how much of what this machine can do it uses.

Everything is counted over all processes; clock and memory are those of the first.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tutelage.posix import peak_resident_bytes
from tutelage.records import Batch, Speed
from tutelage.training import distributed
from tutelage.training.step import StepResult

PEAK_SECONDS = 0.5  # for which products are tried
SIDE = {"cpu": 2048, "cuda": 8192}  # of their matrices: large enough to keep all units busy
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over steps.

    Attributes:
        step_seconds: inside of steps; gap_seconds: between them.
    """

    tokens: int = 0
    trained_tokens: int = 0
    positions: int = 0
    flops: float = 0.0
    step_seconds: float = 0.0
    gap_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.step_seconds + self.gap_seconds

    def plus(self, other: "Tally") -> "Tally":
        """The sums of both."""
        return Tally(
            self.tokens + other.tokens,
            self.trained_tokens + other.trained_tokens,
            self.positions + other.positions,
            self.flops + other.flops,
            self.step_seconds + other.step_seconds,
            self.gap_seconds + other.gap_seconds,
        )


class Meter:
    """Holds the clock beside the loop: `begin`, a step, `end`; whatever lies between two steps is overhead, but for
    what is `paused`.

    Args:
        flops: operations of a batch, asked before its step.
        peak_flops_per_s: of this process.
    """

    def __init__(self, flops: Callable[[Batch], float], *, peak_flops_per_s: float, device: torch.device) -> None:
        self._flops_of, self._device = flops, device
        self._peak = self._over_all(peak_flops_per_s)
        self._first: Tally | None = None
        self._later = Tally()
        self._flops = 0.0
        self._began = self._ended = time.perf_counter()

    def begin(self, batches: Sequence[Batch]) -> None:
        """A step over these batches, this process's, begins."""
        self._flops = sum(map(self._flops_of, batches))
        self._began = time.perf_counter()

    def end(self, result: StepResult) -> Speed:
        """The step has ended; its speed, with the time since the step before it."""
        now = time.perf_counter()
        step_seconds, gap_seconds = now - self._began, self._began - self._ended
        self._ended = now
        step = Tally(
            result.tokens,
            result.trained_tokens,
            result.positions,
            self._over_all(self._flops),
            step_seconds,
            gap_seconds,
        )
        if self._first is None:
            self._first = step
        else:
            self._later = self._later.plus(step)
        return self._speed(step)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The clock stands still: evaluation, checkpoints."""
        since = time.perf_counter()
        yield
        self._ended += time.perf_counter() - since

    @property
    def seconds(self) -> float:
        """Time of all steps and between them."""
        return (self._first or Tally()).plus(self._later).seconds

    def speed(self) -> Speed | None:
        """The speed of all steps but the first, which warms up, unless it is the only one; None without any."""
        measured = self._later if self._later.seconds else self._first
        return None if measured is None else self._speed(measured)

    def _speed(self, of: Tally) -> Speed:
        flops_per_s = of.flops / of.seconds
        return Speed(
            tokens_per_s=of.tokens / of.seconds,
            trained_tokens_per_s=of.trained_tokens / of.seconds,
            padding_share=1 - of.tokens / of.positions,
            flops_per_s=flops_per_s,
            peak_flops_per_s=self._peak,
            share_of_peak=flops_per_s / self._peak if self._peak else 0.0,
            loop_overhead=of.gap_seconds / of.seconds,
            peak_gib=peak_gib(self._device),
        )

    def _over_all(self, value: float) -> float:
        """The sum over all processes; one process has no tensor to make for it."""
        if distributed.world_size() == 1:
            return value
        return float(distributed.sum_over_all(torch.tensor(value, dtype=torch.float64, device=self._device)))


@functools.cache
def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second that square matrix products reach on this device in this dtype: the best of several.

    Measured once in a process, within about half a second (two products at least, the first to warm up).
    """
    side, chance = SIDE[device.type], torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(side, side, device=device, generator=chance).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    torch.mm(left, right, out=product)
    best, until = float("inf"), time.perf_counter() + PEAK_SECONDS
    while best == float("inf") or time.perf_counter() < until:
        _wait(device)
        started = time.perf_counter()
        torch.mm(left, right, out=product)
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_gib(device: torch.device) -> float:
    """The highest memory of this process so far, GiB: on a GPU what tensors took of it, on a CPU the resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    return peak_resident_bytes() / GIB
