"""The command line: parse, call, print. No logic lives here."""

import io
import json
import shlex
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tutelage import recipe as recipes
from tutelage.errors import Stopped, TutelageError, redacted
from tutelage.machine.examination import OUTPUT
from tutelage.machine.start import examine_and_show
from tutelage.recipe import Recipe
from tutelage.run.chatting import chat as run_chat
from tutelage.run.comparing import show_comparison
from tutelage.run.curating.cleaning import clean as run_clean
from tutelage.run.curating.cleaning import show_cleaned
from tutelage.run.curating.mixing import mix as run_mix
from tutelage.run.curating.mixing import show_mixed
from tutelage.run.curating.selecting import By, Wanted, show_selected
from tutelage.run.curating.selecting import select_rows as run_select
from tutelage.run.curating.workers import Workers
from tutelage.run.demo import demo as run_demo
from tutelage.run.diagnosis import show_diagnosis
from tutelage.run.doctoring import doctor as run_doctor
from tutelage.run.evaluating import Evaluated
from tutelage.run.evaluating import compare as run_compare
from tutelage.run.evaluating import evaluate as run_evaluate
from tutelage.run.forecast import show_forecast
from tutelage.run.harness import harness_tasks
from tutelage.run.initialising import init as run_init
from tutelage.run.inspecting import inspect as run_inspect
from tutelage.run.inspecting import show_inspection
from tutelage.run.preflighting import preflight as run_preflight
from tutelage.run.previewing import preview as run_preview
from tutelage.run.previewing import show_preview
from tutelage.run.rebuilding import rebuild as run_rebuild
from tutelage.run.stopping import terminate_like_ctrl_c
from tutelage.run.training import train as run_train
from tutelage.terminal import Terminal

app = typer.Typer(
    name="tutelage",
    help="Supervised fine-tuning with evidence: what was trained, what improved, what was forgotten.",
    epilog="Any verb takes --debug for a traceback. Exit codes: 0 done, 1 refused or failed, 2 usage, 130 stopped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="Look at data before training on them.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line of stdout.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as train.learning_rate=1e-4.")
]
Data = Annotated[list[str], typer.Option("--data", help="File, folder, glob or Hub id; repeat for several.")]
Model = Annotated[str, typer.Option("--model", help="Model folder, Hub id, or pupil.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Processes that work; unset: one per processor core.")]
Ray = Annotated[str | None, typer.Option("--ray", metavar="ADDRESS", help="A Ray cluster works; `local` starts one.")]
Template = Annotated[str | None, typer.Option("--template", help="Library name or Jinja file.")]
Suites = Annotated[list[str] | None, typer.Option("--suite", help="Bundled suite or file of questions; repeat.")]
Rows = Annotated[list[str] | None, typer.Option("--data", help="Ask the questions of these rows; repeat for several.")]
Metric = Annotated[str | None, typer.Option("--metric", help="How answers to rows are scored, as f1 or numeric.")]
Questions = Annotated[int, typer.Option(min=1, help="At most so many questions of each suite.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Task of lm-evaluation-harness; repeat for several.")]
TaskFolder = Annotated[str | None, typer.Option(help="Folder with the YAML files of more tasks.")]
Answers = Annotated[str | None, typer.Option("--output", help="Folder for answers, scores and report.")]


@app.command()
def demo(
    json: Json = False,
    output: Annotated[str, typer.Option(help="Folder of the run; an earlier demo in it is replaced.")] = "runs/demo",
) -> None:
    """Train the bundled model in about a minute and see it follow instructions: [bold]tutelage demo[/bold]."""
    terminal = Terminal(json=json)
    _finish(run_demo(output=output, terminal=terminal).summary(), json)


@app.command()
def init(
    data: Annotated[str, typer.Option("--data", help="File, folder, glob or Hub id.")],
    model: Model = "pupil",
    output: Annotated[str, typer.Option(help="Where the recipe is written.")] = "recipe.yaml",
    json: Json = False,
) -> None:
    """Write a commented recipe for your data: [bold]tutelage init --data rows.jsonl[/bold]."""
    terminal = Terminal(json=json)
    path = run_init(data, model=model, output=output, terminal=terminal)
    terminal.say(f"{path} is written; next: ", (f"tutelage train {path}", "bold"))
    _finish({"recipe": str(path)}, json)


@data_app.command("inspect")
def data_inspect(
    data: Data,
    model: Annotated[str | None, typer.Option("--model", help="Count tokens and render as this model would.")] = None,
    template: Template = None,
    rows: Annotated[int, typer.Option(min=0, help="How many of the first rows are shown.")] = 5,
    set_: Set = None,
    json: Json = False,
) -> None:
    """First rows, format, lengths, and what is unusable: [bold]tutelage data inspect --data rows.jsonl[/bold]."""
    terminal = Terminal(json=json)
    recipe = _recipe(data, model, template, set_)
    seen = run_inspect(recipe, with_model=model is not None, rows=rows, terminal=terminal)
    show_inspection(seen, terminal)
    _finish(seen.summary(), json)


