"""Curation on real rows: speed, memory, and what is found of what was put in.

    python -m benchmarks.curate --json
    python -m benchmarks.curate --only duplicates relevance

Alpaca and Chinese instruction sets from `$TUTELAGE_SHARED`. Each measurement is a process of its own, so that its peak
of memory is its own: of the process, and for `million` of it and its workers together (proportional set size).
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import SHARED
from benchmarks.slips import KINDS, slip
from tutelage import posix

ENGLISH = "alpaca/alpaca_data.json"
CHINESE = (
    "alpaca_zh_hikariming/alpaca_data-0-3252-中文-已完成.json",
    "alpaca_zh_hikariming/alpaca_data-6382-9407-（jlh）中文-已完成.json",
    "alpaca_zh_hikariming/alpaca_data-12345-15323-中文.json",
    "alpaca_zh_hikariming/alpaca_data-15323-18280-中文.json",
    "ruozhiba/ruozhiba_qa2449_gpt4t.json",
)
MILLION = 1_000_000
Pair = tuple[str, str]


def english() -> list[Pair]:
    """(prompt, answer) of Alpaca's rows."""
    return list(_pairs(ENGLISH))


def chinese() -> list[Pair]:
    """(prompt, answer) of Chinese rows."""
    return [pair for file in CHINESE for pair in _pairs(file)]


def _pairs(file: str) -> Iterator[Pair]:
    for row in json.loads((SHARED / "datasets" / file).read_text(encoding="utf-8")):
        prompt = "\n".join(part for part in (row["instruction"], row.get("input") or "") if part)
        if prompt.strip() and str(row["output"]).strip():
            yield prompt, str(row["output"])


def quality() -> dict[str, Any]:
    """Everything that is told of single rows, on all of Alpaca, with one process per core."""
    from tutelage import recipe as recipes
    from tutelage.run.curating.passes import Passes, results_in
    from tutelage.run.curating.workers import Workers
    from tutelage.terminal import Terminal

    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        rows = _written(Path(folder) / "rows.jsonl", english())
        with results_in(Path(folder) / "out", ()) as work:
            recipe = recipes.build({"data": {"sources": [str(rows)]}})
            passes = Passes(recipe, work, Workers(), Terminal(quiet=True))
            read = passes.read(lambda _: None)
            started = time.perf_counter()
            examiner = passes.examiner(read, None)
            fitted = time.perf_counter() - started
            count = sum(len(found) for found, _ in passes.examined(read, examiner))
            seconds = time.perf_counter() - started - fitted
    return {"rows": count, "calibration_s": round(fitted, 1), "rows_per_s": round(count / seconds)}


