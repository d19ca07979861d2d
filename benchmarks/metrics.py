"""Metrics on real answers: how far they are from the reference implementations, and how fast ROUGE-L is.

    python -m benchmarks.metrics --json

Pairs of answers to the same prompts, from `$TUTELAGE_SHARED`: four models in English (alpaca_eval), two in Chinese
(ruozhiba). The reference implementations are sacrebleu (BLEU, chrF) and rouge_score (ROUGE, on the pairs whose letters
are all of ASCII: it drops the others). Speed is of one core, in CPU seconds, so that other work beside it does not
count; `tokenised` is of tokens that are already there, the other figure of texts. The last line is one JSON object.
"""

import argparse
import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from benchmarks.inputs import SHARED
from tutelage.evaluation.metrics.bleu import corpus_bleu, corpus_chrf, sentence_bleu, sentence_chrf
from tutelage.evaluation.metrics.rouge import common_subsequence, rouge_l, rouge_n, tokens

ENGLISH = [f"alpaca_eval/{name}" for name in ("alpaca-7b", "Qwen1.5-1.8B-Chat", "gpt-3.5-turbo-0301")]
CHINESE = [f"ruozhiba/ruozhiba_qa2449_{name}" for name in ("gpt4o", "gpt4t")]
LENGTH = 200  # tokens of the texts whose speed is measured
Pair = tuple[str, str]


def pairs(files: Sequence[str]) -> list[Pair]:
    """(answer, other answer) to the same prompt, of each two files."""
    sets = [_outputs(file) for file in files]
    return [(two[prompt], one[prompt]) for one, two in combinations(sets, 2) for prompt in one if prompt in two]


def _outputs(file: str) -> dict[str, str]:
    rows = json.loads((SHARED / "datasets" / f"{file}.json").read_text(encoding="utf-8"))
    return {row["instruction"]: row["output"] for row in rows if row["output"].strip()}


def against_sacrebleu() -> dict[str, Any]:
    """Largest differences of BLEU and chrF, of single answers and of whole sets, on the scale of 0 to 1."""
    bleu, chrf, counts = [0.0], [0.0], {}
    for tokenizer, files in (("13a", ENGLISH), ("zh", CHINESE)):
        found = pairs(files)
        answers, references = [one for one, _ in found], [[two] for _, two in found]
        columns = [[two for _, two in found]]
        counts[f"pairs_{tokenizer}"] = len(found)
        expected = sacrebleu.corpus_bleu(answers, columns, tokenize=tokenizer).score
        bleu.append(corpus_bleu(answers, references).value - expected / 100)
        chrf.append(corpus_chrf(answers, references).value - sacrebleu.corpus_chrf(answers, columns).score / 100)
        for one, two in found:
            expected = sacrebleu.sentence_bleu(one, [two], tokenize=tokenizer).score
            bleu.append(sentence_bleu(one, [two], tokenizer=tokenizer).value - expected / 100)
            chrf.append(sentence_chrf(one, [two]).value - sacrebleu.sentence_chrf(one, [two]).score / 100)
    return {**counts, "bleu_difference": max(map(abs, bleu)), "chrf_difference": max(map(abs, chrf))}


def against_rouge_score() -> dict[str, Any]:
    """Largest difference of ROUGE-1, ROUGE-2 and ROUGE-L: of F-measure, precision or recall."""
    found = pairs(ENGLISH)
    comparable = [
        pair for pair in found if not any(letter.isalnum() and not letter.isascii() for letter in "".join(pair))
    ]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    largest = max(abs(ours - theirs) for one, two in comparable for ours, theirs in _rouge(scorer, one, reference=two))
    return {
        "pairs_rouge": len(comparable),
        "pairs_other_letters": len(found) - len(comparable),
        "rouge_difference": largest,
    }


def _rouge(scorer: RougeScorer, answer: str, *, reference: str) -> Iterator[tuple[float, float]]:
    expected = scorer.score(reference, answer)
    ours = [rouge_n(answer, [reference], n=1), rouge_n(answer, [reference], n=2), rouge_l(answer, [reference])]
    for found, name in zip(ours, ("rouge1", "rouge2", "rougeL"), strict=True):
        theirs = expected[name]
        yield from ((found.f1, theirs.fmeasure), (found.precision, theirs.precision), (found.recall, theirs.recall))


def speed() -> dict[str, Any]:
    """Pairs per CPU second of ROUGE-L at 200 tokens: the beginnings of real answers."""
    english, chinese = _cut(ENGLISH), _cut(CHINESE)
    tokenised = [(tokens(one), tokens(two)) for one, two in english]
    assert {len(one) for pair in tokenised for one in pair} == {LENGTH}
    return {
        "pairs_english": len(english),
        "pairs_chinese": len(chinese),
        "rouge_l_pairs_per_s": _rate(common_subsequence, tokenised),
        "rouge_l_texts_per_s": _rate(lambda one, two: rouge_l(one, [two]), english),
        "rouge_l_chinese_texts_per_s": _rate(lambda one, two: rouge_l(one, [two]), chinese),
    }


def _cut(files: Sequence[str]) -> list[Pair]:
    """Pairs of texts cut to 200 tokens, with their marks and white space."""
    long = [pair for pair in pairs(files) if min(len(tokens(text)) for text in pair) >= LENGTH]
    return [(_first_tokens(one), _first_tokens(two)) for one, two in long]


def _first_tokens(text: str) -> str:
    """The shortest beginning of a text that has 200 tokens."""
    return text[: bisect_left(range(len(text)), LENGTH, key=lambda end: len(tokens(text[:end])))]


def _rate(score: Callable[[Any, Any], object], items: Sequence[tuple[Any, Any]]) -> int:
    """The best of five rounds."""
    seconds = []
    for _ in range(5):
        started = time.process_time()
        for one, two in items:
            score(one, two)
        seconds.append(time.process_time() - started)
    return round(len(items) / min(seconds))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object last")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for measure in (speed, against_sacrebleu, against_rouge_score):
        found = measure()
        print(f"{measure.__name__}: {json.dumps(found)}", flush=True)
        figures |= found
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