@data_app.command("clean")
def data_clean(
    data: Data,
    output: Annotated[str, typer.Option(help="Folder for clean.jsonl, dropped.jsonl, ledger and report.")],
    processes: Processes = None,
    ray: Ray = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Keep the rows that deserve it, and say why of the others:
    [bold]tutelage data clean --data rows.jsonl --output clean[/bold]."""
    terminal = Terminal(json=json)
    terminate_like_ctrl_c()
    recipe = _recipe(data, None, None, set_)
    result = run_clean(recipe, output=output, workers=Workers(processes, ray), terminal=terminal)
    show_cleaned(result, terminal)
    _finish(result.summary(), json)


@data_app.command("select")
def data_select(
    data: Data,
    rows: Annotated[int, typer.Option("--rows", min=1, max=2**31, help="How many rows are wanted.")],
    output: Annotated[str, typer.Option(help="Folder for selected.jsonl, ledger and selection.json.")],
    by: Annotated[By, typer.Option(help="Balanced and best first, or a baseline.")] = "quality",
    proportion: Annotated[
        float, typer.Option(min=0, max=1, help="0: every type and topic gives the same; 1: as many as it has.")
    ] = 0.0,
    processes: Processes = None,
    ray: Ray = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """So many rows, balanced over types and topics, the best first:
    [bold]tutelage data select --data clean/clean.jsonl --rows 5000 --output chosen[/bold]."""
    terminal = Terminal(json=json)
    terminate_like_ctrl_c()
    recipe, wanted = _recipe(data, None, None, set_), Wanted(rows, by, proportion)
    result = run_select(recipe, wanted, output=output, workers=Workers(processes, ray), terminal=terminal)
    show_selected(result, terminal)
    _finish(result.summary(), json)


@data_app.command("mix")
def data_mix(
    recipe: Annotated[str, typer.Argument(help="Recipe file whose data section names the sources and their shares.")],
    output: Annotated[str, typer.Option(help="Folder for mixed.jsonl and the ledger.")],
    set_: Set = None,
    json: Json = False,
) -> None:
    """One epoch of several sources in their shares, as one file:
    [bold]tutelage data mix recipe.yaml --output mixed[/bold]."""
    terminal = Terminal(json=json)
    terminate_like_ctrl_c()
    result = run_mix(recipes.load(recipe, set_ or []), output=output, terminal=terminal)
    show_mixed(result, terminal)
    _finish(result.summary(), json)


@app.command()
def preview(
    data: Data,
    model: Model = "pupil",
    template: Template = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 3,
    ids: Annotated[bool, typer.Option("--ids", help="Show token ids.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Which tokens are trained, in colour: [bold]tutelage preview --model DIR --data rows.jsonl[/bold]."""
    terminal = Terminal(json=json)
    shown = run_preview(_recipe(data, model, template, [*(set_ or []), f"data.max_rows={rows}"]))
    if not json:
        show_preview(shown, terminal, ids=ids)
    _finish(shown.summary(), json)


@app.command()
def doctor(
    model: Annotated[str | None, typer.Option("--model", help="Examine a template: with this tokenizer.")] = None,
    template: Annotated[str | None, typer.Option("--template", help="Examine this one: library name or file.")] = None,
    set_: Set = None,
    output: Annotated[str, typer.Option(help="Examine the machine: where will runs be written?")] = OUTPUT,
    online: Annotated[bool, typer.Option("--online", help="Examine the machine: does the Hub answer?")] = False,
    json: Json = False,
) -> None:
    """Is this machine ready? [bold]tutelage doctor[/bold]. Is a chat template exact with a tokenizer?
    [bold]tutelage doctor --model DIR --template FILE[/bold]."""
    if model is None and template is None and not set_:
        raise typer.Exit(examine_and_show(output, online=online, json=json))
    if online or output != OUTPUT:
        raise typer.BadParameter("--output and --online are about the machine, the others about a template")
    terminal = Terminal(json=json)
    found = run_doctor(_recipe([], model, template, set_))
    show_diagnosis(found, terminal)
    _finish(found.summary(), json)
    if not found.healthy:
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Recipe file (tutelage init writes one).")],
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint.")] = False,
    json: Json = False,
) -> None:
    """Fine-tune, ask the same questions before and after, write the report: [bold]tutelage train recipe.yaml[/bold]."""
    terminal = Terminal(json=json)
    terminate_like_ctrl_c()
    try:
        result = run_train(recipes.load(recipe, set_ or []), terminal=terminal, resume=resume)
    except (KeyboardInterrupt, Stopped) as stop:
        again = shlex.join(["tutelage", "train", recipe, *(f"--set={one}" for one in set_ or []), "--resume"])
        what = str(stop) or "stopped at once; what the newest checkpoint holds is kept, if one was written"
        print(f"{what}; to go on:\n  {again}", file=sys.stderr)
        raise typer.Exit(130) from None
    for comparison in result.comparisons:
        show_comparison(comparison, terminal)
    terminal.say(f"model: {result.output_dir / 'model'}\nreport: ", (str(result.report), "bold"))
    _finish(result.summary(), json)


