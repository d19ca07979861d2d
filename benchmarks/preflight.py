"""What `tutelage preflight` foretells, beside what the whole run then takes: time and memory of three recipes.

    python -m benchmarks.preflight --json

The shape is SmolLM2-135M's with random weights, the rows are Alpaca's; each recipe trains for a few minutes. A ratio of
1.05 says that the run took 5 % more than was foretold. Memory is the highest resident set of the training process;
`saving_share` is what a save costs of the time of 100 steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cpu_sft import SMOLLM2_135M
from benchmarks.inputs import write_model, write_rows

GIB = 1 << 30
COMMON = {"data": {"max_rows": 1500, "eval_share": 0.03}, "evaluate": {"num_questions": 8, "max_new_tokens": 16}}
RECIPES: dict[str, dict[str, Any]] = {
    "full, packed": {
        "tokens": {"max_length": 1024},
        "train": {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2, "max_steps": 50},
    },
    "lora, padded": {
        "tokens": {"max_length": 512, "packing": False},
        "train": {"method": "lora", "per_device_train_batch_size": 4, "max_steps": 100, "eval_steps": 40},
    },
    "freeze, recomputed": {
        "tokens": {"max_length": 512},
        "train": {
            "method": "freeze",
            "per_device_train_batch_size": 4,
            "gradient_checkpointing": "full",
            "max_steps": 60,
            "save_steps": 20,
        },
        "freeze": {"trainable_layers": 6, "cache_trunk": "never"},
    },
}


def run(verb: str, recipe: Path) -> tuple[dict[str, Any], float]:
    """The last line of a verb's stdout, and the peak of its process in GiB."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as told:
        command = [sys.executable, "-m", "tutelage.cli", verb, str(recipe), "--json"]
        process = subprocess.Popen(command, stdout=out, stderr=told, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        told.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}\n{told.read()[-3000:]}")
        return json.loads(out.read().splitlines()[-1]), usage.ru_maxrss * 1024 / GIB


def compare(name: str, work: Path) -> dict[str, float]:
    """A forecast and its run."""
    sections = {key: {**COMMON.get(key, {}), **RECIPES[name].get(key, {})} for key in (*COMMON, *RECIPES[name])}
    sections["data"]["sources"] = [str(work / "rows.jsonl")]
    sections["tokens"]["cache_dir"] = str(work / "cache")
    recipe = work / f"{name}.json"
    tree = {"output_dir": str(work / name), "model": {"name_or_path": str(work / "model")}, **sections}
    recipe.write_text(json.dumps(tree), encoding="utf-8")
    expected, _ = run("preflight", recipe)
    found, peak_gib = run("train", recipe)
    return {
        "expected_s": expected["seconds"],
        "took_s": found["seconds_in_all"],
        "time": round(found["seconds_in_all"] / expected["seconds"], 3),
        "saving_share": round(expected["save_seconds"] / (100 * expected["parts"]["training"] / expected["steps"]), 4),
        "expected_gib": expected["peak_gib"],
        "took_gib": round(peak_gib, 3),
        "memory": round(peak_gib / expected["peak_gib"], 3),
    }


def main() -> None:
    """Print a line for each recipe, and the figures last."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.preflight", description="Forecasts beside runs.")
    options.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    options.add_argument("--recipes", nargs="*", default=list(RECIPES), choices=list(RECIPES), help="only these")
    given = options.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        work = Path(folder)
        write_rows(work / "rows.jsonl")
        write_model(work / "model", SMOLLM2_135M, device="cpu")
        for name in given.recipes:
            found[name] = compare(name, work)
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found[name].items()), flush=True)
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
