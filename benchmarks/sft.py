"""Training beside a peer: cases, measured in alternation, a table for people and one JSON object for documents."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.inputs import write_model, write_rows
from benchmarks.runs import ours, peer

MAX_LENGTH, ROWS = 1024, 512
FIGURES = ("tokens_per_s", "trained_tokens_per_s", "share_of_peak", "peak_gib", "loop_overhead")


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        model: name of the shape that is trained.
        settings: `section.key=value` of our recipe.
        peers: label -> flags of the peer's script.
        beside: settings of another run of ours, whose time is the measure of this one's.
    """

    name: str
    model: str
    settings: tuple[str, ...]
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """Cases on models of some shapes.

    Attributes:
        shapes: name -> arguments of the model's configuration.
        max_length: tokens of a sequence.
        rows: of Alpaca, from the first on.
    """

    prog: str
    device: str
    shapes: Mapping[str, Mapping[str, Any]]
    cases: Sequence[Case]
    max_length: int = MAX_LENGTH
    rows: int = ROWS


def parser(prog: str, text: str) -> argparse.ArgumentParser:
    """The options that all suites share."""
    made = argparse.ArgumentParser(prog=prog, description=text.splitlines()[0])
    made.add_argument("--peer", choices=["trl"], help="whom to run beside")
    made.add_argument("--peer-python", default=sys.executable, help="Python in which the peer is installed")
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--cases", nargs="*", help="only these")
    made.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    return made


def measure(suite: Suite, options: argparse.Namespace) -> None:
    """Every case in every round, ours and the peer's in turn; then the medians."""
    cases = [case for case in suite.cases if not options.cases or case.name in options.cases]
    if not cases:
        sys.exit(f"{suite.prog}: no such case; there are {', '.join(case.name for case in suite.cases)}")
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        work = Path(folder)
        write_rows(work / "rows.jsonl")
        write_recipe(suite, work)
        print(f"{'round':>5}  {'case':<10} {'who':<15} {'tokens/s':>9} {'peak GiB':>9}", flush=True)
        for number in range(1, options.rounds + 1):
            for case in cases:
                for who, result in results(suite, case, work, options):
                    found.setdefault(case.name, {}).setdefault(who, []).append(result)
                    rate, peak = result["tokens_per_s"], result["peak_gib"]
                    print(f"{number:>5}  {case.name:<10} {who:<15} {rate:>9,.0f} {peak:>9.2f}", flush=True)
    figures = {name: summary(runs) for name, runs in found.items()}
    for name, values in figures.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in values.items()))
    if options.json:
        print(json.dumps(figures))


def write_recipe(suite: Suite, work: Path) -> None:
    """What all of our runs have in common: no evaluation, no questions, one checkpoint at the end."""
    recipe = {
        "output_dir": str(work / "run"),
        "data": {"sources": [str(work / "rows.jsonl")], "max_rows": suite.rows, "eval_share": 0.0},
        "tokens": {"max_length": suite.max_length, "cache_dir": str(work / "tokens")},
    }
    (work / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")


def results(suite: Suite, case: Case, work: Path, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ours, then the peer's settings one after the other."""
    model = model_of(suite, case, work)
    yield "tutelage", ours(work, [f"model.name_or_path={model}", *case.settings])
    if case.beside:
        yield "tutelage beside", ours(work, [f"model.name_or_path={model}", *case.beside])
    inputs = ["--model", str(model), "--data", str(work / "rows.jsonl"), "--rows", str(suite.rows)]
    for label, flags in case.peers.items() if options.peer else ():
        result = peer(options.peer, options.peer_python, [*inputs, "--max-length", str(suite.max_length), *flags])
        yield f"{options.peer} {label}", {**result, "tokens_per_s": result["tokens_per_s_median"]}


def model_of(suite: Suite, case: Case, work: Path) -> Path:
    """The folder of a case's model; made when it is first asked for."""
    folder = work / case.model
    if not folder.exists():
        write_model(folder, suite.shapes[case.model], device=suite.device)
    return folder


def summary(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Medians of our figures over the rounds, and how often as fast as each peer, round by round."""
    own = runs["tutelage"]
    figures = {key: round(statistics.median(run[key] for run in own), 4) for key in FIGURES}
    for who, theirs in runs.items():
        if who == "tutelage":
            continue
        if who == "tutelage beside":
            shares = [mine["seconds"] / other["seconds"] for mine, other in zip(own, theirs, strict=True)]
            figures["share_of_time"] = round(statistics.median(shares), 3)
            continue
        ratios = [mine["tokens_per_s"] / other["tokens_per_s"] for mine, other in zip(own, theirs, strict=True)]
        key = who.replace(" ", "_")
        figures |= {f"vs_{key}": round(statistics.median(ratios), 2)}
        figures |= {f"{key}_peak_gib": round(statistics.median(run["peak_gib"] for run in theirs), 2)}
    return figures
