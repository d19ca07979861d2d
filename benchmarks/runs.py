"""Runs of ours and of peers, each in a process of its own, each answering with one JSON object."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.inputs import SHARED


def ours(work: Path, settings: Sequence[str], *, without: Sequence[str] = ()) -> dict[str, Any]:
    """What `tutelage train --json` prints for a recipe in `work` with `section.key=value` settings.

    Args:
        without: tricks of the engine that are left out; see `benchmarks.ladder`.
    """
    command = (
        [sys.executable, "-m", "benchmarks.ladder", *without] if without else [sys.executable, "-m", "tutelage.cli"]
    )
    given = [part for setting in settings for part in ("--set", setting)]
    return last_json([*command, "train", str(work / "recipe.yaml"), "--json", *given])


def peer(name: str, python: str, inputs: Sequence[str]) -> dict[str, Any]:
    """What a peer's script prints; the scripts stand beside the shared assets."""
    return last_json([python, str(SHARED.parent / "peers" / f"{name}_sft.py"), *inputs])


def last_json(command: Sequence[str]) -> dict[str, Any]:
    """The JSON object on the last line that a command prints."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
