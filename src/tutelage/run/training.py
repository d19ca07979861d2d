"""The verb train: from a recipe to a tuned model with its evidence, in one output folder.

The folder holds recipe.yaml, ledger.jsonl, questions.jsonl (those held out and asked), metrics.jsonl, tensorboard/,
checkpoints/, model/, comparison.json (every answer), result.json, report.html and report.json.
"""

import json
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from tutelage import recipe as recipes
from tutelage.evaluation.comparison import Comparison
from tutelage.model import freezing, loading, restoring, saving
from tutelage.recipe import Recipe
from tutelage.records import Question, Speed
from tutelage.run.answering import answers_of, write_comparison, write_questions
from tutelage.run.assemble import Speech, speech
from tutelage.run.device import refuse_what_it_cannot
from tutelage.run.engine import Engine, build_engine, stored_dtype
from tutelage.run.folder import claim
from tutelage.run.kept_trunk import keeping_trunk
from tutelage.run.metrics import MetricsLog, Silence
from tutelage.run.prepare import Prepared, prepare
from tutelage.run.reporting import Finished, write_report
from tutelage.terminal import Terminal, Update
from tutelage.training import distributed
from tutelage.training.checkpoint import Checkpoints
from tutelage.training.loop import Job, Outcome, fit
from tutelage.training.meter import measured_peak


@dataclass(frozen=True)
class TrainResult:
    """What a run did.

    Attributes:
        comparison: answers before and after; None where no questions were asked.
    """

    output_dir: Path
    outcome: Outcome
    prepared: Prepared
    comparison: Comparison | None

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
            "tokens": state.tokens,
            "trained_tokens": state.trained_tokens,
            "seconds": round(seconds, 2),
            **(asdict(self.outcome.speed) if self.outcome.speed else {field.name: None for field in fields(Speed)}),
            "loss": {"first": losses[0], "last": losses[-1]} if losses else None,
            "eval_loss": {"best": state.best_loss, "step": state.best_step},
            "stopped_early": self.outcome.stopped_early,
            "report": str(self.report),
        }
        return figures | (self.comparison.summary() if self.comparison else {})


def train(recipe: Recipe, *, terminal: Terminal | None = None, resume: bool = False) -> TrainResult:
    """Fine-tune as the recipe says, ask the same held-out questions before and after, and write the report.

    Args:
        terminal: where people read; unset: stdout.
        resume: go on from the newest checkpoint in the output folder.

    Raises:
        TutelageError: anything that the user can mend; what can be known before training is told before training.
    """
    distributed.start()
    is_main = distributed.rank() == 0
    terminal = terminal if terminal is not None and is_main else Terminal(quiet=not is_main)
    refuse_what_it_cannot(recipe.train)
    spoken = speech(recipe)
    with distributed.main_first():
        prepared = prepare(recipe, spoken, terminal=terminal)
    tell_prepared(prepared, spoken, terminal=terminal)
    engine = build_engine(recipe, spoken, prepared=prepared, terminal=terminal)
    if resume:
        _checkpoints(recipe, prepared).newest()  # a mismatch is told before anything of the old run is written over
    output = Path(recipe.output_dir)
    questions: list[Question] = []
    with distributed.main_first():
        if is_main:
            claim(recipe, resume=resume, terminal=terminal)
            prepared.ledger.write(output / "ledger.jsonl")
            (output / "recipe.yaml").write_text(recipes.dump(recipe), encoding="utf-8")
            questions = prepared.questions(count=recipe.evaluate.num_questions, seed=recipe.seed)
            write_questions(questions, output / "questions.jsonl")
    ask = partial(answers_of, questions=questions, spoken=spoken, section=recipe.evaluate, terminal=terminal)
    before = ask("base", recipe.model)
    outcome = _run_loop(recipe, spoken, prepared, engine, terminal=terminal, resume=resume)
    plan = engine.plan
    del engine  # its memory is the tuned model's now
    tuned = recipe.model.model_copy(update={"name_or_path": str(output / "model"), "revision": None})
    after = ask("tuned", tuned)
    comparison = Comparison(questions, ("base", "tuned"), {"base": before, "tuned": after}) if questions else None
    if comparison is not None:
        write_comparison(comparison, output / "comparison.json")
    result = TrainResult(output, outcome, prepared, comparison)
    if is_main:
        write_report(output, Finished(recipe, spoken, prepared, plan, outcome, comparison))
        text = json.dumps(result.summary(), indent=1, ensure_ascii=False)
        (output / "result.json").write_text(text, encoding="utf-8")
    return result


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


