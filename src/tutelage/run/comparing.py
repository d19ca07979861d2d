"""Comparisons as people read them in a terminal: answers side by side, means with intervals, verdicts."""

from collections.abc import Sequence
from itertools import combinations

from rich.table import Table
from rich.text import Text

from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.statistics import Mean
from tutelage.evaluation.suite import Item
from tutelage.run.evidence import short_names
from tutelage.terminal import Terminal

CLIPPED = 160
MOST_COLUMNS = 4  # of means; where there are more languages and tasks, they are left to the report


def show_comparison(comparison: Comparison, terminal: Terminal, *, rows: int = 12) -> None:
    """Some answers side by side, each model's mean with its interval by language and task, and the verdict on each
    pair of models."""
    terminal.show(_answers(comparison, rows))
    terminal.show(_means(comparison))
    for before, after in combinations(comparison.names, 2):
        result = comparison.matrix[before, after]
        terminal.say(f"{after} against {before}: ", (result.verdict, "bold"), f" ({result.in_words()})")


def _answers(comparison: Comparison, rows: int) -> Table:
    table = Table(expand=True, show_lines=True, title=comparison.suite.name, title_justify="left")
    for name in ("question", "expected", *short_names(comparison.names).values()):
        table.add_column(name, overflow="fold", ratio=3 if name == "question" else 2)
    for number, item in _spread(comparison.items, rows):
        reference = item.references[0] if item.references else ", ".join(one.id for one in item.constraints)
        cells = [_clip(item.prompt), _clip(reference)]
        table.add_row(*cells, *(_answer(comparison, name, number) for name in comparison.names))
    return table


def _means(comparison: Comparison) -> Table:
    figures = Table(title=f"{comparison.suite.metric} (95 % interval)", title_justify="left")
    figures.add_column("model", overflow="fold")
    told = comparison.told if len(comparison.told) <= MOST_COLUMNS else comparison.told[:1]
    for label in told:
        figures.add_column(f"{label}, n = {len(comparison.slices[label])}")
    figures.add_column("stopped by itself")
    for name, short in short_names(comparison.names).items():
        cells = [_mean(comparison.mean(name, label)) for label in told]
        figures.add_row(short, *cells, f"{comparison.stopped(name).share:.0%}")
    return figures


def _spread(items: Sequence[Item], rows: int) -> list[tuple[int, Item]]:
    """Some items, evenly over the set."""
    step = max(1, len(items) // rows)
    return list(enumerate(items))[::step][:rows]


def _mean(of: Mean) -> str:
    return f"{of.value:.1%} ({of.low:.1%} to {of.high:.1%})"


def _answer(comparison: Comparison, name: str, number: int) -> Text:
    score = comparison.scores[name][number]
    answer = _clip(comparison.answers[name][number].text)
    if score in (0, 1):
        return Text(answer, style="green" if score else "red")
    return Text(f"{score:.2f} {answer}")


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= CLIPPED else f"{flat[:CLIPPED]} ..."
