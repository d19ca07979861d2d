"""Figures as people read them, and the verdict as a sentence."""

from tutelage.report.content import Evidence, Share, Slice

LANGUAGES = {"all": "All questions", "en": "English", "zh": "Chinese"}
_NARROW = "\u202f"  # a space that does not break


def percent(share: float) -> str:
    """0.831 -> "83.1 %"."""
    return f"{100 * share:.1f}{_NARROW}%"


def interval(of: Share) -> str:
    """The 95 % interval, as "74.5 to 89.1 %"."""
    return f"{100 * of.low:.1f} to {100 * of.high:.1f}{_NARROW}%"


def p_value(p: float) -> str:
    """ "p = 0.031"; very small values as a bound."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {min(p, 1.0):.2g}" if p < 0.995 else "p = 1"


def duration(seconds: float) -> str:
    """ "13.7 s", "4 min 05 s" or "2 h 10 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def compact(count: float) -> str:
    """A count in at most four characters or so: 950, 12.3k, 4.56M, 1.2B."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if count >= size:
            scaled = count / min(size, 1e3 if unit == "k" else size)
            return f"{scaled:.3g}{unit}" if scaled < 999.5 else f"{scaled:,.0f}{unit}"
    return f"{count:,.0f}"


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
