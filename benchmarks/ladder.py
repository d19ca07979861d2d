"""The optimisation ladder: full fine-tuning on a CPU with everything, then with each trick left out or added alone.

    python -m benchmarks.ladder
    python -m benchmarks.ladder --rungs "no packing" "torch.compile"

All rungs are run in turn, round by round; quoted is the median ratio to the run with everything. A rung that no key of
the recipe reaches is made by replacing a piece of the engine in that process (`python -m benchmarks.ladder head train
...` trains without the fused head).
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.cpu_sft import OURS, SMOLLM2_135M
from benchmarks.inputs import write_model, write_rows
from benchmarks.runs import ours
from benchmarks.sft import Suite, write_recipe
from tutelage.run import allocator, engine

# Rung -> (settings, pieces left out).
RUNGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "everything": ((), ()),
    "no packing: padded rows": (
        ("tokens.packing=false", "train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=12"),
        (),
    ),
    "dense attention mask": (("model.attn_implementation=sdpa",), ()),
    "logits of every token": ((), ("head",)),
    "memory given back": ((), ("memory",)),
    "fp32": (("train.dtype=fp32",), ()),
    "torch.compile": (("train.torch_compile=true",), ()),
    "selective checkpointing": (("train.gradient_checkpointing=selective",), ()),
    "full checkpointing": (("train.gradient_checkpointing=full",), ()),
}
PIECES: Mapping[str, Callable[[], None]] = {
    "memory": lambda: setattr(allocator, "keep_freed_memory", lambda: None),
    "head": lambda: setattr(engine, "head_agrees", lambda *_: False),
}


def main() -> None:
    """Measure the ladder, or train once without some pieces."""
    if "train" in sys.argv[1:]:
        train_without(sys.argv[1 : sys.argv.index("train")])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=str(__doc__).splitlines()[0])
    parser.add_argument("--rungs", nargs="*", default=list(RUNGS), help=f"some of: {', '.join(RUNGS)}")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    climb(["everything", *(name for name in RUNGS if name in options.rungs and name != "everything")], options.rounds)


def train_without(pieces: list[str]) -> None:
    """The command line with some pieces of the engine replaced."""
    from tutelage.cli import main as command_line

    for piece in pieces:
        PIECES[piece]()
    sys.argv = ["tutelage", *sys.argv[sys.argv.index("train") :]]
    command_line()


def climb(rungs: list[str], rounds: int) -> None:
    """Every rung in every round."""
    rates: dict[str, list[float]] = {name: [] for name in rungs}
    peaks: dict[str, list[float]] = {name: [] for name in rungs}
    suite = Suite("python -m benchmarks.ladder", "cpu", {"smollm2-135m": SMOLLM2_135M}, ())
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        work = Path(folder)
        write_rows(work / "rows.jsonl")
        write_recipe(suite, work)
        write_model(work / "model", SMOLLM2_135M, device="cpu")
        for _ in range(rounds):
            for name in rungs:
                settings, pieces = RUNGS[name]
                result = ours(work, [f"model.name_or_path={work / 'model'}", *OURS, *settings], without=pieces)
                rates[name].append(result["tokens_per_s"])
                peaks[name].append(result["peak_gib"])
                print(f"{name:<28} {rates[name][-1]:>6,.0f} tokens/s {peaks[name][-1]:>6.2f} GiB", flush=True)
    print(f"\n{'':<28} {'tokens/s':>9} {'to everything':>14} {'peak GiB':>9}")
    for name in rungs:
        ratio = statistics.median(rate / whole for rate, whole in zip(rates[name], rates["everything"], strict=True))
        print(
            f"{name:<28} {statistics.median(rates[name]):>9,.0f} {ratio:>14.2f} {statistics.median(peaks[name]):>9.2f}"
        )


if __name__ == "__main__":
    main()
