"""Overlapped loading: the batches of the next step are built in a thread while this step computes."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import torch

from tutelage.records import Batch
from tutelage.tokens.batches import BatchPlan
from tutelage.training import distributed


def prefetched(plan: BatchPlan, steps: range, *, device: torch.device) -> Generator[list[Batch], None, None]:
    """This process's batches of each of these steps, in the order of the plan.

    One step is built ahead. What fails while a step is built is raised when that step is asked for, with its own
    traceback. Close the generator (`contextlib.closing`) where not all steps are wanted: then its thread has ended.

    Args:
        device: where they will be computed on. For a GPU they lie in page-locked memory, from where `Batch.to` copies
            while both go on computing.
    """
    with ThreadPoolExecutor(1, "batches", initializer=_settle, initargs=(device,)) as thread:

        def build(step: int) -> Future[list[Batch]]:
            return thread.submit(_batches, plan, step, pinned=device.type == "cuda")

        ahead = [build(step) for step in steps[:1]]
        for number in range(len(steps)):
            batches = ahead.pop().result()
            ahead = [build(step) for step in steps[number + 1 : number + 2]]
            yield batches


def _settle(device: torch.device) -> None:
    """A new thread works for the first GPU, which may be another process's."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def _batches(plan: BatchPlan, step: int, *, pinned: bool) -> list[Batch]:
    """The batches of a step that fall to this process."""
    own = plan.step_packs(step)[distributed.rank() :: distributed.world_size()]
    batches = [plan.batch(numbers) for numbers in own]
    return [_pinned(batch) for batch in batches] if pinned else batches


def _pinned(batch: Batch) -> Batch:
    return replace(
        batch,
        token_ids_BT=batch.token_ids_BT.pin_memory(),
        position_ids_BT=batch.position_ids_BT.pin_memory(),
        target_ids_BT=batch.target_ids_BT.pin_memory(),
        target_weights_BT=batch.target_weights_BT.pin_memory(),
    )