def _written(path: Path, pairs: Sequence[Pair]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for prompt, answer in pairs:
            file.write(json.dumps({"instruction": prompt, "output": answer}, ensure_ascii=False) + "\n")
    return path


def relevance() -> dict[str, Any]:
    """How well relevance tells an answer from answers of other rows: fitted on one half, asked about the other."""
    found = {}
    for language, pairs in (("en", english()), ("zh", chinese())):
        found[language] = _auc(pairs[:24_000], language)
    return found


def _auc(pairs: Sequence[Pair], language: str) -> dict[str, float]:
    from tutelage.curate.relevance import Relevance
    from tutelage.curate.sample import Sample

    chance = random.Random(1)
    rows = [Sample((prompt,), (answer,), language) for prompt, answer in pairs]
    chance.shuffle(rows)
    half = len(rows) // 2
    fitted, others = Relevance.fit(rows[:half]), rows[half:]
    real = fitted.scores(others)
    moved = [others[-1], *others[:-1]]
    swapped = [Sample(one.prompts, two.answers, language) for one, two in zip(others, moved, strict=True)]
    shuffled = [score for score in fitted.scores(swapped) if score is not None]
    told = np.array([score for score in real if score is not None])
    ranks = np.searchsorted(np.sort(shuffled), told, "left") + np.searchsorted(np.sort(shuffled), told, "right")
    return {
        "rows": len(others),
        "auc": round(float(ranks.mean() / (2 * len(shuffled))), 4),
        "scored": round(len(told) / len(others), 4),
        "real_below_0.7": round(float((told < 0.7).mean()), 4),
    }


def duplicates() -> dict[str, Any]:
    """Exact and near duplicates of 100,000 prompts, half of which were put in as slips of the others."""
    from tutelage.curate.duplicates import clusters
    from tutelage.text import normalised

    prompts = list({normalised(prompt): prompt for prompt, _ in (*english(), *chinese())}.values())
    chance = random.Random(7)
    chance.shuffle(prompts)
    rows = [(number, prompt, "") for number, prompt in enumerate(prompts[:50_000])]
    tries = iter(sorted(range(len(rows)), key=lambda _: chance.random()))
    while len(rows) < 100_000 and (number := next(tries, None)) is not None:
        kind = chance.choice(KINDS)
        if len(prompts[number].strip()) >= 10 and (other := slip(prompts[number], kind, chance)):
            rows.append((number, other, kind))
    chance.shuffle(rows)
    texts = [text for _, text, _ in rows]
    started = time.perf_counter()
    found = clusters(texts, scores=np.zeros(len(rows), dtype=np.float32))
    seconds = time.perf_counter() - started
    kept = {one.row: one.kept for one in found.duplicates}
    of = {number: place for place, (number, _, kind) in enumerate(rows) if not kind}
    told: dict[str, list[bool]] = {}
    for place, (number, text, kind) in enumerate(rows):
        if kind:
            hit = kept.get(place, place) == kept.get(of[number], of[number])
            for name in ("all", "zh" if not text.isascii() else "en", "short" if len(text) < 60 else "long"):
                told.setdefault(name, []).append(hit)
    wrong = sum(rows[one.row][0] != rows[one.kept][0] for one in found.duplicates)
    return {
        "rows": len(rows),
        "seconds": round(seconds, 1),
        "peak_gib": _peak(),
        "injected": len(told["all"]),
        "recall": {name: round(sum(hits) / len(hits), 4) for name, hits in sorted(told.items())},
        "precision": round(1 - wrong / max(1, len(found.duplicates)), 4),
        "stages": found.counts(),
    }


def short() -> dict[str, Any]:
    """Distinct prompts under five characters: none may be merged."""
    from tutelage.curate.duplicates import clusters

    real = {prompt[:length] for prompt, _ in chinese()[:3000] for length in (1, 2, 3, 4)}
    made = {a + b + c for a in "aA1+-?你好" for b in "bB2 *!？呀" for c in ("", "c", "C", ".", "。")}
    texts = sorted(text for text in real | made if len(text.strip()) < 5)
    found = clusters(texts, scores=np.zeros(len(texts), dtype=np.float32))
    return {"prompts": len(texts), "merged": len(found.duplicates)}


def decontamination() -> dict[str, Any]:
    """100,000 rows against 10,000 prompts, a hundred of which were put into rows."""
    from tutelage.curate.decontamination import Index

    chance = random.Random(3)
    pairs = [*english(), *chinese()]
    chance.shuffle(pairs)
    prompts = [("set", prompt) for prompt, _ in pairs[:10_000]]
    rows = [f"{prompt}\n{answer}" for prompt, answer in pairs[10_000:]]
    rows += [f"Indeed. {answer}\n{prompt} Well." for prompt, answer in pairs[10_000 : 110_000 - len(rows)]]
    rows = rows[:100_000]
    long = [prompt for _, prompt in prompts if len(prompt) > 60][:100]
    places = chance.sample(range(len(rows)), len(long))
    for place, prompt in zip(places, long, strict=True):
        rows[place] = f"{rows[place]}\n{prompt.swapcase()}"
    started = time.perf_counter()
    index = Index.of(prompts)
    matches = index.matches(rows)
    seconds = time.perf_counter() - started
    hits = sum(matches[place] is not None for place in places)
    return {
        "rows": len(rows),
        "prompts": len(prompts),
        "seconds": round(seconds, 1),
        "peak_gib": _peak(),
        "injected_found": f"{hits} of {len(places)}",
        "rows_matched": sum(match is not None for match in matches),
    }


def safety() -> dict[str, Any]:
    """Safe prompts of XSTest that the safety stage drops, at its strictest."""
    import csv

    from tutelage import recipe as recipes
    from tutelage.run.curating.cleaning import clean
    from tutelage.terminal import Terminal

    with (SHARED / "datasets" / "xstest" / "xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        safe = [row["prompt"] for row in csv.DictReader(file) if row["label"] == "safe"]
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        rows = _written(Path(folder) / "rows.jsonl", [(prompt, f"To answer this: {prompt}") for prompt in safe])
        recipe = recipes.build({"data": {"sources": [str(rows)]}, "curate": {"personal_data": "drop"}})
        clean(recipe, output=Path(folder) / "out", terminal=Terminal(quiet=True))
        report = json.loads((Path(folder) / "out" / "report.json").read_text(encoding="utf-8"))
    dropped = {one["reason"]: one["count"] for one in report["losses"] if one["stage"] == "safety"}
    return {"safe_prompts": len(safe), "dropped": sum(dropped.values()), "reasons": dropped}


def million() -> dict[str, Any]:
    """A million rows made from Alpaca's and Chinese ones by exchanging words, cleaned as `tutelage data clean` does."""
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as folder:
        rows = Path(folder) / "rows.jsonl"
        write_made_rows(rows, MILLION)
        command = [sys.executable, "-m", "tutelage.cli", "data", "clean", "--data", str(rows), "--json"]
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--output", f"{folder}/out"], stdout=subprocess.PIPE, text=True)
        peaks = [0.0]
        watch = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
        watch.start()
        last = process.communicate()[0].splitlines()[-1:]
        if process.returncode:
            sys.exit(f"tutelage data clean ended with {process.returncode}")
        ledger = json.loads(last[0])["ledger"]
    seconds = time.perf_counter() - started
    return {"rows": MILLION, "seconds": round(seconds), "peak_gib": round(max(peaks), 2), "ledger": ledger}


def write_made_rows(path: Path, count: int) -> None:
    """Rows made of real ones: in each, three words of the prompt are exchanged for others of the set."""
    chance = random.Random(11)
    pairs = [*english(), *chinese()]
    known = sorted(
        {word for prompt, _ in pairs[:20_000] for word in prompt.split() if word.isalpha() and len(word) > 3}
    )
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            prompt, answer = pairs[number % len(pairs)]
            words = prompt.split(" ")
            for place in chance.sample(range(len(words)), min(3, len(words))):
                words[place] = chance.choice(known)
            row = {"instruction": " ".join(words), "output": f"{answer}\n{' '.join(words[:4])}."}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _watch(process: subprocess.Popen[str], peaks: list[float]) -> None:
    while process.poll() is None:
        peaks.append(_proportional_gib(process.pid))
        time.sleep(1)


def _proportional_gib(pid: int) -> float:
    """Memory of a process and of what it has started; pages that they share count once."""
    tree, total = [pid], 0
    for one in tree:
        try:
            tree += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / (1 << 20)


def _peak() -> float:
    return round(posix.peak_resident_bytes() / (1 << 30), 2)


MEASURES: Mapping[str, Callable[[], dict[str, Any]]] = {
    measure.__name__: measure for measure in (quality, relevance, duplicates, short, decontamination, safety, million)
}


def main() -> None:
    """Take the measurements that the command line asks for, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curate", description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    parser.add_argument("--here", choices=list(MEASURES), help=argparse.SUPPRESS)  # one, in this process
    options = parser.parse_args()
    if options.here:
        print(json.dumps(MEASURES[options.here](), ensure_ascii=False))
        return
    found = {}
    for name in options.only:
        command = [sys.executable, "-m", "benchmarks.curate", "--here", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: {json.dumps(found[name], ensure_ascii=False)}", flush=True)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
