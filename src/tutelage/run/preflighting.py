"""The verb preflight: what a run will take, measured on a few of its steps; nothing of it stays."""

import tempfile
import time
from pathlib import Path

from tutelage import recipe as recipes
from tutelage.recipe import Recipe
from tutelage.run.answering import Asker, load_for_answers
from tutelage.run.assemble import Speech, speech
from tutelage.run.device import refuse_what_it_cannot
from tutelage.run.engine import build_engine
from tutelage.run.evaluating import suites_of
from tutelage.run.forecast import (
    Forecast,
    existing,
    forecast,
    memory_limit,
    refuse_too_large,
    refuse_what_will_not_do,
)
from tutelage.run.metrics import Silence
from tutelage.run.prepare import Prepared, prepare
from tutelage.run.training import Run, job_of, tell_mixture, tell_prepared
from tutelage.terminal import Terminal
from tutelage.training.checkpoint import Checkpoints
from tutelage.training.rehearsal import rehearse

TIMED_STEPS = 4


def preflight(recipe: Recipe, *, terminal: Terminal | None = None) -> Forecast:
    """Prepare the data, load the model, try the longest batches, some steps, an evaluation, a save and a few questions.

    Raises:
        TutelageError: what the run itself would say, or what it would fail of later: memory or disk that will not do.
    """
    terminal = terminal or Terminal()
    started = time.perf_counter()
    recipes.refuse_curation(recipe)
    refuse_what_it_cannot(recipe.train)
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=terminal)
    tell_prepared(prepared, spoken, terminal=terminal)
    engine = build_engine(recipe, spoken, prepared=prepared, terminal=terminal)
    tell_mixture(prepared, engine, terminal=terminal)
    refuse_too_large(engine.language_model, recipe.train.optim)
    starting = time.perf_counter() - started
    output = Path(recipe.output_dir)
    questions = _question_seconds(recipe, spoken, prepared)
    with tempfile.TemporaryDirectory(prefix=".preflight-", dir=existing(output)) as scratch:
        checkpoints = Checkpoints(Path(scratch), keep=recipe.train.save_total_limit, fingerprint={})
        run = Run(recipe, spoken, prepared, engine)
        job = job_of(run, engine.language_model, checkpoints=checkpoints, listener=Silence())
        rehearsed = rehearse(job, timed_steps=TIMED_STEPS, memory_gib=memory_limit(recipe, engine))
        expected = forecast(job, rehearsed, others={"starting": starting, "questions": questions})
    refuse_what_will_not_do(expected, output)
    return expected


def _question_seconds(recipe: Recipe, spoken: Speech, prepared: Prepared) -> float:
    """Seconds of all questions, before and after, from one batch of them."""
    questions = prepared.questions(count=recipe.evaluate.num_questions, seed=recipe.seed)
    questions += [item.question for suite in suites_of(recipe) for item in suite.items]
    if not questions:
        return 0.0
    started = time.perf_counter()
    load_for_answers(recipe.model)
    loading = time.perf_counter() - started
    some = questions[: recipe.evaluate.batch_size]
    Asker(recipe.evaluate, Terminal(quiet=True)).answers("base", recipe.model, questions=some, spoken=spoken)
    asking = time.perf_counter() - started - 2 * loading
    return 2 * (loading + asking * len(questions) / len(some))
