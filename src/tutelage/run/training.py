"""The verb train: from a recipe to a tuned model with its evidence, in one output folder.

The folder holds recipe.yaml, ledger.jsonl, questions.jsonl (those held out and asked), metrics.jsonl, tensorboard/,
checkpoints/, model/, comparison.json (every answer), result.json, report.html and report.json.
"""

import json
import shutil
import time
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutelage import recipe as recipes
from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.suite import HELD_OUT, Suite
from tutelage.model import freezing, loading, restoring, saving
from tutelage.model.causal_lm import CausalLM
from tutelage.recipe import Recipe
from tutelage.records import Speed
from tutelage.run.allocator import Heap, give_back_freed_memory
from tutelage.run.answering import ANSWERS, Asker, write_comparisons, write_questions
from tutelage.run.assemble import Speech, speech
from tutelage.run.device import refuse_what_it_cannot
from tutelage.run.engine import Engine, build_engine, stored_dtype
from tutelage.run.evaluating import suites_of
from tutelage.run.fingerprint import fingerprint
from tutelage.run.folder import claimed
from tutelage.run.forecast import (
    forecast,
    in_words,
    memory_limit,
    refuse_too_large,
    refuse_what_will_not_do,
)
from tutelage.run.judging import Judged, judge_of, judged
from tutelage.run.kept_trunk import keeping_trunk
from tutelage.run.mapping import write_data_map
from tutelage.run.metrics import Listeners, MetricsLog, Silence
from tutelage.run.midway import Midway
from tutelage.run.power import tell_detectable
from tutelage.run.prepare import Prepared, prepare
from tutelage.run.reporting import Finished, write_report
from tutelage.run.row_log import RowLog
from tutelage.run.shares import tell_shares
from tutelage.run.stopping import stops_when_asked
from tutelage.run.suites import rows_suite
from tutelage.terminal import Terminal, Update
from tutelage.training import distributed
from tutelage.training.checkpoint import Checkpoints, Start
from tutelage.training.durable import problem_of, put_in_place, seal, writing
from tutelage.training.loop import Job, Listener, Outcome, fit
from tutelage.training.meter import measured_peak
from tutelage.training.rehearsal import rehearse

BASE, TUNED = "base", "tuned"  # what the two models are called
REHEARSED = 50  # steps: a shorter run is its own rehearsal


@dataclass(frozen=True)
class TrainResult:
    """What a run did.

    Attributes:
        comparisons: answers before and after, of each suite that was asked; the held-out questions first.
        judged: what a judge said of each, where one was asked.
        epochs: passes over the mixture.
        seconds: of all of it, from the first row to the report.
    """

    output_dir: Path
    outcome: Outcome
    prepared: Prepared
    comparisons: tuple[Comparison, ...]
    judged: tuple[Judged, ...]
    epochs: float
    seconds: float

    @property
    def report(self) -> Path:
        """The HTML file."""
        return self.output_dir / "report.html"

    def summary(self) -> dict[str, Any]:
        """Figures of the run; the last line of `tutelage train --json`."""
        state, seconds, losses = self.outcome.state, self.outcome.seconds, self.outcome.losses
        figures: dict[str, Any] = {
            "output_dir": str(self.output_dir),
            "model": str(self.output_dir / "model"),
            "steps": state.step,
            "ledger": self.prepared.ledger.summary(),
            "sources": [share.summary(self.epochs) for share in self.prepared.shares],
            "tokens": state.tokens,
            "trained_tokens": state.trained_tokens,
            "seconds": round(seconds, 2),
            "seconds_in_all": round(self.seconds, 2),
            **(asdict(self.outcome.speed) if self.outcome.speed else {field.name: None for field in fields(Speed)}),
            "loss": {"first": losses[0], "last": losses[-1]} if losses else None,
            "eval_loss": {"best": state.best_loss, "step": state.best_step},
            "stopped_early": self.outcome.stopped_early,
            "report": str(self.report),
        }
        figures["suites"] = {one.suite.name: one.figures() for one in self.comparisons}
        figures["judge"] = {one.suite: one.figures() for one in self.judged}
        return figures | (self.comparisons[0].summary() if self.comparisons else {})


