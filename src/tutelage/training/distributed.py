"""Several processes under torchrun: who am I, and sums over all. One process is a world of one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


def start() -> None:
    """Join the process group that torchrun announces, each process with a GPU of its own; without torchrun nothing
    happens."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


@contextmanager
def main_first() -> Iterator[None]:
    """The first process does the work of this block before the others do: they find what it has written."""
    if rank() > 0:
        dist.barrier()
    yield
    if rank() == 0 and dist.is_initialized():
        dist.barrier()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_all(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes."""
    if dist.is_initialized():
        dist.all_reduce(value)
    return value


def side_by_side(columns_KR: torch.Tensor) -> torch.Tensor:
    """The columns of all processes in the order of their ranks, (K, R of all); each may have another number of them."""
    if not dist.is_initialized():
        return columns_KR
    counts = torch.zeros(world_size(), dtype=torch.int64, device=columns_KR.device)
    counts[rank()] = columns_KR.shape[1]
    ends = sum_over_all(counts).cumsum(0).tolist()
    every_KR = columns_KR.new_zeros((len(columns_KR), ends[-1]))
    every_KR[:, ends[rank()] - columns_KR.shape[1] : ends[rank()]] = columns_KR
    return sum_over_all(every_KR)


def any_of(here: bool, device: torch.device) -> bool:
    """Whether something holds for at least one process."""
    if not dist.is_initialized():
        return here
    return bool(sum_over_all(torch.tensor(float(here), device=device)) > 0)


def sum_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Sum gradients over all processes. Each process has divided by the step's count over all, so no mean is taken."""
    if not dist.is_initialized():
        return
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        dist.all_reduce(weight.grad)
