"""The figures of curation, as the command prints them; and the slips that it puts into prompts."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.slips import KINDS, slip

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.shared
def test_figures_are_printed_last(shared: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.curate", "--only", "short", "safety", "--json"]
    environment = {**os.environ, "TUTELAGE_SHARED": str(shared.resolve())}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["short"]["prompts"] > 1000
    assert figures["short"]["merged"] == 0
    assert figures["safety"]["safe_prompts"] == 250
    assert figures["safety"]["dropped"] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["Name the largest river of Peru.", "请介绍一下长江的历史。"])
def test_a_slip_changes_the_text_a_little(kind: str, text: str) -> None:
    chance = random.Random(3)
    found = {slip(text, kind, chance) for _ in range(20)} - {None}
    assert text not in found
    assert found or (kind in ("case", "swap", "width") and not text.isascii())
    assert all(abs(len(other) - len(text)) <= 10 for other in found if other)


def test_there_is_no_slip_where_there_is_no_letter() -> None:
    assert all(slip("12 + 7", kind, random.Random(1)) is None for kind in KINDS)