def train(recipe: Recipe, *, terminal: Terminal | None = None, resume: bool = False) -> TrainResult:
    """Fine-tune as the recipe says, ask the same questions before and after, and write the report.

    Args:
        terminal: where people read; unset: stdout.
        resume: go on from the newest checkpoint in the output folder.

    Raises:
        TutelageError: anything that the user can mend; what can be known before training is told before training.
        Stopped: it was asked to stop while it trained, and has saved.
    """
    started = time.perf_counter()
    distributed.start()
    is_main = distributed.rank() == 0
    terminal = terminal if terminal is not None and is_main else Terminal(quiet=not is_main)
    recipes.refuse_curation(recipe)
    refuse_what_it_cannot(recipe.train)
    named = suites_of(recipe)
    judge_of(recipe.evaluate)
    spoken = speech(recipe)
    with distributed.main_first():
        prepared = prepare(recipe, spoken, terminal=terminal)
    tell_prepared(prepared, spoken, terminal=terminal)
    engine = build_engine(recipe, spoken, prepared=prepared, terminal=terminal)
    tell_mixture(prepared, engine, terminal=terminal)
    refuse_too_large(engine.language_model, recipe.train.optim)
    # A mismatch is told before anything of the old run is written over.
    start = _checkpoints(recipe, prepared).newest() if resume else None
    held = claimed(recipe, resume=resume, terminal=terminal) if is_main else nullcontext(Path(recipe.output_dir))
    with held as output:
        suites: tuple[Suite, ...] = ()
        with distributed.main_first():
            if is_main:
                suites = (*_begin(output, recipe, prepared, resume=resume), *named)
        for suite in suites:
            tell_detectable(suite, terminal=terminal)
        ask = partial(Asker(recipe.evaluate, terminal, kept=output).suites, suites=suites, spoken=spoken)
        before = ask(BASE, recipe.model)
        outcome = _run_loop(Run(recipe, spoken, prepared, engine), start=start, terminal=terminal)
        plan = engine.plan
        del engine
        give_back_freed_memory()  # or the tuned model comes on top of what training took
        tuned = loading.written(recipe.model, output / "model")
        after = ask(TUNED, tuned)
        comparisons = tuple(
            Comparison(suite, (BASE, TUNED), {BASE: before[suite.name], TUNED: after[suite.name]}, seed=recipe.seed)
            for suite in suites
        )
        told = judged(comparisons, recipe.evaluate, folder=output, terminal=terminal)
        epochs = outcome.state.step / plan.steps_per_epoch
        result = TrainResult(output, outcome, prepared, comparisons, told, epochs, time.perf_counter() - started)
        if is_main:
            sentences = tuple(one.in_words() for one in told)
            _finish(result, Finished(recipe, spoken, prepared, plan, outcome, comparisons, sentences))
    return result


def _begin(output: Path, recipe: Recipe, prepared: Prepared, *, resume: bool) -> tuple[Suite, ...]:
    """What is known of a run before it trains, in its folder; the held-out questions that will be asked."""
    questions = prepared.questions(count=recipe.evaluate.num_questions, seed=recipe.seed)
    places = {entry.row: str(entry.place) for entry in prepared.ledger.entries()} if questions else {}
    placed = [(question, places.get(question.row, "")) for question in questions]
    suite = rows_suite(HELD_OUT, placed, metric=recipe.evaluate.metric)
    with writing("the run's ledger and questions", output, remedy="make room, or --set output_dir=ANOTHER/FOLDER"):
        prepared.ledger.write(output / "ledger.jsonl")
        (output / "recipe.yaml").write_text(recipes.dump(recipe), encoding="utf-8")
        write_questions(questions, output / "questions.jsonl")
        if not resume:
            (output / ANSWERS).unlink(missing_ok=True)
    return (suite,) if questions else ()


