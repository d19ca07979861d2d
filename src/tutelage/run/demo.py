"""The verb demo: the bundled base model learns to follow instructions, with proof, in about a minute."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage import recipe as recipes
from tutelage.demo import instructions
from tutelage.run.comparing import show_comparison
from tutelage.run.training import TrainResult, train
from tutelage.terminal import Terminal

SETTINGS: dict[str, Any] = {
    "template": {"name": "chatml"},
    "tokens": {"max_length": 256},
    "train": {
        "method": "lora",  # learns the form and leaves the knowledge: full fine-tuning forgets more of it
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "learning_rate": 2e-3,
        "warmup_ratio": 0.1,
        "logging_steps": 5,
        "save_total_limit": 1,
    },
    "evaluate": {"num_questions": instructions.HELD_OUT_ROWS, "max_new_tokens": 24, "batch_size": 64},
}


@dataclass(frozen=True)
class DemoResult:
    """A demo that ran."""

    trained: TrainResult
    seconds: float

    def summary(self) -> dict[str, Any]:
        """As `tutelage demo --json` prints it."""
        held_out = self.trained.comparisons[0]
        figures = held_out.summary()
        shown = ("exact_match", "en", "zh")
        return {
            "n": len(held_out.items),
            "seconds": round(self.seconds, 1),
            **{name: {key: figures[name][key] for key in shown} for name in ("base", "tuned")},
            "report": str(self.trained.report),
        }


def demo(*, output: str = "runs/demo", terminal: Terminal | None = None) -> DemoResult:
    """Fine-tune the bundled model on instructions about its small world, ask about what no instruction mentioned, in
    words that no instruction used, before and after.

    Args:
        output: folder of the run; an earlier demo in it is replaced.
    """
    started = time.monotonic()
    terminal = terminal or Terminal()
    folder = Path(output)
    if (folder / "demo-data").is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    instructions.write(folder / "demo-data")
    data = {
        "sources": [str(folder / "demo-data" / "train.jsonl")],
        "eval_sources": [str(folder / "demo-data" / "heldout.jsonl")],
    }
    recipe = recipes.build({**SETTINGS, "output_dir": str(folder), "data": data})
    trained = train(recipe, terminal=terminal)
    show_comparison(trained.comparisons[0], terminal)
    terminal.say("report: ", (str(trained.report), "bold"))
    return DemoResult(trained, time.monotonic() - started)
