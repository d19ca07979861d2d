"""The `tutelage` command's first step, beside the package: it also works where the package cannot be imported.

What Tutelage stands on may be broken: an old transformers, a torch whose libraries are missing. Then importing
`tutelage` raises, and the verb that would tell why must not be lost with it.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).with_name("tutelage")


def main() -> None:
    """Entry point: `tutelage doctor` examines the machine without importing what it examines; all else is `cli`'s."""
    asked = _machine(sys.argv[1:])
    if asked is not None:
        try:
            sys.exit(_machine_start().examine_and_show(asked.output, online=asked.online, json=asked.json))
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            if asked.debug:
                raise
            sys.exit(f"error: {type(error).__name__}: {error}\n  to do: run again with --debug and report it")
    try:
        command = import_module("tutelage.cli")
    except Exception as error:  # whatever a broken package raises
        if "--debug" in sys.argv:
            raise
        print(_machine_start().explained(error), file=sys.stderr)
        sys.exit(1)
    command.main()


def _machine(arguments: list[str]) -> argparse.Namespace | None:
    """The options of `tutelage doctor` where it is about the machine; None where it is about a template, and for other
    verbs. Help, and what is mistyped, is for `cli` to answer."""
    if arguments[:1] != ["doctor"]:
        return None
    parser = argparse.ArgumentParser(prog="tutelage doctor", add_help=False, allow_abbrev=False)
    parser.add_argument("--output", default="runs")
    for flag in ("--online", "--json", "--debug"):
        parser.add_argument(flag, action="store_true")
    asked, rest = parser.parse_known_args(arguments[1:])
    return None if rest else asked


def _machine_start() -> ModuleType:
    """`tutelage.machine.start`, in a package that has not imported its verbs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tutelage"]:
        del sys.modules[name]
    bare = ModuleType("tutelage")
    bare.__path__ = [str(_PACKAGE)]
    sys.modules["tutelage"] = bare
    return import_module("tutelage.machine.start")


if __name__ == "__main__":
    main()
