"""A small report of a curation whose every part is filled."""

from dataclasses import replace

from tutelage.report import data_content as d
from tutelage.report.content import Origin

EN = d.Row("train.jsonl:3", "Name three rivers of the north.", "The Torne, the Kemi and the Lule.", "en")
ZH = d.Row("中文.jsonl:8", "列出三条北方的河流。", "黑龙江、松花江和辽河。", "zh")
HISTOGRAM = d.Histogram((0.0, 0.25, 0.5, 0.75, 1.0), (2, 8, 30, 60), (0, 5, 25, 50))
LENGTHS = d.Histogram((0.0, 1.0, 10.0, 100.0, 1000.0), (2, 38, 50, 10), (0, 30, 41, 9))


def filled(**parts: object) -> d.DataReport:
    """100 rows, of which 80 stay; keyword arguments replace parts."""
    stages = (("read", 100), ("understood", 98), ("quality", 90), ("contamination", 87), ("duplicates", 80))
    task_types = (d.Part("creative", 60, 50), d.Part("code", 40, 30))
    report = d.DataReport(
        name="rivers",
        stages=tuple(d.Stage(*stage) for stage in stages),
        losses=(
            d.Loss("quality", "unfinished answer", 8, "train.jsonl:3", "ends with a comma"),
            d.Loss("duplicates", "near duplicate", 7, "中文.jsonl:8"),
            d.Loss("contamination", "shares a passage", 3, "train.jsonl:50"),
            d.Loss("understood", "empty answer", 2, "train.jsonl:70"),
        ),
        sources=(d.Part("train.jsonl", 60, 50), d.Part("中文.jsonl", 40, 30)),
        languages=(d.Part("en", 60, 50), d.Part("zh", 40, 30)),
        origin=Origin("curate: {}\n", "tutelage data clean recipe.yaml", 7, "2026-01-02", (("tutelage", "1.0"),)),
        lengths=(d.Lengths("prompt", LENGTHS, 9, 11, 812, 640),),
        scores=(
            d.Score("completeness", HISTOGRAM, 0.6, 17),
            d.Score("relevance", HISTOGRAM, 0.7, 21, unscored=13),
            d.Score("length", HISTOGRAM, None, 0),
        ),
        calibration=(
            d.Calibration("maths, zh", 40, 0.973, (0.0, 0.5, 1.0), (5, 35), (38, 2), True),
            d.Calibration("code, en", 3, None, (0.0, 0.5, 1.0), (1, 2), (2, 1), False),
        ),
        coverage=d.Coverage(
            "task type",
            "domain",
            ("creative", "code"),
            ("life", "business"),
            ((48, 12), (36, 4)),
            ((41, 9), (30, 0)),
            (d.Axis("task type", task_types, 0.97, 0.95), d.Axis("difficulty", (d.Part("hard", 5, 4),), 0.0, 0.0)),
            (d.Hole("code", "business", 0, 3.4),),
        ),
        duplicates=d.Duplicates((("exact", 5), ("near", 2)), 3, (d.Cluster(ZH, 4, (d.Duplicate(EN, "near", 0.91),)),)),
        contamination=d.Contamination(
            (d.EvalSet("gsm8k", 1319, 3), d.EvalSet("held-out", 5, 0)),
            (d.Leak("gsm8k", EN, d.Row("gsm8k:12", "name three rivers", ""), "THREE rivers, of the NORTH", 0.5),),
        ),
        safety=d.Safety("redacted", (d.Personal("e-mail", 41, 32),), (d.Tag("violence", 6, (ZH,)),)),
        dropped=(d.DroppedRow(EN, "quality", "unfinished answer", "ends with a comma"),),
        kept=(d.KeptRow(ZH, (("overall", 0.914), ("relevance", None))),),
        mixture=(
            d.SourceShare("train.jsonl", 50, 60, 1.2, 0.3, 0.25),
            d.SourceShare("中文.jsonl", 30, 140, 4.67, 0.7, 0.75),
        ),
    )
    return replace(report, **parts)  # type: ignore[arg-type]


def of_rows(read: int, stayed: int) -> d.DataReport:
    """A report without any part but the funnel."""
    losses = (d.Loss("quality", "unfinished answer", read - stayed, "a:1"),) if read > stayed else ()
    kinds = (d.Part("a", read, stayed),) if read else ()
    stages = (d.Stage("read", read), d.Stage("quality", stayed))
    return d.DataReport("rows", stages, losses, kinds, kinds, filled().origin)
