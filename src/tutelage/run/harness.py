"""Tasks of EleutherAI's lm-evaluation-harness, run by its own code on a model that Tutelage has loaded."""

import copy
import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tutelage.errors import DataError, MissingExtra, ModelError, RecipeError
from tutelage.model import vocabulary
from tutelage.recipe import ModelSection
from tutelage.run.allocator import give_back_freed_memory
from tutelage.run.answering import load_for_answers
from tutelage.run.assemble import Speech
from tutelage.terminal import Terminal

_INCLUDE = re.compile(r"^include:\s*['\"]?([^'\"\n#]+)", re.MULTILINE)
_NO_FILTER = ",none"


@dataclass(frozen=True, slots=True)
class HarnessTasks:
    """What is asked of a model.

    Attributes:
        names: of tasks, groups or tags.
        folder: YAML files of tasks that are looked up first; None: only the harness's own.
        limit: first items of each task; None: all.
        chat: the prompts are turns of the chat template, with its system message; else plain text, as base models are
            asked.
        batch_size: items computed together.
    """

    names: tuple[str, ...]
    folder: str | None = None
    limit: int | None = None
    chat: bool = False
    batch_size: int = 8


def harness_tasks(names: Sequence[str] | None, folder: str | None, *, limit: int | None) -> HarnessTasks | None:
    """The tasks that a command line names; None where it names none.

    Raises:
        RecipeError: a folder of tasks without the name of one.
    """
    if names:
        return HarnessTasks(tuple(names), folder, limit)
    if folder is not None:
        raise RecipeError("a folder of tasks, but no task", code="recipe-value", expected="--task NAME")
    return None


@dataclass(frozen=True, slots=True)
class TaskScores:
    """What the harness says of a model on a task or a group of them.

    Attributes:
        metrics: name -> value; with the name of the harness's filter where it has one (`exact_match,strict-match`).
        items: metric -> score of each item, in the order of the data; only of metrics that are means of numbers. Of two
            models, those in [0, 1] go to `statistics.compare_paired`.
    """

    metrics: Mapping[str, float]
    items: Mapping[str, tuple[float, ...]]


def harness(
    model: ModelSection, tasks: HarnessTasks, *, spoken: Speech, terminal: Terminal | None = None
) -> dict[str, TaskScores]:
    """Task or group -> scores of a model, as the harness computes them. What it warns of is told.

    Python code beside the tasks of a folder runs only where `model.trust_remote_code` names the folder, and templates
    of tasks run in a sandbox. Tasks that execute what a model writes are refused.

    Raises:
        MissingExtra: the harness is not installed.
        DataError: no such task, one that fails on a row, or its data is not to be had (offline: not in the cache).
        ModelError: the model cannot be loaded, or the folder holds code.
    """
    terminal = terminal or Terminal(quiet=True)
    lm_eval = _imported()
    if tasks.folder is not None:
        _refuse_code(Path(tasks.folder), trusted=model.trust_remote_code)
    with _sandboxed(lm_eval), _told(terminal):
        built, manager = _loaded(lm_eval, tasks)
        loaded = load_for_answers(model)
        vocabulary.add_missing_rows(loaded, spoken.tokenizer.new_ids)
        wrapped = _wrapped(lm_eval, loaded, spoken=spoken, batch_size=tasks.batch_size)
        try:
            found = lm_eval.simple_evaluate(
                wrapped,
                tasks=built,
                task_manager=manager,
                limit=tasks.limit,
                bootstrap_iters=0,
                apply_chat_template=tasks.chat,
                system_instruction=spoken.policy.system if tasks.chat else None,
            )
        except (TemplateError, LookupError, TypeError, ValueError) as error:
            raise _failed(", ".join(tasks.names), error) from error
    del loaded
    give_back_freed_memory()
    return {name: _scores(told, found["samples"].get(name, [])) for name, told in found["results"].items()}


def _imported() -> Any:
    try:
        import lm_eval
        import lm_eval.models.huggingface
        import lm_eval.tasks
        import lm_eval.utils
    except ImportError as error:
        raise MissingExtra("lm-eval", "bench") from error
    return lm_eval


def _refuse_code(folder: Path, *, trusted: Sequence[str]) -> None:
    """Refuse tasks that would run Python code, unless the user trusts their folder by its name."""
    if not folder.is_dir():
        raise DataError("there is no such folder", code="suite", place=str(folder), expected="YAML files of tasks")
    if str(folder) in trusted:
        return
    for file in sorted(folder.rglob("*.y*ml")):
        text = file.read_text(encoding="utf-8", errors="replace")
        above = (place for place in _INCLUDE.findall(text) if not _within(folder, file.parent / place.strip()))
        found = "!function" if "!function" in text else next(above, None)
        if found is not None:
            raise ModelError(
                f"the task would run Python code, or read a file outside of its folder: {found}",
                code="foreign-code",
                place=str(file),
                remedy=f"read it; if you trust it: --set 'model.trust_remote_code=[{folder}]'",
            )


