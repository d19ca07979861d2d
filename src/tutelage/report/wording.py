"""Figures as people read them, and the verdict as a sentence."""

from collections.abc import Sequence

from tutelage.evaluation.answer_form.forms import FEATURES
from tutelage.records import Speed
from tutelage.report.evidence import Mean, Paired, Suite
from tutelage.report.language import known, t

_UNITS = (("k", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12))
LANGUAGES = {"all": "All questions", "en": "English", "zh": "Chinese"}
_LONGEST_LABEL = 120
_METRICS = {"f1": "F1", "bleu": "BLEU", "chrf": "chrF", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}
_NARROW, _FIXED = "\u202f", "\u00a0"  # spaces at which no line breaks


def percent(share: float) -> str:
    """0.831 -> "83.1 %"."""
    return f"{100 * share:.1f}{_NARROW}%"


def share_of(count: int, total: int) -> str:
    """The part of a whole as percent; a dash where there is no whole."""
    return percent(count / total) if total else "–"


def interval(of: Mean) -> str:
    """The 95 % interval, as "74.5 to 89.1 %"."""
    return t("{low} to {high}", low=f"{100 * of.low:.1f}", high=f"{100 * of.high:.1f}{_NARROW}%")


def p_value(p: float) -> str:
    """ "p = 0.031"; very small values as a bound."""
    if p < 0.0001:
        return f"p{_FIXED}<{_FIXED}0.0001"
    return f"p{_FIXED}={_FIXED}{p:.2g}"


def duration(seconds: float) -> str:
    """ "13.7 s", "4 min 05 s" or "2 h 10 min"."""
    if seconds < 59.95:
        return t("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return t("{minutes} min {seconds} s", minutes=minutes, seconds=f"{rest:02d}")
    return t("{hours} h {minutes} min", hours=minutes // 60, minutes=f"{minutes % 60:02d}")


def compact(count: float) -> str:
    """A count in few characters, three digits of it: 950, 9,999, 12.3k, 4.56M, 1.2B."""
    if count < 9999.5:
        return f"{count:,.0f}"
    unit, size = next((of for of in _UNITS if count < 999.5 * of[1]), _UNITS[-1])
    return f"{count / size:.3g}{unit}"


def arithmetic(speed: Speed) -> str:
    """ "achieved 412 GFLOP/s, 46.3 % of this machine's 890 GFLOP/s"."""
    achieved = flops(speed.flops_per_s)
    if not speed.peak_flops_per_s:
        return t("achieved {achieved}", achieved=achieved)
    share, peak = percent(speed.share_of_peak), flops(speed.peak_flops_per_s)
    return t("achieved {achieved}, {share} of this machine's {peak}", achieved=achieved, share=share, peak=peak)


def flops(per_second: float) -> str:
    """Operations per second, three digits of them: "41.2 GFLOP/s", "890 GFLOP/s", "702 TFLOP/s"."""
    unit, size = ("GFLOP/s", 1e9) if per_second < 9.995e12 else ("TFLOP/s", 1e12)
    return f"{per_second / size:{',.0f' if per_second >= 99.95 * size else '.3g'}}{_FIXED}{unit}"


def model_name(name_or_path: str) -> str:
    """The last part of a path or Hub id, which people call the model by."""
    return name_or_path.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or name_or_path


def metric(name: str) -> str:
    """A metric's name as people write it: "exact_match" -> "Exact match"."""
    return _METRICS.get(name) or known(name.replace("_", " ").capitalize())


def feature(name: str) -> str:
    """A feature of the form, or a component of the following score, as a line of a table."""
    of = FEATURES.get(name)
    if of is None:
        return known(name.capitalize())
    return t("Answers {label}", label=known(of.label))


def language(label: str) -> str:
    """A slice's label in words."""
    return known(LANGUAGES.get(label, label))


def count(number: int) -> str:
    """12345 -> "12,345"."""
    return f"{number:,}"


def label(text: str) -> str:
    """A name or a short phrase, cut where it is longer than a line or two."""
    return text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL]}…"


def points(difference: float) -> str:
    """A difference of shares or scores: 0.123 -> "+12.3 points"."""
    return t("{n} points", n=f"{100 * difference:+.1f}")


def paired(of: Paired) -> str:
    """The paired result in one clause."""
    within = t(", within ±{margin} points", margin=f"{100 * of.margin:.3g}") if of.within_margin else ""
    return t(
        "{points} ({low} to {high}{within}), {gained} gained, {lost} lost, {test} {p}",
        points=points(of.difference),
        low=f"{100 * of.low:+.1f}",
        high=f"{100 * of.high:+.1f}",
        within=within,
        gained=count(of.gained),
        lost=count(of.lost),
        test=known(of.test),
        p=p_value(of.p_value),
    )


def drift(of: Paired, wanted: bool | None) -> str:
    """The verdict on something of which more is better, worse, or neither."""
    words = {
        ("better", False): "worse",
        ("worse", False): "better",
        ("better", None): "more",
        ("worse", None): "fewer",
    }
    return words.get((of.verdict, wanted), of.verdict)


def verdict(suites: Sequence[Suite]) -> str:
    """The outcome in one sentence with its figures: the last model against the first, on the first suite."""
    if not suites:
        return t("No questions were asked, so this report says nothing about improvement.")
    suite, over_all = suites[0], suites[0].slices[0]
    asked, measured, after = _asked(suite), metric(suite.metric), over_all.means[-1]
    if not over_all.against:
        of = {"metric": measured, "model": known(suite.models[-1]), "mean": _with_interval(after)}
        return t("{metric} of {model} is {mean} on {asked}.", **of, asked=asked)
    before, result = over_all.means[0], over_all.against[-1]
    values = {"metric": measured, "before": _with_interval(before), "after": _with_interval(after), "asked": asked}
    if before.value == after.value:
        went = t("{metric} stayed at {before} on {asked}", **values)
    elif result.verdict == "better":
        went = t("{metric} rose from {before} to {after} on {asked}", **values)
    elif result.verdict == "worse":
        went = t("{metric} fell from {before} to {after} on {asked}", **values)
    else:
        went = t("{metric} went from {before} to {after} on {asked}", **values)
    closing = _closing(result, suite.models[0])
    return t("{went}: {closing}; {figures}.", went=went, closing=closing, figures=paired(result))


def _asked(suite: Suite) -> str:
    n = suite.slices[0].means[-1].n
    if suite.name == "held-out":
        return t("1 held-out question") if n == 1 else t("{n} held-out questions", n=count(n))
    return t("1 question") if n == 1 else t("{n} questions", n=count(n))


def _closing(result: Paired, base: str) -> str:
    match result.verdict:
        case "better":
            return t("better than the {base}", base=known(base))
        case "worse":
            return t("worse than the {base}", base=known(base))
        case "equivalent":
            return t("equivalent to the {base}", base=known(base))
    return t("not distinguishable from the {base}", base=known(base))


def _with_interval(of: Mean) -> str:
    ends = {"low": f"{100 * of.low:.1f}", "high": f"{100 * of.high:.1f}"}
    return t("{mean} ({low} to {high})", mean=percent(of.value), **ends)
