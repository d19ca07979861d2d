"""Where torch computes: GPUs and their driver, bf16, fast attention, quantisation."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tutelage.machine.child import Gpu, Torch
from tutelage.machine.findings import GIB, Finding, gib
from tutelage.machine.imports import Tried
from tutelage.machine.traps import explain

_WAIT = 5.0  # seconds for nvidia-smi: a driver that hangs takes it along
_CHOOSE = "https://pytorch.org/get-started/locally"


@dataclass(frozen=True, slots=True)
class Driver:
    """The NVIDIA driver, as nvidia-smi tells it.

    Attributes:
        gpus: their number.
        cuda: the newest CUDA that the driver runs; empty where it does not say.
        error: why nvidia-smi does not work; empty where it does.
    """

    version: str = ""
    cuda: str = ""
    gpus: int = 0
    error: str = ""


def read_driver(command: str = "nvidia-smi") -> Driver | None:
    """Ask nvidia-smi; None where there is none."""
    path = shutil.which(command)
    if path is None:
        return None
    try:
        done = subprocess.run([path], capture_output=True, text=True, timeout=_WAIT, check=False)
        listed = subprocess.run([path, "-L"], capture_output=True, text=True, timeout=_WAIT, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        return Driver(error=str(error))
    if done.returncode:
        return Driver(error=(done.stdout + done.stderr).strip() or f"it ends with {done.returncode}")
    version, cuda = (
        found.group(1) if (found := re.search(rf"{title} Version:\s*([\d.]+)", done.stdout)) else ""
        for title in ("Driver", "CUDA")
    )
    return Driver(version, cuda, len(re.findall(r"^GPU \d+", listed.stdout, re.MULTILINE)))


def examine_device(tried: Tried, driver: Driver | None) -> Iterator[Finding]:
    """GPUs, bf16, attention, quantisation; nothing of it where torch cannot be imported, which is told already."""
    if tried.torch is None:
        if tried.torch_error:
            cause, remedy = explain(tried.torch_error, "torch")
            yield Finding("device", "torch", tried.torch_error, "WRONG", "torch computes", cause, remedy)
        return
    yield from _gpus(tried.torch, driver)
    yield from _arithmetic(tried.torch)
    if tried.torch.bitsandbytes is not None:
        yield _quantisation(tried.torch, tried.torch.bitsandbytes)


def _gpus(torch: Torch, driver: Driver | None) -> Iterator[Finding]:
    built = f"torch {torch.version}, built {f'with CUDA {torch.cuda}' if torch.cuda else 'without CUDA'}"
    if driver is not None and not driver.error:
        runs = f", runs CUDA up to {driver.cuda}" if driver.cuda else ""
        yield Finding("device", "driver", f"NVIDIA {driver.version}{runs}; {built}")
    if torch.gpus:
        yield from (_gpu(number, gpu) for number, gpu in enumerate(torch.gpus))
    elif driver is None:
        yield Finding("device", "GPU", f"none; training runs on the CPU ({built})")
    else:
        yield _unused(torch, driver, built=built)


def _gpu(number: int, gpu: Gpu) -> Finding:
    found = f"{gpu.name}, {gib(gpu.free)} of {gib(gpu.total)} free"
    if gpu.free >= min(GIB, gpu.total / 10):
        return Finding("device", f"GPU {number}", found)
    return Finding(
        "device",
        f"GPU {number}",
        found,
        "note",
        expected="free memory",
        cause="other processes hold it",
        remedy=f"nvidia-smi -i {number} names them; CUDA_VISIBLE_DEVICES chooses another GPU",
    )


def _unused(torch: Torch, driver: Driver, *, built: str) -> Finding:
    """There is a driver, and torch computes on no GPU: why, and what mends it."""
    expected = "torch computes on the GPU that the driver serves"
    if driver.error:
        cause, remedy = "the driver does not answer", "reload or reinstall the NVIDIA driver, then: nvidia-smi"
        return Finding("device", "driver", driver.error.splitlines()[0], "WRONG", expected, cause, remedy)
    if torch.cuda is None:
        cause = "this torch was built for the CPU"
        remedy = f"choose the build for CUDA {driver.cuda or 'of your driver'}: {_CHOOSE}"
        return Finding("device", "GPU", f"{driver.gpus}, unused; {built}", "WRONG", expected, cause, remedy)
    said = " ".join(torch.warnings)
    cause, remedy = explain(said or "No CUDA GPUs are available", "torch")
    found = f"{driver.gpus}, unused: {said.splitlines()[0] if said else built}"
    return Finding("device", "GPU", found, "WRONG", expected, cause, remedy)


def _arithmetic(torch: Torch) -> Iterator[Finding]:
    slow = [gpu.name for gpu in torch.gpus if not gpu.bf16]
    fast = not slow if torch.gpus else torch.cpu_bf16
    where = ", ".join(dict.fromkeys(slow)) or ("the GPU" if torch.gpus else "this processor")
    dtypes = "bf16 in hardware" if fast else f"{where} has no bf16 in hardware: train.dtype auto takes fp32"
    yield Finding("device", "arithmetic", dtypes, remedy="" if fast or not torch.gpus else "--set train.dtype=fp16")
    if not torch.gpus:
        yield Finding(
            "device", "attention", "packed rows in padded buckets; the kernel for rows of any length is CUDA's"
        )
    elif torch.varlen:
        cause, remedy = explain(torch.varlen, "torch")
        expected = "attention over rows of any length (varlen)"
        cause = cause or "this torch or this GPU has no such kernel: packed rows are attended in padded buckets"
        yield Finding("device", "attention", torch.varlen.splitlines()[0], "note", expected, cause, remedy)
    else:
        yield Finding("device", "attention", "over rows of any length, without padding (varlen)")


def _quantisation(torch: Torch, error: str) -> Finding:
    where = "the GPU" if torch.gpus else "the CPU"
    if not error:
        return Finding("device", "bitsandbytes", f"four bits and back on {where}")
    cause, remedy = explain(error, "bitsandbytes")
    expected = f"model.quantization and 8-bit optimizers on {where}"
    return Finding("device", "bitsandbytes", error.splitlines()[0], "note", expected, cause, remedy)
