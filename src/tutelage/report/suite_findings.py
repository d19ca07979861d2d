"""What stands out in the answers of a suite: the last model, against the first where there are several.

Nothing is told that chance explains: a loss needs its verdict, a slice that lags an interval apart from that of all.
"""

import math
from collections.abc import Iterator

from tutelage.evaluation.statistics import Z95, Detectable, detectable_difference, detectable_gain, wilson_interval
from tutelage.report.evidence import Measure, Paired, Slice, Suite
from tutelage.report.finding import Finding
from tutelage.report.language import known, t
from tutelage.report.wording import count, drift, feature, language, percent, points

MANY_LOST = 0.1  # of what the first model had right: more is told even where more was gained
RAN_ON = 0.1  # share of answers at the limit
LARGE_DRIFT = 0.3  # of a feature that is neither good nor bad
_MOST_NAMED = 4


def suite_findings(suite: Suite) -> Iterator[Finding]:
    """What stands out in a suite."""
    over_all = suite.slices[0]
    if over_all.against:
        yield from _outcome(suite, over_all.against[-1])
        yield from _lost(suite, over_all.against[-1])
        yield from _form(suite)
    yield from _uneven(suite)
    yield from _ran_on(suite)


def _outcome(suite: Suite, result: Paired) -> Iterator[Finding]:
    n = suite.slices[0].means[-1].n
    figures = (("difference", result.difference), ("low", result.low), ("high", result.high), ("n", n))
    of = {"suite": known(suite.name), "points": points(result.difference), "n": count(n)}
    if result.verdict == "worse":
        text = t("{suite}: the answers became worse, by {points} on {n} questions.", **of)
        yield Finding(
            "worse", 100, text, figures, t("Train less or with a smaller learning rate, or mix in other data.")
        )
    elif result.verdict == "not distinguishable":
        smallest = could_have_shown(result, n)
        if smallest.difference is None:
            text = t("{suite}: {n} questions are too few to show any difference.", **of)
        else:
            shown = points(smallest.difference).lstrip("+")
            text = t(
                "{suite}: {n} questions could have shown a difference of {shown}; found: {points}.", **of, shown=shown
            )
        seen = (("n", float(n)), ("detectable", smallest.difference or 1.0), ("difference", result.difference))
        yield Finding("too few questions", 60, text, seen, t("Ask more questions before you conclude anything."))


def could_have_shown(result: Paired, n: int) -> Detectable:
    """The smallest difference that so many items show with 80 % power, given how many answers differ here."""
    if result.test == "exact McNemar":
        return detectable_gain(n, max(1, result.gained + result.lost) / n)
    deviation = (result.high - result.low) / (2 * Z95) * math.sqrt(n)
    return detectable_difference(n, deviation)


def _lost(suite: Suite, result: Paired) -> Iterator[Finding]:
    """Questions that the first model had right, where surely more than a few of them are wrong now."""
    right = round(suite.slices[0].means[0].value * suite.slices[0].means[0].n)
    if not suite.is_share or result.verdict not in ("better", "equivalent") or not right:
        return
    if wilson_interval(result.lost / right, right)[0] > MANY_LOST:
        share = percent(result.lost / right)
        of = {"suite": known(suite.name), "lost": count(result.lost), "right": count(right), "share": share}
        text = t("{suite}: {lost} of {right} questions that were right are wrong now ({share}).", **of)
        figures = (("lost", result.lost), ("right before", right))
        yield Finding("lost", 80, text, figures, t("Read the lost answers below; data of their kind may help."))


def _uneven(suite: Suite) -> Iterator[Finding]:
    """Slices that became worse, and slices that lag behind all."""
    over_all, parts = suite.slices[0], suite.slices[1:]
    worse = [one for one in parts if one.against and one.against[-1].verdict == "worse"]
    for one in worse[:_MOST_NAMED]:
        found = points(one.against[-1].difference)
        of = {"suite": known(suite.name), "part": language(one.label), "points": found, "n": count(one.means[-1].n)}
        text = t("{suite}, {part}: worse by {points} on {n} questions.", **of)
        figures = (("difference", one.against[-1].difference), ("n", one.means[-1].n))
        yield Finding("worse part", 95, text, figures, t("Add rows of this kind to the training data."))
    for one in [one for one in parts if one not in worse and _lags(one, over_all)][:_MOST_NAMED]:
        values = {
            "value": percent(one.means[-1].value),
            "mean": percent(over_all.means[-1].value),
            "n": count(one.means[-1].n),
        }
        text = t(
            "{suite}, {part}: {value} on {n} questions, where all together have {mean}.",
            suite=known(suite.name),
            part=language(one.label),
            **values,
        )
        lag = (("part", one.means[-1].value), ("all", over_all.means[-1].value))
        yield Finding("lagging part", 45, text, lag, t("Add rows of this kind to the training data."))


def _lags(part: Slice, over_all: Slice) -> bool:
    """The intervals do not touch."""
    return part.means[-1].high < over_all.means[-1].low


def _ran_on(suite: Suite) -> Iterator[Finding]:
    n, share = len(suite.items), 1 - suite.stopped[-1]
    if n and wilson_interval(share, n)[0] > RAN_ON:
        of = {"suite": known(suite.name), "share": percent(share), "limit": count(suite.max_new_tokens)}
        text = t("{suite}: {share} of the answers ran to the limit of {limit} tokens.", **of)
        figures = (("share", share), ("max_new_tokens", suite.max_new_tokens))
        yield Finding(
            "ran to the limit",
            70,
            text,
            figures,
            t("Raise evaluate.max_new_tokens, or check that the data end where answers should."),
        )


def _form(suite: Suite) -> Iterator[Finding]:
    """Features of which there is more that nobody wants, or much more or less of any; and worse following."""
    for one in sorted((one for one in suite.form if _drifted(one)), key=lambda one: -abs(one.against[-1].difference)):
        of = {"suite": known(suite.name), "feature": feature(one.name)}
        values = {"before": percent(one.means[0].value), "after": percent(one.means[-1].value)}
        text = t("{suite}: {feature}: {before} before, {after} after.", **of, **values)
        figures = (("before", one.means[0].value), ("after", one.means[-1].value))
        weight = 30 if one.wanted is None else 65
        yield Finding(
            "form", weight, text, figures, t("Check that the answers of the training data look as yours should.")
        )
    for one in suite.following[:1]:
        if one.against[-1].verdict == "worse":
            difference = one.against[-1].difference
            text = t(
                "{suite}: instructions are followed worse, by {points}.",
                suite=known(suite.name),
                points=points(difference),
            )
            yield Finding("following", 75, text, (("difference", difference),), t("Its components below say in what."))


def _drifted(of: Measure) -> bool:
    told = drift(of.against[-1], of.wanted)
    large = abs(of.against[-1].difference) >= LARGE_DRIFT
    return told == "worse" or (told in ("more", "fewer") and large)