@app.command()
def preflight(
    recipe: Annotated[str, typer.Argument(help="Recipe file.")],
    set_: Set = None,
    json: Json = False,
) -> None:
    """What will a run take? Time, memory, disk, from a few real steps: [bold]tutelage preflight recipe.yaml[/bold]."""
    terminal = Terminal(json=json)
    expected = run_preflight(recipes.load(recipe, set_ or []), terminal=terminal)
    show_forecast(expected, terminal)
    _finish(expected.summary(), json)


@app.command()
def compare(
    models: Annotated[list[str], typer.Argument(help="Two or more models, the base first.")],
    suite: Suites = None,
    data: Rows = None,
    metric: Metric = None,
    questions: Questions = 1000,
    task: Tasks = None,
    task_folder: TaskFolder = None,
    template: Template = None,
    output: Answers = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """The same questions to several models, compared in pairs:
    [bold]tutelage compare pupil runs/demo/model --suite world_en[/bold]."""
    terminal = Terminal(json=json)
    recipe = _asking(data, suite, template, _measured(metric, questions, set_))
    asked = harness_tasks(task, task_folder, limit=questions)
    _show_evaluated(run_compare(models, recipe, tasks=asked, output=output, terminal=terminal), terminal, json)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Model folder, Hub id, or pupil.")],
    suite: Suites = None,
    data: Rows = None,
    metric: Metric = None,
    questions: Questions = 1000,
    task: Tasks = None,
    task_folder: TaskFolder = None,
    template: Template = None,
    output: Answers = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """How good are a model's answers? [bold]tutelage evaluate runs/demo/model --suite world_en[/bold]."""
    terminal = Terminal(json=json)
    recipe = _asking(data, suite, template, _measured(metric, questions, set_))
    asked = harness_tasks(task, task_folder, limit=questions)
    _show_evaluated(run_evaluate(model, recipe, tasks=asked, output=output, terminal=terminal), terminal, json)


def _measured(metric: str | None, questions: int, overrides: list[str] | None) -> list[str]:
    chosen = [f"evaluate.metric={metric}"] if metric else []
    return [f"evaluate.num_questions={questions}", *chosen, *(overrides or [])]


def _asking(data: list[str] | None, suites: list[str] | None, template: str | None, overrides: list[str]) -> Recipe:
    tree: dict[str, Any] = {"data": {"sources": data or []}}
    if suites:
        tree["evaluate"] = {"suites": suites}
    if template is not None:
        tree["template"] = {"name": template}
    return recipes.build(tree, overrides, place="command line")


def _show_evaluated(result: Evaluated, terminal: Terminal, json: bool) -> None:
    for comparison in result.comparisons:
        show_comparison(comparison, terminal)
    for one in result.beside:
        terminal.say(one.in_words())
    if result.report:
        terminal.say("report: ", (str(result.report), "bold"))
    _finish(result.summary(), json)


@app.command()
def report(
    folder: Annotated[str, typer.Argument(help="Folder of a run, or of an evaluation.")],
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the page.")] = "en",
    json: Json = False,
) -> None:
    """The page of a finished run again, from its files: [bold]tutelage report runs/demo --lang zh[/bold]."""
    terminal = Terminal(json=json)
    page = run_rebuild(Path(folder), lang=lang)
    terminal.say("report: ", (str(page), "bold"))
    _finish({"report": str(page)}, json)


@app.command()
def chat(
    model: Annotated[str, typer.Argument(help="Model folder, Hub id, or pupil.")],
    template: Template = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Limit of one answer.")] = 256,
    set_: Set = None,
) -> None:
    """Talk with a model (/reset forgets, /exit ends): [bold]tutelage chat runs/demo/model[/bold]."""
    more = [f"evaluate.max_new_tokens={max_new_tokens}", *(set_ or [])]
    tree = {"model": {"name_or_path": model}, "template": {"name": template, "system": system}}
    run_chat(recipes.build(tree, more), _typed(), write=_write)


def _typed() -> Any:
    """Lines that a person types, with a prompt where there is a terminal."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield input("you> ")
        except EOFError:
            return


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _recipe(data: list[str], model: str | None, template: str | None, overrides: list[str] | None) -> Recipe:
    tree: dict[str, Any] = {"data": {"sources": data}}
    if model is not None:
        tree["model"] = {"name_or_path": model}
    if template is not None:
        tree["template"] = {"name": template}
    return recipes.build(tree, overrides or [], place="command line")


def _finish(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False))


def main() -> None:
    """Entry point: exit code 0 done, 1 refused or failed with one message, 2 usage, 130 stopped with Ctrl-C."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")  # theirs to each other
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments, standalone_mode=True)
    except TutelageError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        print(
            f"error: {type(error).__name__}: {redacted(str(error))}\n  to do: run again with --debug and report it",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
