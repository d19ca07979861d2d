"""The machine's examination as a verb, and what is told where Tutelage cannot start at all."""

import sys
from io import TextIOWrapper
from json import dumps
from types import TracebackType

from tutelage.machine.examination import examine
from tutelage.machine.showing import show_machine
from tutelage.machine.traps import explain
from tutelage.terminal import Terminal


def examine_and_show(output: str, *, online: bool, json: bool) -> int:
    """Examine the machine and print what was found, with `json` as the last line of stdout.

    Returns:
        The exit code: 1 where something is wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # an encoding that cannot print a path is a finding, not the end
            stream.reconfigure(errors="backslashreplace")
    terminal = Terminal(json=json)
    found = examine(output, online=online)
    show_machine(found, terminal)
    if json:
        print(dumps(found.summary(), ensure_ascii=False))
    return 0 if found.healthy else 1


def explained(error: Exception) -> str:
    """What to print where importing Tutelage raised: which package, why if that is known, what to do."""
    package = _raiser(error.__traceback__)
    cause, remedy = explain(f"{type(error).__name__}: {error}", package)
    lines = [f"error: tutelage cannot start: {package} raises {type(error).__name__}: {error}"]
    lines += [f"  cause: {cause}"] if cause else []
    return "\n".join([*lines, f"  to do: {remedy}", "  tutelage doctor examines the whole machine"])


def _raiser(traceback: TracebackType | None) -> str:
    """The package in whose code an error was raised, of those that are no part of Python's import system."""
    package = "tutelage"
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        package = package if name in ("importlib", "tutelage_start", "__main__") else name
        traceback = traceback.tb_next
    return package
