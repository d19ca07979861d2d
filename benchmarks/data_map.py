"""Alpaca with a share of its answers swapped among each other: how many of the swapped rows the map finds.

    python -m benchmarks.data_map --rows 8000 --epochs 2 --json

Reads `$TUTELAGE_SHARED` (../shared/assets where it is unset) and trains the bundled model through `tutelage train`.
Told for the whole suspicion, for each of its two parts alone, and for two simpler scores beside: the mean loss, and
the relevance of `tutelage data clean`. Only swapped rows that are trained on count: some are held out or too long.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.inputs import SHARED
from benchmarks.runs import ours
from tutelage.curate.relevance import Relevance
from tutelage.curate.sample import Sample
from tutelage.run.mapping import DATA_MAP

SWAPPED, SUSPICIOUS = 0.02, 0.04  # shares of the rows


def main() -> None:
    """Swap, train, look at the map, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="pupil", help="pupil, or a model folder")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        rows, swapped = swapped_rows(given.rows, seed=given.seed)
        with (work / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (work / "recipe.yaml").write_text(yaml.safe_dump(recipe_of(work, model=given.model, epochs=given.epochs)))
        trained = ours(work, [])
        found = figures(work / "run", rows, swapped) | {"seconds": trained["seconds_in_all"]}
    print(json.dumps(found) if given.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def recipe_of(work: Path, *, model: str, epochs: float) -> dict[str, Any]:
    """A plain run over the rows."""
    return {
        "output_dir": str(work / "run"),
        "model": {"name_or_path": model},
        "data": {
            "sources": [{"path": str(work / "rows.jsonl"), "format": "alpaca"}],
            "eval_share": 0.02,
            "max_lost_share": 0.1,
        },
        "tokens": {"max_length": 512, "cache_dir": str(work / "tokens")},
        "train": {"num_train_epochs": epochs, "per_device_train_batch_size": 4, "learning_rate": 1e-3},
        "evaluate": {"num_questions": 0},
    }


def swapped_rows(count: int, *, seed: int) -> tuple[list[dict[str, str]], set[int]]:
    """Rows of Alpaca, and the numbers of those that have got the answer of another one of them."""
    every = json.loads((SHARED / "datasets" / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8"))
    answered = [row for row in every if row["output"].strip()]
    rng = np.random.default_rng(seed)
    rows = [dict(answered[at]) for at in np.sort(rng.choice(len(answered), count, replace=False)).tolist()]
    chosen = rng.choice(count, round(SWAPPED * count), replace=False).tolist()
    answers = [rows[at]["output"] for at in chosen]
    for at, answer in zip(chosen, answers[1:] + answers[:1], strict=True):
        rows[at]["output"] = answer
    own = dict(zip(chosen, answers, strict=True))
    return rows, {at for at in chosen if rows[at]["output"] != own[at]}


def figures(run: Path, rows: list[dict[str, str]], swapped: set[int]) -> dict[str, Any]:
    """Shares of the swapped rows among the most suspicious ones, by each score."""
    with (run / DATA_MAP).open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    is_swapped = np.array([line["line"] - 1 in swapped for line in lines])
    samples = [_sample(rows[line["line"] - 1]) for line in lines]
    relevance = [0.5 if one is None else one for one in Relevance.fit(samples).scores(samples)]
    scores = {
        **{name: [line["suspicion"][name] for line in lines] for name in ("total", "from_fit", "from_loss")},
        "mean_loss": [line["mean"] for line in lines],
        "relevance": [-one for one in relevance],
    }
    found = {name: recall(np.array(score, np.float64), is_swapped) for name, score in scores.items()}
    return {"rows": len(lines), "swapped": int(is_swapped.sum()), "visits": lines[0]["visits"], "recall": found}


def recall(score: np.ndarray, is_swapped: np.ndarray) -> float:
    """The share of the swapped rows that stand in the top 4 %."""
    top = np.argsort(-score, kind="stable")[: int(SUSPICIOUS * len(score))]
    return round(float(is_swapped[top].sum() / is_swapped.sum()), 4)


def _sample(row: dict[str, str]) -> Sample:
    return Sample((f"{row['instruction']}\n{row['input']}",), (row["output"],), "en")


if __name__ == "__main__":
    main()
