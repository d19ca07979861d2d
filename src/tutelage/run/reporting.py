"""From a finished run to the content of its report."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage import data
from tutelage.evaluation.comparison import Comparison
from tutelage.recipe import Recipe
from tutelage.report import content, evaluation_page, page
from tutelage.run.assemble import Speech
from tutelage.run.evidence import evidence_of, short_names
from tutelage.run.lessons import lessons
from tutelage.run.metrics import read_metrics
from tutelage.run.origin import origin
from tutelage.run.prepare import IDENTICAL, Prepared
from tutelage.run.readback import BatchReader, ReadBatch, ReadRow, count_roles
from tutelage.run.rows import RowReader
from tutelage.tokens.batches import BatchPlan
from tutelage.training.loop import Outcome

SAMPLE_ROWS, SAMPLE_TOKENS = 12, 2500  # of the first batch, shown in colour
LONGEST_SAMPLE = 700  # tokens of one row; the middle of longer ones is left out
_BINS = 40


@dataclass(frozen=True)
class Finished:
    """A run that has ended, with all that its report speaks of.

    Attributes:
        plan: the batches that it was trained on.
        comparisons: of each suite that was asked.
        told: what a judge said, in sentences.
    """

    recipe: Recipe
    spoken: Speech
    prepared: Prepared
    plan: BatchPlan
    outcome: Outcome
    comparisons: tuple[Comparison, ...]
    told: tuple[str, ...] = ()


def write_report(output: Path, run: Finished) -> Path:
    """Write `report.html` and `report.json` into the run's folder; the path of the first."""
    rows = RowReader(run.prepared.store.folder)
    batch = BatchReader(run.plan, run.spoken, conversation=rows.__getitem__).first()
    report = content.Report(
        model=run.recipe.model.name_or_path,
        data=tuple(source.path for source in run.recipe.data.sources),
        template=run.spoken.template.name,
        training=_training(run, read_metrics(output)),
        evidence=evidence_of(run.comparisons, max_new_tokens=run.recipe.evaluate.max_new_tokens),
        first_batch=first_batch(batch),
        samples=tuple(samples(batch)),
        ledger=_ledger(run.prepared, run.spoken),
        origin=origin(run.recipe, _again(run.recipe, output)),
        data_map=lessons(output, rows),
        told=run.told,
    )
    return page.write(report, output)


def write_evaluation_report(
    output: Path,
    recipe: Recipe,
    *,
    models: Sequence[str],
    comparisons: Sequence[Comparison],
    told: Sequence[str],
) -> Path:
    """Write the report of models on suites into a folder; the path of its page.

    Args:
        told: sentences beside the scores.
    """
    verb = "evaluate" if len(models) == 1 else "compare"
    asked = [f"--suite={name}" for name in recipe.evaluate.suites]
    asked += [f"--data={source.path}" for source in recipe.data.sources]
    questions = f"--questions={recipe.evaluate.num_questions}"
    command = shlex.join(["tutelage", verb, *models, *asked, questions, f"--output={output}-again"])
    names = short_names(models)
    suites = evidence_of(comparisons, max_new_tokens=recipe.evaluate.max_new_tokens)
    placed = tuple((names[model], model) for model in models)
    return evaluation_page.write(content.Evaluation(placed, suites, origin(recipe, command), tuple(told)), output)


def _training(run: Finished, metrics: Sequence[dict[str, Any]]) -> content.Training:
    state = run.outcome.state
    method, weights = _method(run.recipe)
    return content.Training(
        method=method,
        weights=weights,
        steps=state.step,
        epochs=state.step / run.plan.steps_per_epoch,
        tokens=state.tokens,
        trained_tokens=state.trained_tokens,
        seconds=run.outcome.seconds,
        speed=run.outcome.speed,
        packed=run.plan.packed,
        stopped_early=run.outcome.stopped_early,
        curves=curves(metrics),
        kept_best=run.recipe.train.load_best_model_at_end and state.best_step is not None,
        skipped=run.outcome.skipped,
    )


def _method(recipe: Recipe) -> tuple[str, str]:
    """How it was trained, and which weights."""
    match recipe.train.method:
        case "full":
            return "full", "all weights"
        case "freeze":
            return "freeze", "; ".join(
                (f"last {recipe.freeze.trainable_layers} layers", *recipe.freeze.trainable_modules)
            )
        case "lora":
            return "LoRA", f"r {recipe.lora.r}, alpha {recipe.lora.lora_alpha:g}"


