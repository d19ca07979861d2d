"""What stands out in a report: at most eight findings, the weightiest first, each with its number and what to do."""

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from tutelage.report.content import Curves, Ledger, Report, Training
from tutelage.report.data_map import DataMap
from tutelage.report.evidence import Suite
from tutelage.report.finding import Finding
from tutelage.report.language import t
from tutelage.report.suite_findings import suite_findings
from tutelage.report.wording import count, label, percent

MOST = 8
RISEN = FALLING = 0.02  # of the held-out loss: less is the same
LOST = 0.01  # share of the rows
PADDING = 0.3  # share of the positions
SPIKE = 10.0  # times the median gradient norm
APART = 1.5  # times the mean loss of the other sources, and as many nats more:
APART_NATS = 0.5
SUSPICIOUS = 7.0  # log-odds: of rows of which two in a hundred are wrong, 22 to 1
FORGOTTEN, MEMORISED = 0.05, 0.2  # shares of the rows


def run_findings(report: Report) -> tuple[Finding, ...]:
    """What stands out in the report of a run."""
    found = [
        *_training(report.training),
        *_ledger(report.ledger),
        *(_data_map(report.data_map) if report.data_map else ()),
        *(one for suite in report.evidence for one in suite_findings(suite)),
    ]
    return _weightiest(found)


def evaluation_findings(suites: Sequence[Suite]) -> tuple[Finding, ...]:
    """What stands out in the report of an evaluation."""
    return _weightiest([one for suite in suites for one in suite_findings(suite)])


def _weightiest(found: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: -one.weight)[:MOST])


def _training(of: Training) -> Iterator[Finding]:
    if not of.kept_best:
        yield from _overfitted(of.curves)
    yield from _unfinished(of)
    yield from _spikes(of.curves)
    yield from _sources(of.curves)
    if of.skipped:
        text = t(
            "{n} of {steps} steps changed no weight: their gradients were too large.",
            n=count(of.skipped),
            steps=count(of.steps),
        )
        figures = (("skipped", of.skipped), ("steps", of.steps))
        yield Finding(
            "skipped steps", 55, text, figures, t("Use bf16 or fp32 instead of fp16, or a smaller learning rate.")
        )
    if of.speed and not of.packed and of.speed.padding_share > PADDING:
        text = t("{share} of the positions that were computed are padding.", share=percent(of.speed.padding_share))
        yield Finding("padding", 20, text, (("share", of.speed.padding_share),), t("Set tokens.packing: true."))


def _overfitted(curves: Curves) -> Iterator[Finding]:
    if not curves.held_out:
        return
    (lowest_at, lowest), (last_at, last) = min(curves.held_out, key=lambda one: one[1]), curves.held_out[-1]
    if lowest_at < last_at and last > (1 + RISEN) * lowest:
        of = {
            "step": count(lowest_at),
            "lowest": f"{lowest:.3f}",
            "last": f"{last:.3f}",
            "risen": f"{last - lowest:.3f}",
        }
        text = t(
            "The held-out loss was lowest at step {step} ({lowest}) and rose by {risen} to {last} since: overfitting.",
            **of,
        )
        figures = (("step", lowest_at), ("lowest", lowest), ("last", last))
        yield Finding(
            "overfitting", 90, text, figures, t("Set train.load_best_model_at_end: true, or train fewer epochs.")
        )


def _unfinished(training: Training) -> Iterator[Finding]:
    held_out = training.curves.held_out
    if len(held_out) < 2 or training.stopped_early:
        return
    (_, before), (step, last) = held_out[-2:]
    if last == min(loss for _, loss in held_out) and last < (1 - FALLING) * before:
        of = {"before": f"{before:.3f}", "last": f"{last:.3f}", "step": count(step)}
        text = t("The held-out loss was still falling at the end: from {before} to {last} at step {step}.", **of)
        figures = (("before", before), ("last", last))
        yield Finding("not converged", 40, text, figures, t("Train longer: more epochs, or a larger learning rate."))


