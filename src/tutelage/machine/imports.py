"""Whether the installed packages can be imported: in a child process, so that a crash is survived and named."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.machine import child
from tutelage.machine.child import MARK, TORCH, Gpu, Torch
from tutelage.machine.findings import Finding, Verdict
from tutelage.machine.packages import DEVELOPMENT, NAME, modules, needed
from tutelage.machine.traps import explain

LIMIT = 120.0  # seconds for all imports; a cold disk takes its time
# Packages that transformers and peft import wherever they are installed, though Tutelage does not need them.
BESIDE = ("torchvision", "torchao", "flash_attn", "accelerate")
_SHOWN = 240  # characters of an error


@dataclass
class Tried:
    """What came of the imports.

    Attributes:
        errors: module -> its error, empty where it was imported. A crash is an error of the module that was tried.
        torch: what torch can do; None where that was not asked, or failed.
        torch_error: why it failed.
    """

    errors: dict[str, str] = field(default_factory=dict)
    torch: Torch | None = None
    torch_error: str = ""


def run_child(*arguments: str, limit: float) -> tuple[list[dict[str, Any]], str]:
    """Run the child.

    Returns:
        Its lines, and how it ended if not well: a signal, a time limit, or the last line that it wrote to stderr.
    """
    command = [sys.executable, "-P", child.__file__, *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as late:
        return _lines(late.stdout or b""), f"it does not come to an end within {limit:g} s"
    return _lines(done.stdout), _ending(done)


def _lines(stdout: bytes) -> list[dict[str, Any]]:
    """Our lines among those that packages print; the last may be cut off."""
    lines = stdout.decode("utf-8", "replace").split("\n")
    return [json.loads(line.partition(MARK)[2]) for line in lines if MARK in line and line.endswith("}")]


def _ending(done: subprocess.CompletedProcess[bytes]) -> str:
    if not done.returncode:
        return ""
    if done.returncode < 0:
        return f"the process died of {signal.Signals(-done.returncode).name}"
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the process ended with {done.returncode}: {''.join(last)}"


def try_imports(names: Sequence[str], *, limit: float = LIMIT) -> Tried:
    """Import modules in their order; after a crash, those that are left are tried in another process."""
    tried, left = Tried(), list(names)
    while left:
        lines, ending = run_child("import", *left, limit=limit)
        begun = next((line["start"] for line in reversed(lines) if "start" in line), left[0])
        for line in lines:
            if line.get("done") == TORCH:
                tried.torch = _facts(line["torch"])
            elif "done" in line:
                tried.errors[line["done"]] = line["error"]
        if begun == TORCH:
            tried.torch_error = "" if tried.torch else ending
        elif begun not in tried.errors:
            tried.errors[begun] = ending or "the process ended before the import did"
        left = [name for name in left if name not in tried.errors]
    return tried


def _facts(told: dict[str, Any]) -> Torch:
    gpus = tuple(Gpu(**one) for one in told["gpus"])
    return Torch(**{**told, "gpus": gpus, "warnings": tuple(told["warnings"])})


def examine_imports() -> tuple[list[Finding], Tried]:
    """One finding for each installed package of ours and beside ours, and what torch can do.

    What this process has imported already is known to work; where it has imported nothing, since something is broken,
    everything is tried.
    """
    everything = [one for one in needed() if one.extra != DEVELOPMENT]
    extras = {one.name for one in everything if one.extra} | set(BESIDE)
    names = modules([*(one.name for one in everything if one.installed), *BESIDE])
    names[NAME] = f"{NAME}.cli"
    known = {module: "" for module in names.values() if module in sys.modules}
    tried = try_imports(["torch", *(module for module in names.values() if module not in {*known, "torch"})])
    tried.errors = known | tried.errors
    return list(_findings(names, tried, optional=extras)), tried


def _findings(names: dict[str, str], tried: Tried, *, optional: set[str]) -> Iterator[Finding]:
    for package, module in names.items():
        error = tried.errors[module]
        verdict: Verdict = "ok" if not error else "note" if package in optional else "WRONG"
        if verdict == "ok":
            yield Finding("imports", package, f"import {module} works")
            continue
        cause, remedy = explain(error, package)
        shown = error if len(error) <= _SHOWN else f"{error[:_SHOWN]} [...]"
        yield Finding("imports", package, shown, verdict, "it can be imported", cause, remedy)