def _finish(result: TrainResult, finished: Finished) -> None:
    """What is known of a run when it is done, in its folder."""
    with writing("the report", result.output_dir, remedy="make room; model/ is written"):
        write_data_map(result.output_dir, finished.prepared)
        if result.comparisons:
            write_comparisons(result.comparisons, result.output_dir / "comparison.json")
        write_report(result.output_dir, finished)
        text = json.dumps(result.summary(), indent=1, ensure_ascii=False)
        (result.output_dir / "result.json").write_text(text, encoding="utf-8")


def tell_prepared(prepared: Prepared, spoken: Speech, *, terminal: Terminal) -> None:
    """What was read, how it was understood, and what became of it."""
    for note in spoken.tokenizer.notes:
        terminal.note(note)
    for sentence in prepared.formats:
        terminal.say(sentence)
    counts = prepared.ledger.summary()
    states = ", ".join(f"{counts[state]:,} {state}" for state in ("used", "shortened", "dropped"))
    stored = " (token store reused)" if prepared.reused else ""
    terminal.say(f"{counts['rows']:,} rows: {states}; template: {spoken.template.name}{stored}")
    for reason, count in counts["reasons"].items():
        terminal.note(f"{count:,} dropped: {reason}, first at {prepared.ledger.first(reason).place}")
    for note, count in prepared.notes.items():
        terminal.note(f"{note} ({count:,} rows)")


def tell_mixture(prepared: Prepared, engine: Engine, *, terminal: Terminal) -> None:
    """What each source is of the run, before it trains."""
    tell_shares(prepared.shares, engine.total_steps / engine.plan.steps_per_epoch, terminal=terminal)


@dataclass(frozen=True)
class Run:
    """A run that is ready for its loop."""

    recipe: Recipe
    spoken: Speech
    prepared: Prepared
    engine: Engine

    def write_model(self, folder: Path, *, dtype: torch.dtype | None = None) -> None:
        """Model and tokenizer as they stand.

        Args:
            dtype: of the weights; unset: as they are trained.
        """
        saving.save_model(self.engine.model, folder, stop_ids=self.spoken.stop_ids, dtype=dtype)
        saving.save_tokenizer(self.spoken.tokenizer, folder, chat_template=self.spoken.template.source)


def _run_loop(run: Run, *, start: Start | None, terminal: Terminal) -> Outcome:
    """Train, then write `model/` with the last or the best weights, in the dtype that the base came in."""
    recipe, engine = run.recipe, run.engine
    checkpoints = _checkpoints(recipe, run.prepared)
    if start is not None:
        for broken in start.passed_over:
            terminal.note(f"{broken}; an earlier checkpoint is taken")
        restoring.restore(engine.model, start.path)
        terminal.say(f"resuming after step {start.state.step} from {start.path}")
    done = start.state.step if start else 0
    with (
        terminal.progress("training", engine.total_steps, start=done) as update,
        closing(_listener(run, done=done, update=update, terminal=terminal)) as log,
        keeping_trunk(engine, recipe, resume=start is not None, terminal=terminal) as language_model,
        stops_when_asked(terminal.note) as asked_to_stop,
    ):
        job = job_of(run, language_model, checkpoints=checkpoints, listener=log)
        if recipe.evaluate.suite_steps:
            asks = Midway(suites_of(recipe), run.spoken, recipe.evaluate)
            job = replace(job, examine=asks, examine_every=recipe.evaluate.suite_steps)
        peak = measured_peak(engine.language_model.device, engine.language_model.compute_dtype)
        job = replace(job, peak_flops_per_s=peak, asked_to_stop=asked_to_stop)
        outcome = fit(replace(job, halvings=_halvings(run, job, done=done, terminal=terminal)), resume_from=start)
    if outcome.skipped:
        terminal.note(f"{outcome.skipped} steps changed no weight: their gradients, scaled for fp16, were too large")
    if distributed.rank() == 0:
        _write_final(run, checkpoints, outcome, terminal=terminal)
    return outcome


