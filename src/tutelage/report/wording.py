"""Figures as people read them, and the verdict as a sentence."""

from collections.abc import Sequence

from tutelage.evaluation.answer_form.forms import FEATURES
from tutelage.records import Speed
from tutelage.report.evidence import Mean, Paired, Suite
from tutelage.report.language import known, t

_UNITS = (("k", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12))
LANGUAGES = {"all": "All questions", "en": "English", "zh": "Chinese"}
_NARROW, _FIXED = "\u202f", "\u00a0"  # spaces at which no line breaks


def percent(share: float) -> str:
    """0.831 -> "83.1 %"."""
    return f"{100 * share:.1f}{_NARROW}%"


def share_of(count: int, total: int) -> str:
    """The part of a whole as percent; a dash where there is no whole."""
    return percent(count / total) if total else "–"


def interval(of: Mean) -> str:
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


def model_name(name_or_path: str) -> str:
    """The last part of a path or Hub id, which people call the model by."""
    return name_or_path.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or name_or_path


def metric(name: str) -> str:
    """A metric's name as people write it: "exact_match" -> "Exact match"."""
    known = {"f1": "F1", "bleu": "BLEU", "chrf": "chrF", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}
    return known.get(name, name.replace("_", " ").capitalize())


def feature(name: str) -> str:
    """A feature of the form, or a component of the following score, as a line of a table."""
    of = FEATURES.get(name)
    if of is None:
        return known(name.capitalize())
    return t("Answers {label}", label=known(of.label))


def language(label: str) -> str:
    """A slice's label in words."""
    return LANGUAGES.get(label, label)


def points(difference: float) -> str:
    """A difference of shares or scores: 0.123 -> "+12.3 points"."""
    return f"{100 * difference:+.1f} points"


def paired(of: Paired) -> str:
    """The paired result in one clause."""
    within = f", within ±{100 * of.margin:.3g} points" if of.within_margin else ""
    return (
        f"{points(of.difference)} ({100 * of.low:+.1f} to {100 * of.high:+.1f}{within}), "
        f"{of.gained:,} gained, {of.lost:,} lost, {of.test} {p_value(of.p_value)}"
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
        return "No questions were asked, so this report says nothing about improvement."
    suite, over_all = suites[0], suites[0].slices[0]
    after, last = over_all.means[-1], suite.models[-1]
    questions = "question" if after.n == 1 else "questions"
    which = "held-out " if suite.name == "held-out" else ""
    asked = f"{after.n:,} {which}{questions}"
    measured = metric(suite.metric)
    if not over_all.against:
        return f"{measured} of {last} is {_with_interval(after)} on {asked}."
    before, result = over_all.means[0], over_all.against[-1]
    same = before.value == after.value
    went = {"better": "rose from", "worse": "fell from"}.get(result.verdict, "stayed at" if same else "went from")
    closing = {
        "better": f"better than the {suite.models[0]}",
        "worse": f"worse than the {suite.models[0]}",
        "equivalent": f"equivalent to the {suite.models[0]}",
    }.get(result.verdict, f"not distinguishable from the {suite.models[0]}")
    figures = _with_interval(before) if same else f"{_with_interval(before)} to {_with_interval(after)}"
    return f"{measured} {went} {figures} on {asked}: {closing}; {paired(result)}."


def _with_interval(of: Mean) -> str:
    return f"{percent(of.value)} ({100 * of.low:.1f} to {100 * of.high:.1f})"
