"""The meter: what is counted, what the clock leaves out, and what the machine is measured by."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import VOCAB
from tests.small import examples
from tests.training_jobs import job_of, plan_of, some_rows, store_of
from tutelage.model.work import Work
from tutelage.records import Speed
from tutelage.tokens.batches import padded_batch
from tutelage.training import loop
from tutelage.training import meter as meters
from tutelage.training.meter import Meter, measured_peak, peak_gib
from tutelage.training.step import StepResult

CPU = torch.device("cpu")
BATCH = padded_batch(examples([4, 8], vocab=VOCAB), pad_id=0)
WORK = Work(per_token=100.0, per_trained_token=10.0, per_pair=((None, 2.0),))
FLOPS = 12 * 100 + 8 * 10 + 2 * (16 + 64) / 2
RESULT = StepResult(loss=1.0, grad_norm=1.0, tokens=12, trained_tokens=8, positions=16, seconds=0.0)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def perf_counter(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The meter's clock."""
    clock = Clock()
    monkeypatch.setattr(meters, "time", clock)
    return clock


def step(meter: Meter, clock: Clock, *, gap: float, inside: float) -> Speed:
    clock.passes(gap)
    meter.begin([BATCH])
    clock.passes(inside)
    return meter.end(RESULT)


def test_a_step_is_counted_with_the_gap_before_it(clock: Clock) -> None:
    assert WORK.flops(BATCH) == FLOPS
    meter = Meter(WORK.flops, peak_flops_per_s=2 * FLOPS, device=CPU)
    speed = step(meter, clock, gap=0.5, inside=1.5)
    assert (speed.tokens_per_s, speed.trained_tokens_per_s, speed.padding_share) == (6.0, 4.0, 0.25)
    assert (speed.flops_per_s, speed.peak_flops_per_s, speed.share_of_peak) == (FLOPS / 2, 2 * FLOPS, 0.25)
    assert speed.loop_overhead == 0.25


def test_the_mean_leaves_out_the_first_step(clock: Clock) -> None:
    meter = Meter(WORK.flops, peak_flops_per_s=FLOPS, device=CPU)
    assert meter.speed() is None
    first = step(meter, clock, gap=10.0, inside=30.0)
    assert meter.speed() == first, "where there is no other"
    step(meter, clock, gap=0.0, inside=1.0)
    step(meter, clock, gap=1.0, inside=2.0)
    mean = meter.speed()
    assert mean is not None
    assert mean.tokens_per_s == 24 / 4, "of the sums, not of the steps' rates"
    assert mean.share_of_peak == 0.5
    assert mean.loop_overhead == 0.25
    assert meter.seconds == 44.0


def test_the_clock_stands_still_in_evaluation_and_checkpoints(clock: Clock) -> None:
    meter = Meter(WORK.flops, peak_flops_per_s=0.0, device=CPU)
    step(meter, clock, gap=0.0, inside=1.0)
    clock.passes(0.25)
    with meter.paused():
        clock.passes(100.0)
    speed = step(meter, clock, gap=0.75, inside=3.0)
    assert speed.loop_overhead == 0.25
    assert speed.tokens_per_s == 3.0
    assert speed.share_of_peak == 0.0, "nobody measured the peak"


def test_the_loop_counts_its_listener_and_neither_evaluations_nor_checkpoints(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(store_of(tmp_path / "store", some_rows(8)), packed=False, batch_size=4, batches_per_step=1)
    job = job_of(tmp_path / "c", plan=plan, held_out=plan, steps=6, eval_every=1, save_every=1)

    def taking(seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: (clock.passes(seconds), work(*given, **named))[1]

    monkeypatch.setattr(loop, "train_step", taking(3.0, loop.train_step))
    monkeypatch.setattr(loop, "held_out_loss", taking(1000.0, loop.held_out_loss))
    monkeypatch.setattr(job.listener, "step", taking(1.0, job.listener.step))
    outcome = loop.fit(replace(job, write_model=taking(1000.0, job.write_model)))
    assert len(job.listener.evaluations) == 6
    assert outcome.seconds == 3.0 + 5 * (1.0 + 3.0)
    assert outcome.speed is not None
    assert outcome.speed.loop_overhead == 0.25
    assert [speed.loop_overhead for speed in job.listener.speeds] == [0.0] + [0.25] * 5


def test_the_peak_is_what_products_reach() -> None:
    """No product of the size measured is much faster than the best of them."""
    peak = measured_peak(CPU, torch.float32)
    assert measured_peak(CPU, torch.float32) == peak, "measured once"
    for _ in range(4):  # other programs may be running: the best of some
        measured_peak.cache_clear()
        peak = max(peak, measured_peak(CPU, torch.float32))
    side = 512
    left = torch.rand(side, side)
    started = time.perf_counter()
    for _ in range(4):
        left @ left
    reached = 4 * 2 * side**3 / (time.perf_counter() - started)
    assert peak > 1e8
    assert reached < 3 * peak


def test_memory_is_a_high_water_mark() -> None:
    before = peak_gib(CPU)
    ballast = torch.ones(1 << 26)
    after = peak_gib(CPU)
    del ballast
    assert 0.01 < before <= after < 200
    assert after >= (1 << 28) / (1 << 30), "256 MiB were held at once"
    assert peak_gib(CPU) >= after - 0.001, "Linux counts pages by processor, to a few dozen each"
