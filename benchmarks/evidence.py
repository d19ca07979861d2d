"""Whether intervals cover and tests err as often as they say, how fast they are, and GSM8K's stored verdicts.

    python -m benchmarks.evidence --json
    python -m benchmarks.evidence --only bootstrap gsm8k

Simulated worlds of which the truth is known: paired right-or-wrong answers and paired scores in [0, 1], each item for
itself or in clusters of 1 to 8 items of the same prompt. Shares are told in percent, with a standard error below half a
point. In `sparse` worlds one to four items differ: there, exact tests and bounded intervals err on the safe side.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import SHARED
from tutelage.evaluation.numeric_answer import numeric_match
from tutelage.evaluation.statistics import bootstrap_of, compare_paired, mean_of

Array = NDArray[np.float64]
SIZES = (30, 100, 400)
TRIALS = {30: 6000, 100: 5000, 400: 2000}  # the standard error of 95 % is 0.49 points at 2,000
RESAMPLES = 2000  # in simulations: a fifth of what a user gets, for about 0.1 points of coverage
GSM8K = SHARED / "datasets" / "gsm8k" / "example_model_solutions.jsonl"


@dataclass(frozen=True, slots=True)
class World:
    """A source of samples.

    Attributes:
        binary: scores are 0 or 1, and of these shares of items are gained and lost; else the second model has a mean
            higher by gained - lost, in a law of another shape.
        clustered: a sample is of n prompts of 1, 2, 3, 5 or 8 items that lean the same way, instead of n items.
    """

    binary: bool
    clustered: bool
    gained: float
    lost: float

    @property
    def difference(self) -> float:
        """The true mean of after - before."""
        return self.gained - self.lost

    def sample(self, n: int, chance: np.random.Generator) -> tuple[Array, Array, list[int]]:
        """(scores before, scores after, cluster of each item)."""
        sizes = chance.choice([1, 2, 3, 5, 8], size=n) if self.clustered else np.ones(n, dtype=np.int64)
        clusters = np.repeat(np.arange(n), sizes)
        lean = chance.uniform(-1, 1, size=n)[clusters] * self.clustered
        before, after = (self._answers if self.binary else self._scores)(lean, chance)
        return before, after, clusters.tolist()

    def _answers(self, lean: Array, chance: np.random.Generator) -> tuple[Array, Array]:
        lean, draw = lean * min(self.gained, self.lost), chance.random(len(lean))
        before = (chance.random(len(lean)) < 0.6).astype(np.float64)
        gained, lost = draw < self.gained + lean, draw > 1 - self.lost + lean
        before[gained], before[lost] = 0.0, 1.0
        return before, np.where(gained, 1.0, np.where(lost, 0.0, before))

    def _scores(self, lean: Array, chance: np.random.Generator) -> tuple[Array, Array]:
        before = 0.8 * chance.beta(2, 3, size=len(lean))
        return before, 0.22 + self.difference + 0.2 * chance.random(len(lean)) + 0.15 * lean


FOUND = {
    "binary": World(True, False, 0.2, 0.1),
    "binary_clustered": World(True, True, 0.2, 0.1),
    "scores": World(False, False, 0.1, 0.0),
    "scores_clustered": World(False, True, 0.1, 0.0),
}
NOTHING = {
    "mcnemar": World(True, False, 0.2, 0.2),
    "flips_binary_clustered": World(True, True, 0.2, 0.2),
    "flips_scores": World(False, False, 0.0, 0.0),
    "flips_scores_clustered": World(False, True, 0.0, 0.0),
}
SPARSE = {"binary": World(True, False, 0.03, 0.03), "binary_clustered": World(True, True, 0.01, 0.01)}


def coverage() -> dict[str, float]:
    """How often 95 % intervals of a paired difference hold the true one."""
    return {f"coverage_{name}_{n}": _told(world, n)["coverage"] for name, world in FOUND.items() for n in SIZES}


def tests() -> dict[str, float]:
    """How often p < 0.05 where there is no difference, and how often the verdict is better or worse."""
    found: dict[str, float] = {}
    for name, world in NOTHING.items():
        for n in (*SIZES, 1319) if name == "mcnemar" else SIZES:
            told = _told(world, n)
            found |= {f"false_positives_{name}_{n}": told["p"], f"false_verdicts_{name}_{n}": told["verdict"]}
    return found


def sparse() -> dict[str, float]:
    """Both, where hardly anything differs."""
    found: dict[str, float] = {}
    for name, world in SPARSE.items():
        told = _told(world, 30)
        found |= {f"sparse_coverage_{name}_30": told["coverage"], f"sparse_false_positives_{name}_30": told["p"]}
    return found


def _told(world: World, n: int) -> dict[str, float]:
    """Percent of simulated comparisons whose interval holds the truth, whose p is below 0.05, with a verdict."""
    chance = np.random.default_rng(n)
    covered, rejected, judged = [], [], []
    resampled = world.clustered or not world.binary
    for trial in range(TRIALS.get(n, 2000) * (1 if resampled else 4)):
        before, after, clusters = world.sample(n, chance)
        result = compare_paired(before.tolist(), after.tolist(), clusters=clusters, resamples=RESAMPLES, seed=trial)
        covered.append(result.interval[0] <= world.difference <= result.interval[1])
        rejected.append(result.p_value < 0.05)
        judged.append(result.verdict in ("better", "worse"))
    return {"coverage": _percent(covered), "p": _percent(rejected), "verdict": _percent(judged)}


def means() -> dict[str, float]:
    """How often 95 % intervals of the mean of one model's scores hold the true one."""
    found = {}
    for name, binary in (("binary", True), ("scores", False)):
        for n in SIZES:
            chance = np.random.default_rng(n)
            held = []
            for trial in range(TRIALS[n]):
                scores = chance.random(n) < 0.7 if binary else chance.beta(2, 3, size=n)
                low, high = mean_of(scores.tolist(), resamples=RESAMPLES, seed=trial).interval
                held.append(low <= (0.7 if binary else 0.4) <= high)
            found[f"coverage_mean_{name}_{n}"] = _percent(held)
    return found


