"""A small report whose every part is filled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tutelage.records import Speed
from tutelage.report import content as c

Make = Callable[..., c.Report]
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


def item(row: int, base: bool, tuned: bool, **changes: Any) -> c.Item:
    answers = [c.Answer("42" if right else "a river", right, stopped=right) for right in (base, tuned)]
    made = c.Item(row, "en", (), f"What is 6 times 7, in row {row}?", "42", *answers)
    return replace(made, **changes)


@pytest.fixture(scope="session")
def make_report() -> Make:
    """Builds a report; keyword arguments replace its parts."""
    steps = tuple(range(1, 61))
    curves = c.Curves(
        step=steps,
        loss=tuple(3.0 / step for step in steps),
        learning_rate=tuple(2e-5 for _ in steps),
        tokens_per_s=tuple(4000.0 + step for step in steps),
        grad_norm=tuple(1.0 for _ in steps),
        held_out=((30, 1.25), (60, 1.125)),
    )
    over_all = c.Slice(
        "all", c.Share(1, 4, 0.25, 0.05, 0.7), c.Share(2, 4, 0.5, 0.15, 0.85), 2, 1, 1.0, "not distinguishable"
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
        evidence=c.Evidence(
            slices=(over_all, replace(over_all, label="zh")),
            base_stopped=c.Share(1, 4, 0.25, 0.05, 0.7),
            tuned_stopped=c.Share(4, 4, 1.0, 0.51, 1.0),
            max_new_tokens=64,
            items=(item(3, False, True), item(4, False, True), item(8, True, False), item(9, True, True)),
        ),
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
        origin=c.Origin("seed: 7\n", "tutelage train recipe.yaml", 7, "2026-01-02", (("torch", "2.13.0"),)),
    )
    return lambda **parts: replace(report, **parts)
