"""Whether the outputs of frozen layers are kept across epochs: where it is exact and cheaper, and told either way."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tutelage.model.causal_lm import CausalLM
from tutelage.model.trunk import Form, KeptTrunk, Trunk, TrunkStore, forget, is_there, trunk_of
from tutelage.recipe import Recipe
from tutelage.run.engine import Engine
from tutelage.terminal import Terminal
from tutelage.training import distributed
from tutelage.training.trunk_law import forward_seconds, replay_problem

FREE_SHARE = 0.5  # of the free disk may be taken


@contextmanager
def keeping_trunk(engine: Engine, recipe: Recipe, *, resume: bool, terminal: Terminal) -> Iterator[CausalLM]:
    """The language model that the loop trains, with the outputs of its frozen layers kept in the output folder where
    that is exact and cheaper. The files go when the block ends; after an error they stay, for `resume`."""
    trunk = _trunk_to_keep(engine, recipe, terminal)
    kept = None if trunk is None else _kept(engine, Path(recipe.output_dir), trunk, resume=resume, terminal=terminal)
    if kept is None:
        yield engine.language_model
        return
    with closing(kept.store):
        yield replace(engine.language_model, trunk=kept)
    forget(Path(recipe.output_dir))


def _trunk_to_keep(engine: Engine, recipe: Recipe, terminal: Terminal) -> Trunk | None:
    """The frozen layers, if their outputs stay the same and are asked for more than once."""
    if recipe.train.method != "freeze" or recipe.freeze.cache_trunk == "never":
        return None
    trunk = trunk_of(engine.language_model.model)
    if trunk is None:
        why = "the embeddings or a weight of the first layer are trained"
    elif recipe.train.neftune_noise_alpha > 0:
        why = "train.neftune_noise_alpha gives them another input each time"
    elif engine.total_steps <= engine.plan.steps_per_epoch:
        why = "every row is seen only once"
    elif distributed.world_size() > 1:
        why = "several processes would each have to keep all of them"
    else:
        return trunk
    terminal.say(f"the outputs of the frozen layers are not kept: {why}")
    return None


def _kept(engine: Engine, folder: Path, trunk: Trunk, *, resume: bool, terminal: Terminal) -> KeptTrunk | None:
    """The trunk with its store in the output folder. What a run once decided holds when it is resumed: its batches are
    then computed from the same numbers."""
    if resume and not is_there(folder):
        return None
    with tempfile.TemporaryDirectory(prefix=".trunk-", dir=folder) as scratch:
        trial = _try(engine, trunk, Path(scratch))
    lengths = _lengths(engine)
    needed, free = sum(lengths.values()) * trial.form.bytes_per_token, shutil.disk_usage(folder).free
    why = trial.problem or ("" if resume else _too_dear(trial, needed=needed, free=free))
    sizes = f"{_in_words(needed)}, {_in_words(free)} free"
    if why:
        terminal.note(f"the outputs of {trunk.depth} frozen layers are not kept: {why} ({sizes})")
        return None
    if not resume:
        forget(folder)
    terminal.say(
        f"the outputs of {trunk.depth} frozen layers are kept in {folder} for later epochs ({sizes}): "
        f"a forward pass takes {trial.reading:.3g} s with them and {trial.computing:.3g} s without"
    )
    return KeptTrunk(trunk, trial.form, TrunkStore(folder, lengths, form=trial.form))


@dataclass(frozen=True)
class _Trial:
    """What one batch showed.

    Attributes:
        problem: why kept outputs must not be used.
        computing, reading: seconds of a forward pass with the trunk computed, and with its outputs read from the disk.
    """

    form: Form
    problem: str | None
    computing: float
    reading: float


def _try(engine: Engine, trunk: Trunk, scratch: Path) -> _Trial:
    """Keep one batch in a folder of its own: is it exact, is it faster?"""
    plan = engine.plan
    batch = plan.batch(range(1 if plan.packed else min(2, len(plan.packs)))).to(engine.language_model.device)
    form = trunk.form(lambda: engine.language_model.loss_sum(batch))
    lengths = dict(zip(batch.examples, batch.row_lengths, strict=True))
    with closing(TrunkStore(scratch, lengths, form=form)) as store:
        kept = replace(engine.language_model, trunk=KeptTrunk(trunk, form, store))
        problem = replay_problem(kept, batch)
        computing = forward_seconds(engine.language_model, batch)
        reading = forward_seconds(kept, batch) + _disk_seconds(scratch, batch.tokens * form.bytes_per_token)
    return _Trial(form, problem, computing, reading)


def _too_dear(trial: _Trial, *, needed: int, free: int) -> str:
    """Why keeping does not pay; empty where it does."""
    if needed > FREE_SHARE * free:
        return f"they would take more than {FREE_SHARE:.0%} of the free disk"
    if trial.reading >= trial.computing:
        return f"a forward pass would take {trial.reading:.3g} s with them, and takes {trial.computing:.3g} s without"
    return ""


def _in_words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _disk_seconds(folder: Path, size: int) -> float:
    """Seconds in which so many bytes are read from the disk itself, where the system lets us ask for that."""
    file = folder / "probe"
    with file.open("wb") as probe:
        probe.write(os.urandom(size))
        os.fsync(probe.fileno())
        if sys.platform == "linux":
            os.posix_fadvise(probe.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    file.read_bytes()
    return time.perf_counter() - started


def _lengths(engine: Engine) -> dict[int, int]:
    """Example -> tokens, for every example of the run."""
    plans = [plan for plan in (engine.plan, engine.held_out) if plan is not None]
    lengths = engine.plan.store.lengths
    return {number: int(lengths[number]) for plan in plans for one in plan.packs for number in one.examples}
