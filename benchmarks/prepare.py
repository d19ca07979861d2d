"""Preparing a data set (read, render, mask, tokenise, pack) beside a peer, in alternation on the same machine.

    python -m benchmarks.prepare --peer trl
    python -m benchmarks.prepare --peer trl --peer-python ../peers/bin/python --rounds 5

Alpaca's 52,002 rows with the SmolLM2 tokenizer and a ChatML template, from `$TUTELAGE_SHARED` (../shared/assets where
it is unset); the peer's script stands in `peers/` beside it and runs under a Python that has it (extra `peers`).
Every measurement is a process of its own, imports left out. Both clocks start when the tokenizer is loaded; the peer
has read its rows before, ours reads them within. "again" is a second process that finds the token store.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.inputs import write_config, write_rows, write_tokenizer
from benchmarks.runs import last_json, peer

MAX_LENGTH = 1024


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prepare", description=str(__doc__).splitlines()[0])
    parser.add_argument("--peer", choices=["trl"], help="whom to run beside")
    parser.add_argument("--peer-python", default=sys.executable, help="Python in which the peer is installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)  # one measurement, in a process of its own
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(measure(options.ours)))
        return
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        work = Path(folder)
        write_tokenizer(work / "model")
        write_config(work / "model")
        write_rows(work / "rows.jsonl")
        compare(work, options)


def measure(work: Path) -> dict[str, Any]:
    """Prepare and pack once; the token store of an earlier process is used if it is there."""
    from tutelage import recipe as recipes
    from tutelage.run.assemble import speech
    from tutelage.run.prepare import prepare
    from tutelage.terminal import Terminal
    from tutelage.tokens.packing import pack

    recipe = recipes.build(
        {
            "model": {"name_or_path": str(work / "model")},
            "data": {"sources": [str(work / "rows.jsonl")]},
            "tokens": {"max_length": MAX_LENGTH, "cache_dir": str(work / "cache")},
        }
    )
    spoken = speech(recipe)
    start = time.perf_counter()
    prepared = prepare(recipe, spoken, terminal=Terminal(quiet=True))
    packs = pack(prepared.store.lengths[prepared.train], capacity=MAX_LENGTH)
    seconds = time.perf_counter() - start
    counts = {"rows": prepared.ledger.rows, "packs": len(packs), "tokens": int(prepared.store.lengths.sum())}
    return {"seconds": round(seconds, 2), "reused": prepared.reused, **counts}


def compare(work: Path, options: argparse.Namespace) -> None:
    """Ours, ours again, and the peer with and without packing, round by round; then the ratios."""
    ours, again, theirs = [], [], []
    print(f"{'round':>5}  {'tutelage':>9}  {'again':>6}  {'trl':>7}  {'trl, packed':>11}   seconds")
    for number in range(1, options.rounds + 1):
        shutil.rmtree(work / "cache", ignore_errors=True)
        first, second = run_ours(work), run_ours(work)
        if first["reused"] or not second["reused"]:
            sys.exit("the token store was not built once and reused once: did the code change meanwhile?")
        ours.append(first["seconds"])
        again.append(second["seconds"])
        theirs.append([run_peer(work, options, *flags) for flags in ((), ("--packing",))] if options.peer else [])
        peers = [f"{seconds:>{width}.2f}" for seconds, width in zip(theirs[-1], (7, 11), strict=False)]
        print(f"{number:>5}  {ours[-1]:>9.2f}  {again[-1]:>6.2f}  {'  '.join(peers)}", flush=True)
    print(f"{first['rows']:,} rows, {first['tokens']:,} tokens, {first['packs']:,} packs of {MAX_LENGTH}")
    for name, column in (("trl", 0), ("trl, packed", 1)) if options.peer else ():
        ratios = [row[column] / own for row, own in zip(theirs, ours, strict=True)]
        print(f"{name} / tutelage: median {statistics.median(ratios):.2f} of {[round(ratio, 2) for ratio in ratios]}")
    print(f"second start from the store: {statistics.median(again):.2f} s (median)")


def run_ours(work: Path) -> dict[str, Any]:
    """One measurement of ours, in a process of its own."""
    return last_json([sys.executable, "-m", "benchmarks.prepare", "--ours", str(work)])


def run_peer(work: Path, options: argparse.Namespace, *flags: str) -> float:
    """Seconds that the peer takes to prepare the same rows."""
    inputs = ["--model", str(work / "model"), "--data", str(work / "rows.jsonl"), "--max-length", str(MAX_LENGTH)]
    seconds: float = peer(options.peer, options.peer_python, [*inputs, "--prepare-only", *flags])["prepare_s"]
    return seconds


if __name__ == "__main__":
    main()
