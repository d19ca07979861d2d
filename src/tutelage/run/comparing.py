"""The verb compare: several models on the same held-out questions, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from tutelage.errors import DataError, RecipeError
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.exact_match import exact_match
from tutelage.model import loading
from tutelage.recipe import Recipe
from tutelage.records import Conversation, Question
from tutelage.run.answering import answers_of, write_comparison
from tutelage.run.assemble import speech
from tutelage.run.path import conversations
from tutelage.run.rows import choose, question_of
from tutelage.terminal import Terminal

CLIPPED = 160


@dataclass(frozen=True)
class CompareResult:
    """Answers of all models, and where they were written."""

    comparison: Comparison
    path: Path | None

    def summary(self) -> dict[str, Any]:
        """As `tutelage compare --json` prints it."""
        comparison = self.comparison
        base, *others = comparison.names
        tests = {name: comparison.against_base(name) for name in others}
        return {
            "n": len(comparison.questions),
            "models": comparison.summary(),
            "against": {
                name: {
                    "base": base,
                    "gained": test.gained,
                    "lost": test.lost,
                    "p": test.p_value,
                    "verdict": test.verdict,
                }
                for name, test in tests.items()
            },
            "answers": str(self.path) if self.path else None,
        }


def compare(
    models: Sequence[str], recipe: Recipe, *, output: str | None = None, terminal: Terminal | None = None
) -> CompareResult:
    """Ask several models the questions of `data.sources`; the template is the last model's, unless one is named.

    Args:
        models: folders or Hub ids, the base first.
        recipe: data, template and evaluate sections; its model is not used.
        output: JSON file for every answer.

    Raises:
        RecipeError: fewer than two models, or one twice.
        DataError: no question in the data.
    """
    if len(models) < 2 or len(set(models)) < len(models):
        raise RecipeError(
            f"models: {', '.join(models)}",
            code="recipe-value",
            expected="at least two different models, the base first",
        )
    terminal = terminal or Terminal()
    questions = _questions(recipe)
    sections = [recipe.model.model_copy(update={"name_or_path": name}) for name in models]
    spoken = speech(recipe.model_copy(update={"model": sections[-1]}))
    answers = {
        name: answers_of(
            name,
            section,
            questions=questions,
            spoken=replace(spoken, tokenizer=loading.load_tokenizer(section)),
            section=recipe.evaluate,
            terminal=terminal,
        )
        for name, section in zip(models, sections, strict=True)
    }
    comparison = Comparison(questions, tuple(models), answers)
    if output is not None:
        write_comparison(comparison, Path(output))
    return CompareResult(comparison, Path(output) if output else None)


def _questions(recipe: Recipe) -> list[Question]:
    rows = conversations(recipe.data, recipe.data.sources, formats=[])
    made = [question_of(row) for row in rows if isinstance(row, Conversation)]
    asked = {question.row: question for question in made if question is not None}
    if not asked:
        raise DataError("no row holds a question with an answer", code="no-rows", place=recipe.data.sources[0].path)
    kept = choose(list(asked), count=recipe.evaluate.num_questions, seed=recipe.seed)
    return [asked[row] for row in kept]


def show_comparison(comparison: Comparison, terminal: Terminal, *, rows: int = 12) -> None:
    """Print answers side by side, then exact match with n and intervals, per language, and the paired verdict."""
    table = Table(expand=True, show_lines=True)
    for name in ("question", "reference", *comparison.names):
        table.add_column(Path(name).name or name, overflow="fold", ratio=3 if name == "question" else 2)
    for number, question in _spread(comparison.questions, rows):
        cells = [_clip(question.messages[-1].content), _clip(question.references[0])]
        table.add_row(*cells, *(_answer(comparison, name, number) for name in comparison.names))
    terminal.show(table)
    languages = sorted(set(comparison.languages))
    figures = Table(title="exact match (95 % interval)", title_justify="left")
    for heading in ("model", "all", *(languages if len(languages) > 1 else ()), "stopped by itself"):
        figures.add_column(heading)
    for name in comparison.names:
        shown = [None, *languages] if len(languages) > 1 else [None]
        cells = [_share(comparison, name, only) for only in shown]
        figures.add_row(name, *cells, f"{comparison.stopped(name).share:.0%}")
    terminal.show(figures)
    for name in comparison.names[1:]:
        test = comparison.against_base(name)
        terminal.say(
            f"{name} against {comparison.names[0]}: ",
            (test.verdict, "bold"),
            f" (n = {len(comparison.questions)}, {test.gained} gained, {test.lost} lost, "
            f"McNemar p = {test.p_value:.2g})",
        )


def _spread(questions: Sequence[Question], rows: int) -> list[tuple[int, Question]]:
    """Some questions, evenly over the set."""
    step = max(1, len(questions) // rows)
    return list(enumerate(questions))[::step][:rows]


def _share(comparison: Comparison, name: str, only: str | None) -> str:
    figure = comparison.exact(name, only=only)
    low, high = figure.interval
    return f"{figure.share:.1%} ({low:.1%} to {high:.1%}), n = {figure.n}"


def _answer(comparison: Comparison, name: str, number: int) -> Text:
    answer = comparison.answers[name][number].text
    right = exact_match(answer, comparison.questions[number].references)
    return Text(_clip(answer), style="green" if right else "red")


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= CLIPPED else f"{flat[:CLIPPED]} ..."
