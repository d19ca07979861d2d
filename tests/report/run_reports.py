"""A small report of a run whose every part is filled, and suites of other kinds."""

from dataclasses import replace
from itertools import combinations
from typing import Any

from tutelage.records import Speed
from tutelage.report import content as c
from tutelage.report import data_map as d
from tutelage.report import evidence as e

SPEED = Speed(
    tokens_per_s=202.4,
    trained_tokens_per_s=111.3,
    padding_share=0.125,
    flops_per_s=4.12e11,
    peak_flops_per_s=8.9e11,
    share_of_peak=0.463,
    loop_overhead=0.011,
    peak_gib=1.5,
)


def item(row: int, *scores: float, **changes: Any) -> e.Item:
    """A question and an answer for each score."""
    answers = tuple(e.Answer("42" if score == 1 else "a river", score, stopped=score == 1) for score in scores)
    made = e.Item(row, f"eval.jsonl:{row}", "sums", "en", (), f"What is 6 times 7, in row {row}?", "42", answers)
    return replace(made, **changes)


ORIGIN = c.Origin("seed: 7\n", "tutelage train recipe.yaml", 7, "2026-01-02", (("torch", "2.13.0"),))
MEANS = (e.Mean(0.25, 0.05, 0.7, 4), e.Mean(0.5, 0.15, 0.85, 4))
UNSURE = e.Paired(0.25, -0.39, 0.71, 1.0, "exact McNemar", 2, 1, "not distinguishable", 0.02, False)
OVER_ALL = e.Slice("all", MEANS, (UNSURE,))
ITEMS = (item(3, 0, 1), item(4, 0, 1), item(8, 1, 0), item(9, 1, 1))
HELD_OUT = e.Suite(
    name="held-out",
    metric="exact_match",
    what="equals a reference",
    is_share=True,
    models=("base", "tuned"),
    slices=(OVER_ALL, replace(OVER_ALL, label="zh")),
    others=(e.Measure("f1", "words shared with a reference", MEANS, (UNSURE,)),),
    stopped=(0.25, 1.0),
    pairs=(),
    max_new_tokens=64,
    items=ITEMS,
    form=(
        e.Measure("list", "", MEANS, (replace(UNSURE, verdict="better"),), wanted=None),
        e.Measure("repetition", "", MEANS, (replace(UNSURE, verdict="better"),), wanted=False),
    ),
    following=(e.Measure("following", "", MEANS, (UNSURE,)), e.Measure("relevance", "", MEANS, (UNSURE,))),
)


def three_models() -> e.Suite:
    """Scores that are no shares, of three models, with every pair of them."""
    names, against = ("first", "second", "third"), (UNSURE, replace(UNSURE, difference=0.125, verdict="better"))
    over_all = e.Slice("all", (*MEANS, MEANS[0]), against)
    pairs = tuple(e.Pair(*two, UNSURE) for two in combinations(names, 2))
    return replace(
        HELD_OUT,
        name="rivers",
        metric="rougeL",
        is_share=False,
        models=names,
        slices=(over_all,),
        others=(),
        form=(),
        following=(),
        stopped=(1.0, 1.0, 0.5),
        pairs=pairs,
        items=(item(1, 0.125, 0.5, 0.25), item(2, 0.25, 0.75, 1.0)),
    )


def one_model() -> e.Suite:
    """A suite that a single model was asked."""
    return replace(
        HELD_OUT,
        name="alone",
        models=("only",),
        slices=(e.Slice("all", MEANS[:1], ()),),
        others=(),
        form=(),
        following=(),
        stopped=(1.0,),
        items=(item(1, 1), item(2, 0)),
    )


SUSPECT = d.Suspect("train.jsonl:40", "never learned", (4.5, 3.5), 9.25, 0.75, 8.5, "Name a river.", "It is 7.")
DATA_MAP = d.DataMap(
    rows=95,
    visits=190,
    fit_auc=0.875,
    kinds=(
        d.Kind("never learned", 5, (5.0, 4.5), (0.5, 0.25)),
        d.Kind("forgotten", 0, (), ()),
        d.Kind("ordinary", 90, (2.0, 2.5, 3.0), (0.75, 0.5, 0.25)),
    ),
    suspects=(SUSPECT,),
    untold=("no held-out loss was measured: whether rows are memorised cannot be said",),
)


def filled(**parts: Any) -> c.Report:
    """A report whose every part is filled; keyword arguments replace parts."""
    steps = tuple(range(1, 61))
    curves = c.Curves(
        step=steps,
        loss=tuple(3.0 / step for step in steps),
        learning_rate=tuple(2e-5 for _ in steps),
        tokens_per_s=tuple(4000.0 + step for step in steps),
        grad_norm=tuple(1.0 for _ in steps),
        held_out=((30, 1.25), (60, 1.125)),
        sources=(("a", ((30, 2.0), (60, 1.0))), ("b", ((30, 2.0), (60, 1.25)))),
        scores=(("held-out", ((30, 0.25), (60, 0.5))),),
    )
    tokens = (
        c.Token(5, 0, "<|user|>", 0.0, True, "template"),
        c.Token(9, 1, "one\ttwo\n", 0.0, False, "user"),
        c.Token(77, 2, "", 1.0, False, "assistant"),
        c.Token(78, 3, "龘", 1.0, False, "assistant"),
        c.Token(6, 4, "<|end|>", 0.5, True, "assistant"),
    )
    roles = (c.RoleCount("user", 0, 200), c.RoleCount("assistant", 31, 0), c.RoleCount("template", 0, 19))
    report = c.Report(
        model="/models/first/second",
        data=("train.jsonl",),
        template="chatml",
        training=c.Training("LoRA", "r 16, alpha 32", 60, 1.5, 12_345, 6_789, 61.0, SPEED, True, False, curves),
        evidence=(HELD_OUT,),
        first_batch=c.FirstBatch((c.SampleSequence(1, (12, 40), 250),), 250, 6, 256, roles),
        samples=(c.Sample(12, "train.jsonl:13", 1, 0, tokens, 5, 3, roles[1:]),),
        ledger=c.Ledger(
            rows=100,
            used=90,
            shortened=4,
            dropped=6,
            reasons=(c.Reason("dropped", "too long", 6, "train.jsonl:7", "970 tokens"),),
            formats=("train.jsonl: alpaca",),
            notes=(("white space is stripped", 17),),
            identical=3,
            train_rows=89,
            eval_rows=5,
            tokens=1000,
            trained_tokens=400,
            lengths=c.Lengths((0.0, 10.0, 20.0), (60, 34), 9, 20, 24),
        ),
        origin=ORIGIN,
        data_map=DATA_MAP,
    )
    return replace(report, **parts)
