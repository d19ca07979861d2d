"""Overlapped loading: the plan's batches in the plan's order, and a thread that never outlives its loop."""

import threading
import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from tests.small import same_batches
from tests.training_jobs import job_of, plan_of, some_rows, store_of
from tutelage.tokens.batches import BatchPlan
from tutelage.training.loop import fit
from tutelage.training.prefetch import prefetched

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Watched(BatchPlan):
    """A plan that remembers which steps were built, and breaks at one."""

    built: list[int] = field(default_factory=list)
    breaks_at: int = -1

    def step_packs(self, step: int) -> list:  # type: ignore[type-arg]
        assert threading.current_thread() is not threading.main_thread()
        self.built.append(step)
        if step == self.breaks_at:
            raise OSError(f"the disk is gone at step {step}")
        return super().step_packs(step)


@pytest.fixture
def plan(tmp_path: Path) -> BatchPlan:
    """Nine rows, four a step in two batches: three steps an epoch, the last one smaller."""
    return plan_of(store_of(tmp_path / "store", some_rows(9)), packed=False, batch_size=2, batches_per_step=2)


def watched(plan: BatchPlan, *, breaks_at: int = -1) -> Watched:
    settings = {name: getattr(plan, name) for name in BatchPlan.__dataclass_fields__}
    return Watched(**settings, breaks_at=breaks_at)


def waiting(plan: Watched, count: int) -> list[int]:
    """The steps that were built, once there are so many."""
    until = time.monotonic() + 10
    while len(plan.built) < count and time.monotonic() < until:
        time.sleep(0.001)
    return plan.built


def loaders() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


@pytest.mark.parametrize(("start", "end"), [(0, 7), (2, 5), (4, 5)])
def test_the_order_is_the_plans(plan: BatchPlan, start: int, end: int) -> None:
    assert plan.steps_per_epoch == 3
    loaded = list(prefetched(plan, range(start, end), device=CPU))
    wanted = [plan.step(step) for step in range(start, end)]
    assert len(loaded) == end - start
    assert all(same_batches(left, right) for left, right in zip(loaded, wanted, strict=True))
    assert not loaders()


def test_no_steps_are_no_batches(plan: BatchPlan) -> None:
    assert list(prefetched(plan, range(3, 3), device=CPU)) == []


def test_the_next_step_is_built_while_this_one_is_in_work(plan: BatchPlan) -> None:
    plan = watched(plan)
    with closing(prefetched(plan, range(1, 6), device=CPU)) as loaded:
        assert plan.built == [], "nothing is built before somebody asks"
        next(loaded)
        assert waiting(plan, 2) == [1, 2]
        next(loaded)
        assert waiting(plan, 3) == [1, 2, 3], "one step ahead, not more"
        assert loaders()
    assert not loaders()


def test_what_fails_ahead_is_raised_at_its_own_step(plan: BatchPlan) -> None:
    plan = watched(plan, breaks_at=2)
    loaded = prefetched(plan, range(4), device=CPU)
    assert [len(next(loaded)) for _ in range(2)] == [2, 2]
    assert waiting(plan, 3) == [0, 1, 2], "it has failed already"
    with pytest.raises(OSError, match="gone at step 2") as error:
        next(loaded)
    assert "step_packs" in [frame.name for frame in traceback.extract_tb(error.value.__traceback__)]
    assert not loaders()
    assert plan.built == [0, 1, 2]


def test_the_loop_ends_its_thread_whatever_ends_the_loop(tmp_path: Path, plan: BatchPlan) -> None:
    with pytest.raises(OSError, match="gone at step 3"):
        fit(job_of(tmp_path / "broken", plan=watched(plan, breaks_at=3), steps=6))
    assert not loaders()

    class Dying:
        """A listener that fails at the second step."""

        def step(self, state: object, *_: object, **__: object) -> None:
            if state.step == 2:  # type: ignore[attr-defined]
                assert loaders()
                raise KeyboardInterrupt

    job = replace(job_of(tmp_path / "killed", plan=watched(plan), steps=6), listener=Dying())
    with pytest.raises(KeyboardInterrupt):
        fit(job)
    assert not loaders()
    assert waiting(job.plan, 3) == [0, 1, 2]


def test_batches_wait_in_main_memory_and_are_pinned_for_a_gpu(plan: BatchPlan) -> None:
    device = torch.device("cuda", 0) if torch.cuda.is_available() else CPU
    with closing(prefetched(plan, range(1), device=device)) as loaded:
        (batch, *_) = next(loaded)
    tensors = (batch.token_ids_BT, batch.position_ids_BT, batch.target_ids_BT, batch.target_weights_BT)
    assert {tensor.device for tensor in tensors} == {CPU}
    assert {tensor.is_pinned() for tensor in tensors} == {device.type == "cuda"}
    assert same_batches([batch], plan.step(0)[:1])
