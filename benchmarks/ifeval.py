"""Verdicts on IFEval's constraints beside the official ones, on the stored answers of three models.

    python -m benchmarks.ifeval --json

For each model, strict and loose: how many of the instructions get the same verdict, and where they do not, how many
of each type. The answers and verdicts are in `$TUTELAGE_SHARED/datasets/ifeval`. One stored prompt has no arguments
there and is left out. Where a letter to be counted is no letter (`#`, `!`), the official checker counts another one,
drawn at random on each run: `share_defined` is the share without these instructions.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import SHARED
from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.parsing import ifeval_constraints
from tutelage.evaluation.constraints.verdicts import loose, strict

FOLDER = SHARED / "datasets" / "ifeval"
STORED = {
    "GPT-4": ("eval_results_strict.jsonl", "eval_results_loose.jsonl"),
    "Qwen2.5-1.5B": ("Qwen2.5-1.5B/strict.jsonl", "Qwen2.5-1.5B/loose.jsonl"),
    "Qwen2.5-7B": ("Qwen2.5-7B/strict.jsonl", "Qwen2.5-7B/loose.jsonl"),
}
DRAWN = {("keywords:letter_frequency", 1122), ("keywords:letter_frequency", 1129)}
Judge = Callable[[str, Sequence[Constraint]], list[bool]]
JUDGES: Mapping[str, Judge] = {"strict": strict, "loose": loose}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One instruction of one stored answer: its type, the prompt's key, the official verdict and ours."""

    id: str
    key: int
    official: bool
    ours: bool


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def verdicts(path: Path, judge: Judge) -> list[Verdict]:
    """Both verdicts on every instruction of a file of stored results whose arguments are known."""
    asked = {row["prompt"]: row for row in rows(FOLDER / "input_data.jsonl")}
    found = []
    for row in rows(path):
        if prompt := asked.get(row["prompt"]):
            constraints = ifeval_constraints(prompt, place=f"{path.name}:{prompt['key']}")
            pairs = zip(constraints, row["follow_instruction_list"], judge(row["response"], constraints), strict=True)
            found += [Verdict(one.id, prompt["key"], official, ours) for one, official, ours in pairs]
    return found


def tell(name: str, found: Sequence[Verdict]) -> None:
    """Print how many agree, and the keys of the prompts where they do not, by type."""
    wrong = [one for one in found if one.official != one.ours]
    print(f"{name}: {len(found) - len(wrong)} of {len(found)} ({1 - len(wrong) / len(found):.2%})")
    for kind, count in Counter(one.id for one in wrong).most_common():
        keys = ", ".join(
            f"{one.key} ({'official' if one.official else 'ours'} only)" for one in wrong if one.id == kind
        )
        print(f"    {kind}: {count}: {keys}")


def summary(found: Sequence[Verdict]) -> dict[str, Any]:
    """The figures over all models: instructions, those that agree, their share, and the same by type."""
    total, agree = (Counter(one.id for one in part) for part in (found, [v for v in found if v.official == v.ours]))
    defined = [one.official == one.ours for one in found if (one.id, one.key) not in DRAWN]
    return {
        "instructions": total.total(),
        "agree": agree.total(),
        "share": round(agree.total() / total.total(), 5),
        "share_defined": round(sum(defined) / len(defined), 5),
        "by_type": {kind: {"instructions": total[kind], "agree": agree[kind]} for kind in sorted(total)},
    }


def main() -> None:
    """Print the agreement of each model, strict and loose, and the figures last."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.ifeval", description="Our verdicts beside IFEval's.")
    options.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    given = options.parse_args()
    found = []
    for model, files in STORED.items():
        for (name, judge), file in zip(JUDGES.items(), files, strict=True):
            some = verdicts(FOLDER / file, judge)
            tell(f"{model}, {name}", some)
            found += some
    if given.json:
        print(json.dumps(summary(found)))


if __name__ == "__main__":
    main()
