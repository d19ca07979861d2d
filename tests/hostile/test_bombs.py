"""Bombs and files of one line are dealt with in little memory and time, in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.hostile.bombs import BOMBS

ROOT = Path(__file__).parents[2]
# One line of 50 MB: its row is dropped, the other rows are used.
READ = {"line.jsonl": (5, 1), "brackets.jsonl": (5, 1), "broken.jsonl": (5, 1), "one.csv": (2, 1)}


def test_bombs_and_long_lines_take_little_memory_and_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hostile.bombs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert told.keys() == BOMBS.keys()
    for name, line in told.items():
        assert line["peak_gib"] < 1, name
        assert line["seconds"] < 20, name
        prepared = line["said"][1]
        if name in READ:
            assert (json.loads(prepared)["rows"], json.loads(prepared)["dropped"]) == READ[name]
        else:
            assert prepared.startswith(f"{tmp_path / name}:"), prepared
            assert "to do:" in prepared