def _spikes(curves: Curves) -> Iterator[Finding]:
    """Norms far above the usual one, when the first tenth of the steps is over."""
    norms = curves.grad_norm[len(curves.grad_norm) // 10 :]
    usual = median(norms) if norms else 0.0
    spikes = [norm for norm in norms if not norm <= SPIKE * usual]
    if spikes:
        of = {"n": count(len(spikes)), "largest": f"{max(spikes):.3g}", "usual": f"{usual:.3g}"}
        text = t("{n} logged steps had a gradient norm of up to {largest}, where the median is {usual}.", **of)
        figures = (("spikes", len(spikes)), ("largest", max(spikes)), ("median", usual))
        yield Finding(
            "gradient spikes",
            50,
            text,
            figures,
            t("Use a smaller learning rate or a longer warmup, and look at the rows of these steps."),
        )


def _sources(curves: Curves) -> Iterator[Finding]:
    """A source whose loss at the end (mean over the last third of its points) is far above that of the others."""
    ends = {
        name: fmean(loss for _, loss in points[-max(1, len(points) // 3) :])
        for name, points in curves.sources
        if points
    }
    for name, loss in ends.items():
        others = [other for of, other in ends.items() if of != name]
        usual = fmean(others) if others else loss
        if loss > max(APART * usual, usual + APART_NATS):
            of = {"source": label(name), "loss": f"{loss:.2f}", "usual": f"{usual:.2f}"}
            text = t("The loss of {source} is {loss} at the end, that of the other sources {usual}.", **of)
            figures = (("loss", loss), ("others", usual))
            yield Finding(
                "hard source",
                35,
                text,
                figures,
                t("Look at its rows: they may be noisy, of another form, or need more weight."),
            )


def _ledger(of: Ledger) -> Iterator[Finding]:
    rows = count(of.rows)
    if of.dropped > LOST * of.rows:
        text = t(
            "{n} of {rows} rows were dropped ({share}).",
            n=count(of.dropped),
            rows=rows,
            share=percent(of.dropped / of.rows),
        )
        suggestion = t("The ledger below names the reasons and the first row of each.")
        yield Finding("rows dropped", 68, text, (("dropped", of.dropped),), suggestion)
    if of.shortened > LOST * of.rows:
        text = t(
            "{n} of {rows} rows were shortened ({share}).",
            n=count(of.shortened),
            rows=rows,
            share=percent(of.shortened / of.rows),
        )
        suggestion = t("Raise tokens.max_length, or split long rows.")
        yield Finding("rows shortened", 42, text, (("shortened", of.shortened),), suggestion)
    if of.identical:
        values = {"n": count(of.identical), "held_out": count(of.eval_rows)}
        text = t(
            "{n} of {held_out} held-out rows are identical to a trained row: the held-out figures are too good.",
            **values,
        )
        yield Finding(
            "identical rows",
            85,
            text,
            (("identical", of.identical),),
            t("Take them out: tutelage data clean finds them."),
        )


def _data_map(of: DataMap) -> Iterator[Finding]:
    suspects = [one for one in of.suspects if one.suspicion >= SUSPICIOUS]
    if suspects:
        values = {
            "n": count(len(suspects)),
            "worst": f"{suspects[0].suspicion:+.1f}",
            "place": label(suspects[0].place),
        }
        text = t(
            "{n} rows have answers that hardly fit their prompts; the worst ({worst} log-odds) is {place}.", **values
        )
        figures = (("rows", len(suspects)), ("suspicion", suspects[0].suspicion))
        yield Finding(
            "suspicious rows", 58, text, figures, t("Read the rows under What the rows taught, and mend or drop them.")
        )
    counts = {kind.name: kind.count for kind in of.kinds}
    if (number := counts.get("forgotten", 0)) > FORGOTTEN * of.rows:
        text = t(
            "{n} rows ({share}) were learned and forgotten again.", n=count(number), share=percent(number / of.rows)
        )
        yield Finding("forgotten rows", 48, text, (("forgotten", number),), t("Use a smaller learning rate."))
    if (number := counts.get("memorised", 0)) > MEMORISED * of.rows:
        text = t("{n} rows ({share}) are memorised.", n=count(number), share=percent(number / of.rows))
        yield Finding("memorised rows", 48, text, (("memorised", number),), t("Train fewer epochs, or with more rows."))
