"""Figures as people read them, and the verdict as a sentence."""

from tutelage.records import Speed
from tutelage.report.content import Evidence, Share, Slice

_UNITS = (("k", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12))
LANGUAGES = {"all": "All questions", "en": "English", "zh": "Chinese"}
_NARROW, _FIXED = "\u202f", "\u00a0"  # spaces at which no line breaks


def percent(share: float) -> str:
    """0.831 -> "83.1 %"."""
    return f"{100 * share:.1f}{_NARROW}%"


def share_of(count: int, total: int) -> str:
    """The part of a whole as percent; a dash where there is no whole."""
    return percent(count / total) if total else "–"


def interval(of: Share) -> str:
    """The 95 % interval, as "74.5 to 89.1 %"."""
    return f"{100 * of.low:.1f} to {100 * of.high:.1f}{_NARROW}%"


def p_value(p: float) -> str:
    """ "p = 0.031"; very small values as a bound."""
    if p < 0.0001:
        return f"p{_FIXED}<{_FIXED}0.0001"
    return f"p{_FIXED}={_FIXED}{p:.2g}"


def duration(seconds: float) -> str:
    """ "13.7 s", "4 min 05 s" or "2 h 10 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def compact(count: float) -> str:
    """A count in few characters, three digits of it: 950, 9,999, 12.3k, 4.56M, 1.2B."""
    if count < 9999.5:
        return f"{count:,.0f}"
    unit, size = next((of for of in _UNITS if count < 999.5 * of[1]), _UNITS[-1])
    return f"{count / size:.3g}{unit}"


def arithmetic(speed: Speed) -> str:
    """ "achieved 412 GFLOP/s, 46.3 % of this machine's 890 GFLOP/s"."""
    achieved = f"achieved {flops(speed.flops_per_s)}"
    if not speed.peak_flops_per_s:
        return achieved
    return f"{achieved}, {percent(speed.share_of_peak)} of this machine's {flops(speed.peak_flops_per_s)}"


def flops(per_second: float) -> str:
    """Operations per second, three digits of them: "41.2 GFLOP/s", "890 GFLOP/s", "702 TFLOP/s"."""
    unit, size = ("GFLOP/s", 1e9) if per_second < 9.995e12 else ("TFLOP/s", 1e12)
    return f"{per_second / size:{',.0f' if per_second >= 99.95 * size else '.3g'}}{_FIXED}{unit}"


def language(label: str) -> str:
    """A slice's label in words."""
    return LANGUAGES.get(label, label)


def paired(of: Slice) -> str:
    """The paired test in one clause."""
    return f"{of.gained:,} gained, {of.lost:,} lost, exact McNemar {p_value(of.p_value)}"


def verdict(evidence: Evidence | None) -> str:
    """The outcome of the run in one sentence with its figures."""
    if evidence is None:
        return "No held-out questions were asked, so this report says nothing about improvement."
    over_all = evidence.slices[0]
    before, after = over_all.base, over_all.tuned
    same = before.hits == after.hits
    went = {"better": "rose from", "worse": "fell from"}.get(over_all.verdict, "stayed at" if same else "went from")
    closing = {"better": "better than the base", "worse": "worse than the base"}.get(
        over_all.verdict, "not distinguishable from the base"
    )
    figures = _with_interval(before) if same else f"{_with_interval(before)} to {_with_interval(after)}"
    questions = "question" if before.n == 1 else "questions"
    return f"Exact match {went} {figures} on {before.n:,} held-out {questions}: {closing}; {paired(over_all)}."


def _with_interval(of: Share) -> str:
    return f"{percent(of.share)} ({100 * of.low:.1f} to {100 * of.high:.1f})"
