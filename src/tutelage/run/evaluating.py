"""The verbs evaluate and compare: models on suites, with intervals, paired results and a report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage import recipe as recipes
from tutelage.errors import DataError, RecipeError
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.suite import Suite
from tutelage.model import loading
from tutelage.recipe import ModelSection, Recipe
from tutelage.records import Conversation
from tutelage.run.answering import Asker, write_comparisons
from tutelage.run.assemble import Speech, speech
from tutelage.run.beside import Asked, Beside, references_of, tasks_of
from tutelage.run.harness import HarnessTasks
from tutelage.run.judging import Judged, judge_of, judged
from tutelage.run.path import conversations
from tutelage.run.power import tell_detectable
from tutelage.run.reporting import write_evaluation_report
from tutelage.run.rows import choose, question_of
from tutelage.run.suites import load_suite, rows_suite
from tutelage.terminal import Terminal
from tutelage.training.durable import writing

RESULT, FIGURES = "evaluation.json", "result.json"


@dataclass(frozen=True)
class Evaluated:
    """Models on suites.

    Attributes:
        comparisons: one for each suite.
        judged: what a judge said of each, where one was asked.
        beside: how likely the references are, and tasks of lm-evaluation-harness.
        output: folder of the answers, their scores and the report; None: nothing was written.
    """

    models: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    judged: tuple[Judged, ...]
    beside: tuple[Beside, ...]
    output: Path | None

    @property
    def report(self) -> Path | None:
        """The HTML file."""
        return self.output / "report.html" if self.output else None

    def summary(self) -> dict[str, Any]:
        """As `tutelage evaluate --json` and `tutelage compare --json` print it."""
        return {
            "models": list(self.models),
            "suites": {one.suite.name: one.figures() for one in self.comparisons},
            "judge": {one.suite: one.figures() for one in self.judged},
            "beside": [one.figures() for one in self.beside],
            "answers": str(self.output / RESULT) if self.output else None,
            "report": str(self.report) if self.report else None,
        }


def evaluate(
    model: str,
    recipe: Recipe,
    *,
    tasks: HarnessTasks | None = None,
    output: str | None = None,
    terminal: Terminal | None = None,
) -> Evaluated:
    """Ask a model the questions of suites (`evaluate.suites`) and of rows (`data.sources`).

    Args:
        recipe: data, template and evaluate sections; its model is not used.
        tasks: of lm-evaluation-harness, run besides.
        output: folder for answers, scores and report. A run that was stopped goes on with what is there.

    Raises:
        DataError: a suite that cannot be asked or measured, or nothing to ask.
    """
    return _evaluate((model,), recipe, tasks=tasks, output=output, terminal=terminal or Terminal())


def compare(
    models: Sequence[str],
    recipe: Recipe,
    *,
    tasks: HarnessTasks | None = None,
    output: str | None = None,
    terminal: Terminal | None = None,
) -> Evaluated:
    """Ask several models the same questions, as `evaluate` does, and compare each pair of them; the template is the
    last model's, unless one is named.

    Args:
        models: folders or Hub ids, the base first.

    Raises:
        RecipeError: fewer than two models, or one twice.
        DataError: a suite that cannot be asked or measured, or nothing to ask.
    """
    if len(models) < 2 or len(set(models)) < len(models):
        raise RecipeError(
            f"models: {', '.join(models)}",
            code="recipe-value",
            expected="at least two different models, the base first",
        )
    return _evaluate(tuple(models), recipe, tasks=tasks, output=output, terminal=terminal or Terminal())


def _evaluate(
    models: tuple[str, ...], recipe: Recipe, *, tasks: HarnessTasks | None, output: str | None, terminal: Terminal
) -> Evaluated:
    recipes.refuse_curation(recipe)
    suites = suites_of(recipe)
    if recipe.data.sources:
        suites = (_suite_of_rows(recipe), *suites)
    if not suites and tasks is None:
        raise DataError(
            "nothing is asked", code="no-rows", expected="--suite NAME or FILE, --data FILE, or --task NAME"
        )
    if judge_of(recipe.evaluate) and output is None:
        found = "a judge is named, but no folder for what it says"
        raise RecipeError(found, code="recipe-value", expected="--output FOLDER")
    for suite in suites:
        tell_detectable(suite, terminal=terminal)
    folder = Path(output) if output else None
    sections = {name: recipe.model.model_copy(update={"name_or_path": name}) for name in models}
    spoken = speech(recipe.model_copy(update={"model": sections[models[-1]]}))

    def speaks(section: ModelSection) -> Speech:
        return replace(spoken, tokenizer=loading.load_tokenizer(section))

    with writing("the answers", folder or Path(), remedy="make room, or --output ANOTHER/FOLDER"):
        asker = Asker(recipe.evaluate, terminal, kept=folder)
        answers = {
            name: asker.suites(name, section, suites=suites, spoken=speaks(section))
            for name, section in sections.items()
        }
        comparisons = tuple(
            Comparison(suite, models, {name: answers[name][suite.name] for name in models}, seed=recipe.seed)
            for suite in suites
        )
        asked = Asked(sections, speaks, terminal)
        beside = (*references_of(suites, asked), *(tasks_of(tasks, asked) if tasks else ()))
        if folder is None:
            return Evaluated(models, comparisons, (), beside, None)
        folder.mkdir(parents=True, exist_ok=True)
        write_comparisons(comparisons, folder / RESULT)
        told = judged(comparisons, recipe.evaluate, folder=folder, terminal=terminal)
        result = Evaluated(models, comparisons, told, beside, folder)
        sentences = [one.in_words() for one in (*told, *beside)]
        write_evaluation_report(folder, recipe, models=models, comparisons=comparisons, told=sentences)
        (folder / FIGURES).write_text(json.dumps(result.summary(), indent=1, ensure_ascii=False), encoding="utf-8")
    return result


def suites_of(recipe: Recipe) -> tuple[Suite, ...]:
    """The suites that a recipe names.

    Raises:
        DataError: one cannot be asked or measured.
        RecipeError: two have the same name.
    """
    section = recipe.evaluate
    metric = section.metric if "metric" in section.model_fields_set else None
    loaded = tuple(
        load_suite(name, metric=metric, most=section.num_questions, seed=recipe.seed) for name in section.suites
    )
    names = [suite.name for suite in loaded]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise RecipeError(
            f"two suites are called {double!r}",
            code="recipe-value",
            place="evaluate.suites",
            expected="a name of its own for each (`name:` in the file, or the file's name)",
        )
    return loaded


def _suite_of_rows(recipe: Recipe) -> Suite:
    """Rows as questions: their last answer is the reference."""
    rows = conversations(recipe.data, recipe.data.sources, formats=[])
    made = [(row, question_of(row)) for row in rows if isinstance(row, Conversation)]
    asked = {question.row: (question, str(row.place)) for row, question in made if question is not None}
    if not asked:
        raise DataError("no row holds a question with an answer", code="no-rows", place=recipe.data.sources[0].path)
    kept = choose(list(asked), count=recipe.evaluate.num_questions, seed=recipe.seed)
    name = Path(recipe.data.sources[0].path).stem
    return rows_suite(name, [asked[row] for row in kept], metric=recipe.evaluate.metric)