def bootstrap() -> dict[str, float]:
    """Seconds of 10,000 resamples of 1,319 items, the best of five: of a mean difference, and of ten sums as BLEU's."""
    chance = np.random.default_rng(0)
    differences = np.column_stack([chance.normal(size=1319), np.ones(1319)])
    counts = chance.integers(1, 30, size=(1319, 10)).astype(np.float64)
    before, after = chance.random((2, 1319)).tolist()
    return {
        "bootstrap_mean_s": _best(lambda: bootstrap_of(differences, lambda added: added[:, 0] / added[:, 1])),
        "bootstrap_bleu_s": _best(lambda: bootstrap_of(counts, lambda added: np.log(added).sum(1))),
        "compare_paired_s": _best(lambda: compare_paired(before, after)),
    }


def gsm8k() -> dict[str, float]:
    """Stored verdicts of four systems that the numeric match gives as well."""
    same = []
    for line in GSM8K.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for system in row.keys() - {"question", "ground_truth"}:
            right = numeric_match(row[system]["solution"], [row["ground_truth"]])
            same.append(right == row[system]["is_correct"])
    return {"gsm8k_verdicts": len(same), "gsm8k_agreement": 100 * sum(same) / len(same)}


def _percent(hits: Sequence[bool]) -> float:
    return round(100 * sum(hits) / len(hits), 2)


def _best(work: Callable[[], object]) -> float:
    shortest = math.inf
    for _ in range(5):
        started = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - started)
    return round(shortest, 3)


MEASURES: Mapping[str, Callable[[], dict[str, float]]] = {
    measure.__name__: measure for measure in (coverage, means, tests, sparse, bootstrap, gsm8k)
}


def main() -> None:
    """Take the measurements that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in options.only:
        started = time.perf_counter()
        for figure, value in MEASURES[name]().items():
            found[figure] = value
            print(f"{figure}: {value}", flush=True)
        print(f"({name}: {time.perf_counter() - started:.0f} s)", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
