"""Calibration of the score of instruction following, and how well it tells better answers from worse ones.

    python -m benchmarks.following --json
    python -m benchmarks.following --fit      writes following/calibration.yaml anew

For real answers, English (Alpaca) and Chinese (ruozhiba, BELLE, hikariming): the mean score, and by how much it tells
them (AUC, paired share) from the same answers (a) given to another prompt, (b) cut off at a random place, (c) with
their last sentence ten times more. Reliability: of the pairs with a relevance of about 0.7, how many are real. Then
agreement with people on LLMBar Natural and PandaLM, pairs of two answers of which they prefer one. No reference is
given to the score here. The bundled calibration is fitted on even rows; all figures are of odd ones.
The data are in `$TUTELAGE_SHARED/datasets`.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import regex
import yaml

from benchmarks.inputs import SHARED
from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.following import calibration
from tutelage.evaluation.following.component import WEIGHTS, Following
from tutelage.evaluation.following.relevance import Relevance
from tutelage.evaluation.following.score import following

FOLDER = SHARED / "datasets"
SETS = {"alpaca": "en", "ruozhiba": "zh", "belle": "zh", "hikariming": "zh"}
JUDGED, FITTED = 1_500, 12_000  # rows of a set of which figures are told; rows of a language that are fitted
HAN = regex.compile(r"\p{Han}")
LAST_SENTENCE = regex.compile(r"[^\n。！？.!?]*[\n。！？.!?]*$")
Pair = tuple[str, str]
Spoil = Callable[[Sequence[Exchange], random.Random], list[Exchange]]


def rows(name: str) -> list[Pair]:
    """Prompts and answers of a set, in an order of their own that never changes."""
    found = [(asked.strip(), answered) for asked, answered in _read(name) if asked.strip() and answered.strip()]
    if SETS[name] == "zh":  # some rows of these sets are English
        found = [pair for pair in found if HAN.search(pair[0])]
    random.Random(0).shuffle(found)
    return found


def _read(name: str) -> Iterator[Pair]:
    if name == "belle":
        for row in _lines(FOLDER / "belle" / "eval_set.json"):
            yield row["question"], row["std_answer"] or ""
        return
    files = {
        "alpaca": [FOLDER / "alpaca" / "alpaca_data.json"],
        "ruozhiba": [FOLDER / "ruozhiba" / "ruozhiba_qa2449_gpt4o.json"],
        "hikariming": sorted((FOLDER / "alpaca_zh_hikariming").glob("alpaca_data-[!9]*.json")),  # 9407-... is no JSON
    }
    for file in files[name]:
        for row in _lines(file):
            yield f"{row['instruction']}\n{row.get('input') or ''}", row["output"]


def _lines(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    return list(json.loads(text)) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]


def shuffled(answers: Sequence[Exchange], _: random.Random) -> list[Exchange]:
    """Each prompt with the answer of the next one; their order is random already."""
    return [replace(one, answer=answers[number - 1].answer) for number, one in enumerate(answers)]


def truncated(answers: Sequence[Exchange], rng: random.Random) -> list[Exchange]:
    """Answers cut off after a tenth to nine tenths; the model is not told to have been stopped."""
    return [replace(one, answer=one.answer[: max(int(len(one.answer) * rng.uniform(0.1, 0.9)), 1)]) for one in answers]


def looped(answers: Sequence[Exchange], _: random.Random) -> list[Exchange]:
    """Answers whose last sentence is repeated ten times."""
    return [replace(one, answer=one.answer + 10 * f" {_last_sentence(one.answer)}") for one in answers]


def _last_sentence(answer: str) -> str:
    found = LAST_SENTENCE.search(answer.strip())
    return found[0].strip() if found else answer


SPOILT: Mapping[str, Spoil] = {"shuffled": shuffled, "truncated": truncated, "looped": looped}


def calibration_figures(name: str, relevance: Relevance, *, most: int = JUDGED) -> dict[str, Any]:
    """Real answers of a set, so many at most, against each kind of spoilt ones."""
    real = [Exchange(asked, answered) for asked, answered in rows(name)[1::2][:most]]
    scores = following(real, relevance)
    found: dict[str, Any] = {"language": SETS[name], "n": len(real), "real": _means(scores)}
    for kind, spoil in SPOILT.items():
        others = following(spoil(real, random.Random(0)), relevance)
        found[kind] = _means(others) | _told(scores, others)
        if kind == "shuffled":
            found["reliability"] = _reliability(scores, others)
        if kind == "truncated":
            pairs = zip(scores, others, strict=True)
            found["completeness raised by cutting"] = sum(b.completeness.score > a.completeness.score for a, b in pairs)
    return found


def _means(scores: Sequence[Following]) -> dict[str, float]:
    parts = [_parts(one) for one in scores]
    return {name: round(fmean(one[name] for one in parts), 3) for name in (*WEIGHTS, "total")}


def _told(real: Sequence[Following], spoilt: Sequence[Following]) -> dict[str, float]:
    """The chance that a real answer exceeds a spoilt one, of any two, and of the two of one prompt; ties by half."""
    both = [np.array([one.total for one in some]) for some in (real, spoilt)]
    paired = (both[0] > both[1]).mean() + (both[0] == both[1]).mean() / 2
    return {"auc": round(calibration.auc(*both), 3), "paired": round(float(paired), 3)}


def _reliability(real: Sequence[Following], others: Sequence[Following]) -> dict[str, dict[str, float]]:
    """Per tenth of relevance: how many pairs, and the share of real ones among them."""
    every = [(one.relevance.score, True) for one in real] + [(one.relevance.score, False) for one in others]
    tenths: dict[int, list[bool]] = {}
    for score, is_real in every:
        tenths.setdefault(min(int(score * 10), 9), []).append(is_real)
    return {
        f"{tenth / 10:.1f}": {"pairs": len(of), "real": round(fmean(of), 3)} for tenth, of in sorted(tenths.items())
    }


def preferences(name: str) -> list[tuple[str, str, str]]:
    """Prompt, the answer that people prefer, the other one. Of three raters, the majority; ties are left out."""
    if name == "llmbar":
        listed = json.loads((FOLDER / "llmbar" / "Natural.json").read_text(encoding="utf-8"))
        return [(row["input"], row[f"output_{row['label']}"], row[f"output_{3 - int(row['label'])}"]) for row in listed]
    found = []
    for row in json.loads((FOLDER / "pandalm" / "testset-v1.json").read_text(encoding="utf-8")):
        votes = [int(row[f"annotator{rater}"]) for rater in (1, 2, 3)]
        for better, worse in ((1, 2), (2, 1)):
            if votes.count(better) >= 2:
                asked = f"{row['instruction']}\n{row['input'] or ''}".strip()
                found.append(
                    (asked, str(row[f"response{better}"]), str(row[f"response{worse}"]))
                )  # some are true or false
    return found


def agreement(name: str, relevance: Relevance) -> dict[str, Any]:
    """How often each score prefers the answer that people prefer; equal scores count by half, and are told."""
    listed = preferences(name)
    better = following([Exchange(asked, one) for asked, one, _ in listed], relevance)
    worse = following([Exchange(asked, other) for asked, _, other in listed], relevance)
    found: dict[str, Any] = {"n": len(listed)}
    for part in (*WEIGHTS, "total"):
        won, tied = _won(*([_parts(one)[part] for one in of] for of in (better, worse)))
        found[part] = {"agreement": round((won + tied / 2) / len(listed), 3), "ties": tied}
    longer = [float(len(one) > len(other)) - float(len(one) < len(other)) for _, one, other in listed]
    return found | {"longer answer": round((fmean(longer) + 1) / 2, 3)}


def _parts(one: Following) -> dict[str, float]:
    return {**{str(name): component.score for name, component in one.components.items()}, "total": one.total}


def _won(better: Sequence[float], worse: Sequence[float]) -> tuple[int, int]:
    pairs = list(zip(better, worse, strict=True))
    return sum(one > other + 1e-9 for one, other in pairs), sum(abs(one - other) <= 1e-9 for one, other in pairs)


def fit() -> dict[str, Any]:
    """The bundled calibrations, as their file holds them."""
    found = {}
    for code in ("en", "zh"):
        names = [name for name, language in SETS.items() if language == code]
        pairs = [pair for name in names for pair in rows(name)[::2][: FITTED // len(names)]]
        told = f"{' and '.join(names)}, even rows, against 5 shuffled each; logistic regression, ridge 1"
        one = calibration.calibrated(pairs, idf=None, found=told)
        numbers = {key: [round(float(value), 5) for value in vector] for key, vector in
                   (("centre", one.centre), ("scale", one.scale), ("weights", one.weights))}  # fmt: skip
        found[code] = {"found": told, "pairs": one.pairs, "auc": round(one.auc, 4)} | numbers
    return found


def write_fit() -> None:
    """Fit, and put the numbers where the package finds them."""
    head = (
        "# How the overlap of a prompt and an answer is read, by language: the mean and spread of each feature, and\n"
        "# its weight, the constant last. Found by `python -m benchmarks.following --fit`.\n"
    )
    path = Path(calibration.__file__).with_name("calibration.yaml")
    path.write_text(head + yaml.safe_dump(fit(), sort_keys=False, default_flow_style=None, width=110), encoding="utf-8")
    print(f"written: {path}")


def main() -> None:
    """Print the figures, and with `--json` all of them as one JSON object last."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.following", description="The score, calibrated.")
    options.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    options.add_argument("--fit", action="store_true", help="fit the bundled calibration and write it")
    given = options.parse_args()
    if given.fit:
        write_fit()
        return
    relevance, found = Relevance.bundled(), dict[str, Any]()
    for name in SETS:
        found[name] = figures = calibration_figures(name, relevance)
        print(f"{name} ({SETS[name]}), n = {figures['n']}")
        for kind in ("real", *SPOILT):
            print(f"    {kind:10}", "  ".join(f"{part} {value:.3f}" for part, value in figures[kind].items()))
    for name in ("llmbar", "pandalm"):
        found[name] = agreement(name, relevance)
        print(name, json.dumps(found[name]))
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
