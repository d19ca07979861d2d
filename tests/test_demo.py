"""The demo whole, as a newcomer runs it: the figures that the product promises."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_teaches_the_bundled_model_to_follow_instructions(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "tutelage.cli", "demo", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    print(figures)
    assert figures["n"] >= 300
    assert set(figures["base"]) == set(figures["tuned"]) == {"exact_match", "en", "zh"}
    assert figures["base"]["exact_match"] <= 0.05
    assert figures["tuned"]["exact_match"] >= 0.70
    assert (tmp_path / figures["report"]).read_text().lstrip().lower().startswith("<!doctype html>")
