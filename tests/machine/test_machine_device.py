"""Device, threads: what is said of what torch and the driver tell. Drivers here are small programs that answer as
nvidia-smi does; the GPU itself is a record, since most machines have none."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tutelage.machine.child import Gpu, Torch
from tutelage.machine.device import Driver, examine_device, read_driver
from tutelage.machine.findings import GIB, Finding
from tutelage.machine.imports import Tried, try_imports
from tutelage.machine.threads import Cores, cpu_quota, examine_threads, read_cores
from tutelage.run.device import has_fast_bf16

GPU = Gpu("NVIDIA A", free=20 * GIB, total=24 * GIB, bf16=True)
CPU_BUILD = Torch("2.9.0+cpu", None, 2, True, (), (), "", None)
CUDA_BUILD = replace(CPU_BUILD, version="2.9.0+cu128", cuda="12.8")
DRIVER = Driver("550.54", "12.4", 1)

SMI = """#!/bin/sh
if [ "$1" = "-L" ]; then echo "GPU 0: NVIDIA A (UUID: x)"; echo "GPU 1: NVIDIA A (UUID: y)"; exit 0; fi
echo "| NVIDIA-SMI 550.54.14    Driver Version: 550.54.14    CUDA Version: 12.4     |"
"""


def device(told: Torch, driver: Driver | None = None) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_device(Tried(torch=told), driver)}


def program(folder: Path, text: str) -> str:
    file = folder / "nvidia-smi"
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_the_driver_is_read_from_nvidia_smi(tmp_path: Path) -> None:
    assert read_driver(program(tmp_path, SMI)) == Driver("550.54.14", "12.4", 2)
    assert read_driver(str(tmp_path / "none")) is None
    failing = read_driver(program(tmp_path, "#!/bin/sh\necho 'NVIDIA-SMI has failed to talk to the driver'\nexit 9\n"))
    assert failing is not None
    assert "failed to talk" in failing.error
    assert device(CUDA_BUILD, failing)["driver"].verdict == "WRONG"


def test_what_the_child_tells_is_what_torch_tells_here() -> None:
    told = try_imports(["torch"]).torch
    assert told is not None
    assert told.version == torch.__version__
    assert len(told.gpus) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert (all(gpu.bf16 for gpu in told.gpus) if told.gpus else told.cpu_bf16) == has_fast_bf16()
    assert not [one for one in examine_device(Tried(torch=told), read_driver()) if one.verdict == "WRONG"]


def test_without_gpu_and_driver_the_cpu_is_no_fault() -> None:
    found = device(CPU_BUILD)
    assert found["GPU"].verdict == "ok"
    assert "CPU" in found["GPU"].found
    assert "fp32" in device(replace(CPU_BUILD, cpu_bf16=False))["arithmetic"].found


def test_a_torch_for_the_cpu_beside_a_gpu_is_wrong() -> None:
    found = device(CPU_BUILD, DRIVER)["GPU"]
    assert found.verdict == "WRONG"
    assert "built for the CPU" in found.cause
    assert "12.4" in found.remedy


def test_a_driver_too_old_for_torch_is_wrong() -> None:
    said = "CUDA initialization: The NVIDIA driver on your system is too old (found version 12040)."
    found = device(replace(CUDA_BUILD, warnings=(said,)), DRIVER)["GPU"]
    assert found.verdict == "WRONG"
    assert said in found.found
    assert "older than the CUDA" in found.cause
    hidden = device(CUDA_BUILD, DRIVER)["GPU"]
    assert hidden.verdict == "WRONG"
    assert "CUDA_VISIBLE_DEVICES" in hidden.remedy


def test_gpus_are_listed_with_their_memory_and_a_full_one_is_noted() -> None:
    found = device(replace(CUDA_BUILD, gpus=(GPU, replace(GPU, free=GIB // 4))), DRIVER)
    assert found["GPU 0"].found == "NVIDIA A, 20.0 GiB of 24.0 GiB free"
    assert [found["GPU 0"].verdict, found["GPU 1"].verdict] == ["ok", "note"]
    assert "-i 1" in found["GPU 1"].remedy
    assert found["attention"].verdict == "ok"


def test_what_a_gpu_cannot_do_is_noted_and_not_wrong() -> None:
    old = replace(GPU, name="NVIDIA old", bf16=False)
    errors = {"varlen": "RuntimeError: FlashAttention only supports Ampere GPUs or newer.", "bitsandbytes": "E: x"}
    found = device(replace(CUDA_BUILD, gpus=(old,), **errors), DRIVER)
    assert "NVIDIA old has no bf16" in found["arithmetic"].found
    assert [found[what].verdict for what in ("attention", "bitsandbytes")] == ["note", "note"]
    assert "padded buckets" in found["attention"].cause


def test_a_torch_that_crashes_when_it_is_used_is_wrong_and_one_that_is_missing_is_told_elsewhere() -> None:
    [found] = examine_device(Tried(torch_error="the process died of SIGILL"), None)
    assert found.verdict == "WRONG"
    assert "newer processor" in found.cause
    assert list(examine_device(Tried(), None)) == []


def threads(cores: Cores, count: int, *, load: float = 0.0) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_threads(cores, count, load=load)}


def test_more_threads_than_cores_are_told_in_a_real_process(monkeypatch: pytest.MonkeyPatch) -> None:
    usable = read_cores().usable
    assert 1 <= usable <= (os.cpu_count() or 1)
    monkeypatch.setenv("OMP_NUM_THREADS", str(usable + 3))
    told = try_imports(["torch"]).torch
    assert told is not None
    found = threads(read_cores(), told.threads)["threads"]
    assert found.verdict == ("WRONG" if told.threads > usable else "note"), "some builds of torch keep to the cores"
    assert f"OMP_NUM_THREADS={usable + 3}" in found.found
    assert found.remedy == f"export OMP_NUM_THREADS={usable}"
    assert threads(read_cores(), usable + 3)["threads"].verdict == "WRONG"


def test_threads_for_the_cores_are_right_and_fewer_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    eight = Cores(8, 8, None)
    assert threads(eight, 8)["threads"].verdict == "ok"
    assert threads(eight, 4)["threads"].verdict == "note"
    assert threads(eight, 4)["threads"].remedy == "export OMP_NUM_THREADS=8"


def test_a_container_grants_fewer_cores_than_the_machine_has(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path) is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("250000\n")
    assert cpu_quota(tmp_path) == 2.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu_quota(tmp_path) is None
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cpu_quota(tmp_path) == 0.5
    assert Cores(64, 64, 2.5).usable == 2
    assert Cores(64, 64, 0.5).usable == 1
    assert Cores(64, 4, None).usable == 4
    assert threads(Cores(64, 64, 2.5), 64)["threads"].verdict == "WRONG", "torch counts the machine's cores"


def test_a_busy_machine_is_noted() -> None:
    eight = Cores(8, 8, None)
    assert threads(eight, 8, load=1.0)["other load"].verdict == "ok"
    busy = threads(eight, 8, load=6.0)["other load"]
    assert busy.verdict == "note"
    assert "OpenMP" in busy.cause
    assert busy.remedy.endswith("OMP_NUM_THREADS=2")


def test_the_compiler_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert threads(read_cores(), 1)["C++ compiler"].verdict == "note"
    monkeypatch.setenv("CXX", program(tmp_path, "#!/bin/sh\n"))
    assert threads(read_cores(), 1)["C++ compiler"].verdict == "ok"