def _within(folder: Path, file: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


@contextmanager
def _sandboxed(lm_eval: Any) -> Iterator[None]:
    """The harness renders the templates of tasks in an environment that lets them call anything; ours does not."""
    own = lm_eval.utils.env
    lm_eval.utils.env = ImmutableSandboxedEnvironment(
        undefined=own.undefined, keep_trailing_newline=own.keep_trailing_newline
    )
    lm_eval.utils.env.filters.update(own.filters)
    try:
        yield
    finally:
        lm_eval.utils.env = own


@contextmanager
def _told(terminal: Terminal) -> Iterator[None]:
    """The harness's warnings as notes, each once; what it says beside them is left out."""
    logger, handler = logging.getLogger("lm_eval"), _Notes(terminal)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Notes(logging.Handler):
    """Writes log records as notes of the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal, self._seen = terminal, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a record, unless it was told before. That a loaded model is passed is what we want."""
        text = f"lm-eval: {record.getMessage()}"
        if text not in self._seen and "`pretrained`" not in text:
            self._terminal.note(text)
        self._seen.add(text)


def _loaded(lm_eval: Any, tasks: HarnessTasks) -> tuple[list[Any], Any]:
    """The tasks with their data, and who made them. The harness's own, thousands, are read only where the folder does
    not have all: that takes a while."""
    manager = lm_eval.tasks.TaskManager(include_path=tasks.folder, include_defaults=False)
    if not set(tasks.names) <= set(manager.all_tasks):
        manager = lm_eval.tasks.TaskManager(include_path=tasks.folder)
    for name in tasks.names:
        if name not in manager.all_tasks:
            near = difflib.get_close_matches(name, manager.all_tasks, n=3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "python -m lm_eval ls tasks"
            raise DataError(f"no task is called {name!r}", code="suite", place=tasks.folder or "lm-eval", remedy=remedy)
    return [one for name in tasks.names for one in _built(manager, name)], manager


def _built(manager: Any, name: str) -> list[Any]:
    try:
        loaded = manager.load([name])
    except yaml.YAMLError as error:
        raise DataError(f"the task is not valid YAML: {error}", code="suite", place=name) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"the data of the task cannot be had: {_in_a_line(error)}",
            code="no-such-data",
            place=name,
            expected="data that is in the cache, on this machine, or on a Hub that can be reached",
            remedy="fetch it once with a connection (HF_HUB_OFFLINE unset), or name local files in the task",
        ) from None
    except Exception as error:  # a task may fail in any way of its template, of its code, or of the harness
        raise _failed(name, error) from error
    unsafe = next((key for key, task in loaded["tasks"].items() if task.get_config("unsafe_code")), None)
    if unsafe is not None:
        raise DataError(
            f"the task {unsafe} runs what a model writes", code="suite", place=name, expected="another task"
        )
    return [*loaded["groups"].values()] or [*loaded["tasks"].values()]


def _failed(name: str, error: Exception) -> DataError:
    found = f"the task fails: {_in_a_line(error)}"
    return DataError(found, code="suite", place=name, expected="a task whose templates fit every row of its data")


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _wrapped(lm_eval: Any, loaded: Any, *, spoken: Speech, batch_size: int) -> Any:
    """The model as the harness calls it, with our template in a tokenizer of its own."""
    tokenizer = copy.deepcopy(spoken.tokenizer.wrapped)
    tokenizer.chat_template = spoken.template.source
    return lm_eval.models.huggingface.HFLM(
        pretrained=loaded,
        tokenizer=tokenizer,
        batch_size=batch_size,
        max_length=spoken.context,
        chat_template_args=dict(spoken.template.arguments),
    )


def _scores(told: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> TaskScores:
    metrics = {
        key.removesuffix(_NO_FILTER): float(value)
        for key, value in told.items()
        if "," in key and "_stderr" not in key and not isinstance(value, str)
    }
    ordered = sorted(samples, key=lambda sample: int(sample["doc_id"]))
    items: dict[str, list[float]] = {}
    for sample in ordered:
        for metric in sample["metrics"]:
            name = f"{metric},{sample['filter']}".removesuffix(_NO_FILTER)
            if isinstance(sample[metric], int | float):
                items.setdefault(name, []).append(float(sample[metric]))
    return TaskScores(metrics, {name: tuple(scores) for name, scores in items.items()})