def job_of(run: Run, language_model: CausalLM, *, checkpoints: Checkpoints, listener: Listener) -> Job:
    """What the loop needs of a run."""
    train, engine = run.recipe.train, run.engine
    return Job(
        language_model=language_model,
        plan=engine.plan,
        held_out=engine.held_out,
        section=train,
        total_steps=engine.total_steps,
        eval_every=train.eval_steps or engine.plan.steps_per_epoch,
        save_every=train.save_steps or engine.plan.steps_per_epoch,
        seed=run.recipe.seed,
        checkpoints=checkpoints,
        write_model=run.write_model,
        listener=listener,
        source_of_row=run.prepared.source_of_row if len(run.prepared.shares) > 1 else np.zeros(0, dtype=np.int64),
    )


def _halvings(run: Run, job: Job, *, done: int, terminal: Terminal) -> int:
    """Rehearse what is long, and what leaves the size of its batches to us: how often they are halved to fit.

    Raises:
        TrainingError: memory or disk will not do.
    """
    limit = memory_limit(run.recipe, run.engine)
    if job.total_steps - done < REHEARSED and limit is None:
        return 0
    rehearsed = rehearse(replace(job, language_model=run.engine.language_model), timed_steps=1, memory_gib=limit)
    expected = forecast(job, rehearsed, done=done, others={})
    refuse_what_will_not_do(expected, Path(run.recipe.output_dir))
    terminal.say(
        f"forecast: {in_words(expected.seconds)} of training, {expected.peak_gib:.2f} GiB of memory at least, "
        f"{expected.disk_gib:.2f} GiB of disk at most"
    )
    return expected.halvings


def _write_final(run: Run, checkpoints: Checkpoints, outcome: Outcome, *, terminal: Terminal) -> None:
    """`model/`, written whole or not at all, with its manifest."""
    recipe, engine, output = run.recipe, run.engine, Path(run.recipe.output_dir)
    best = outcome.state.best_step
    if recipe.train.load_best_model_at_end and best is not None:
        if problem := problem_of(checkpoints.path(best)):
            terminal.note(f"{checkpoints.path(best)} is broken ({problem}): model/ holds the last weights")
        else:
            restoring.restore(engine.model, checkpoints.path(best))
    dtype, work = stored_dtype(recipe), output / ".model.tmp"
    if recipe.train.method == "freeze":
        freezing.give_back_frozen(engine.model, recipe.model, dtype=dtype)
    shutil.rmtree(work, ignore_errors=True)
    try:
        with writing("the finished model", output / "model", remedy="make room, then train with --resume"):
            run.write_model(work, dtype=dtype)
            seal(work)
            put_in_place(work, output / "model")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _listener(run: Run, *, done: int, update: Update, terminal: Terminal) -> Listeners | Silence:
    """Who hears of the steps: one process writes, the others are silent."""
    if distributed.rank() > 0:
        return Silence()
    output = Path(run.recipe.output_dir)
    metrics = MetricsLog(
        output,
        done=done,
        logging_steps=run.recipe.train.logging_steps,
        update=update,
        note=terminal.note,
        sources=[share.name for share in run.prepared.shares],
    )
    rows = RowLog(output, done=done, steps_per_epoch=run.engine.plan.steps_per_epoch)
    heap = (Heap(),) if run.engine.language_model.device.type == "cpu" else ()
    return Listeners(metrics, rows, *heap)


def _checkpoints(recipe: Recipe, prepared: Prepared) -> Checkpoints:
    folder = Path(recipe.output_dir) / "checkpoints"
    return Checkpoints(folder, keep=recipe.train.save_total_limit, fingerprint=fingerprint(recipe, prepared))