def _run_loop(
    recipe: Recipe,
    spoken: Speech,
    prepared: Prepared,
    engine: Engine,
    *,
    terminal: Terminal,
    resume: bool,
) -> Outcome:
    """Train, then write `model/` with the last or the best weights, in the dtype that the base came in."""

    def write_model(folder: Path) -> None:
        saving.save_model(engine.model, folder, stop_ids=spoken.stop_ids)
        saving.save_tokenizer(spoken.tokenizer, folder, chat_template=spoken.template.source)

    output = Path(recipe.output_dir)
    checkpoints = _checkpoints(recipe, prepared)
    start = checkpoints.newest() if resume else None
    if start is not None:
        restoring.restore(engine.model, start[0])
        terminal.say(f"resuming after step {start[1].step} from {start[0]}")
    done = start[1].step if start else 0
    with (
        terminal.progress("training", engine.total_steps, start=done) as update,
        closing(_listener(output, recipe, done=done, update=update)) as log,
        keeping_trunk(engine, recipe, resume=resume, terminal=terminal) as language_model,
    ):
        job = Job(
            language_model=language_model,
            plan=engine.plan,
            held_out=engine.held_out,
            section=recipe.train,
            total_steps=engine.total_steps,
            eval_every=recipe.train.eval_steps or engine.plan.steps_per_epoch,
            save_every=recipe.train.save_steps or engine.plan.steps_per_epoch,
            seed=recipe.seed,
            checkpoints=checkpoints,
            write_model=write_model,
            listener=log,
            peak_flops_per_s=measured_peak(engine.language_model.device, engine.language_model.compute_dtype),
        )
        outcome = fit(job, resume_from=start)
    if outcome.skipped:
        terminal.note(f"{outcome.skipped} steps changed no weight: their gradients, scaled for fp16, were too large")
    if recipe.train.load_best_model_at_end and outcome.state.best_step is not None:
        restoring.restore(engine.model, checkpoints.path(outcome.state.best_step))
    if distributed.rank() > 0:
        return outcome
    dtype = stored_dtype(recipe)
    if recipe.train.method == "freeze":
        freezing.give_back_frozen(engine.model, recipe.model, dtype=dtype)
    saving.save_model(engine.model, output / "model", stop_ids=spoken.stop_ids, dtype=dtype)
    saving.save_tokenizer(spoken.tokenizer, output / "model", chat_template=spoken.template.source)
    return outcome


def _listener(output: Path, recipe: Recipe, *, done: int, update: Update) -> MetricsLog | Silence:
    """Who hears of the steps: one process writes, the others are silent."""
    if distributed.rank() > 0:
        return Silence()
    return MetricsLog(output, done=done, logging_steps=recipe.train.logging_steps, update=update)


def _checkpoints(recipe: Recipe, prepared: Prepared) -> Checkpoints:
    folder = Path(recipe.output_dir) / "checkpoints"
    return Checkpoints(folder, keep=recipe.train.save_total_limit, fingerprint=_fingerprint(recipe, prepared))


def _fingerprint(recipe: Recipe, prepared: Prepared) -> dict[str, Any]:
    """What must be the same for a run to go on: recipe (but for its output folder), data, model files."""
    place = Path(loading.locate(recipe.model.name_or_path))
    weights = sorted(place.glob("*.safetensors")) if place.is_dir() else []
    sizes = [f"{file.name}: {file.stat().st_size} bytes" for file in weights]
    decisive = {key: value for key, value in recipes.flat(recipe).items() if key != "output_dir"}
    return {
        **decisive,
        "data and tokens": prepared.store.digest[:16],
        "processes": distributed.world_size(),
        "model files": sizes,
    }