def curves(metrics: Sequence[dict[str, Any]]) -> content.Curves:
    """Curves from the lines of metrics.jsonl. A resumed run repeats steps after its checkpoint: the last one counts."""
    steps = {int(line["step"]): line for line in metrics if "loss" in line}
    held_out = {int(line["step"]): line["eval_loss"] for line in metrics if "eval_loss" in line}
    lines = [steps[step] for step in sorted(steps)]
    return content.Curves(
        step=tuple(sorted(steps)),
        loss=tuple(line["loss"] for line in lines),
        learning_rate=tuple(line["learning_rate"] for line in lines),
        tokens_per_s=tuple(line["tokens_per_s"] for line in lines),
        grad_norm=tuple(line["grad_norm"] for line in lines),
        held_out=tuple(sorted(held_out.items())),
        sources=_by_name(lines, "source_losses"),
        scores=_by_name(metrics, "scores"),
    )


def _by_name(lines: Sequence[dict[str, Any]], key: str) -> tuple[tuple[str, content.Points], ...]:
    """Name -> (step, value) in the order of the steps, of lines that hold several values by name."""
    found: dict[str, dict[int, float]] = {}
    for line in lines:
        for name, value in line.get(key, {}).items():
            found.setdefault(name, {})[int(line["step"])] = value
    return tuple((name, tuple(sorted(points.items()))) for name, points in found.items())


def first_batch(batch: ReadBatch) -> content.FirstBatch:
    """How the rows of a batch stand in it, and how many tokens of each role are trained."""
    sequences = (
        content.SampleSequence(
            rows[0].sequence, tuple(row.row for row in rows), sum(len(row.token_ids) for row in rows)
        )
        for rows in batch.sequences()
    )
    padding = batch.positions - batch.tokens
    return content.FirstBatch(tuple(sequences), batch.tokens, padding, batch.room, _roles(batch.rows))


def samples(batch: ReadBatch) -> Iterator[content.Sample]:
    """The first rows of a batch, token by token, as they were read from the tensors that the model gets."""
    room = SAMPLE_TOKENS
    for number, row in enumerate(batch.rows[:SAMPLE_ROWS]):
        length = len(row.token_ids)
        if number and min(length, LONGEST_SAMPLE) > room:
            continue
        room -= min(length, LONGEST_SAMPLE)
        yield content.Sample(
            row=row.row,
            place=str(row.source),
            sequence=row.sequence,
            offset=row.offset,
            tokens=_without_middle(_tokens(row)),
            length=length,
            trained=sum(row.trained),
            roles=_roles([row]),
        )


def _roles(rows: Sequence[ReadRow]) -> tuple[content.RoleCount, ...]:
    return tuple(content.RoleCount(one.role, one.trained, one.seen) for one in count_roles(rows))


def _tokens(row: ReadRow) -> list[content.Token]:
    columns = zip(row.token_ids, row.positions, row.pieces, row.weights, row.control, row.roles, strict=True)
    return [content.Token(*values) for values in columns]


def _without_middle(tokens: Sequence[content.Token]) -> tuple[content.Token, ...]:
    half = LONGEST_SAMPLE // 2
    return tuple(tokens) if len(tokens) <= LONGEST_SAMPLE else (*tokens[:half], *tokens[-half:])


def _ledger(prepared: Prepared, spoken: Speech) -> content.Ledger:
    ledger, store = prepared.ledger, prepared.store
    halves = Counter(entry.split for entry in ledger.entries() if entry.state != "dropped")
    return content.Ledger(
        rows=ledger.rows,
        used=ledger.count("used"),
        shortened=ledger.count("shortened"),
        dropped=ledger.count("dropped"),
        reasons=tuple(_reasons(ledger)),
        formats=prepared.formats,
        notes=tuple((note, count) for note, count in prepared.notes.items() if note != IDENTICAL),
        identical=prepared.notes.get(IDENTICAL, 0),
        train_rows=halves["train"],
        eval_rows=halves["eval"],
        tokens=int(store.lengths[prepared.train].sum()),
        trained_tokens=store.trained_tokens(prepared.train),
        lengths=_lengths(np.asarray(store.lengths), spoken.max_length),
    )


def _reasons(ledger: data.Ledger) -> Iterator[content.Reason]:
    for state in ("dropped", "shortened"):
        for reason, count in ledger.reasons(state).items():
            first = ledger.first(reason, state)
            yield content.Reason(state, reason, count, str(first.place), first.detail)


def _lengths(lengths: np.ndarray, max_length: int) -> content.Lengths:
    longest = int(lengths.max())
    width = max(1, -(-longest // _BINS))
    edges = np.arange(0, longest + width + 1, width)
    counts, _ = np.histogram(lengths, bins=edges)
    median = int(np.median(lengths))
    return content.Lengths(tuple(map(float, edges)), tuple(map(int, counts)), median, longest, max_length)


def _again(recipe: Recipe, output: Path) -> str:
    """The command that makes the run again, beside it."""
    again = shlex.quote(f"{recipe.output_dir}-again")
    return f"tutelage train {shlex.quote(str(output / 'recipe.yaml'))} --set output_dir={again}"
