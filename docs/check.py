"""Hold the documents to the code: `python docs/check.py` (--write pastes fresh outputs; page names choose pages).

Links lead somewhere; signatures in `py` blocks are those of the code; `python` blocks run, one after the other, in one
namespace per page; lines that begin with `$ ` in `console` blocks run too. A `text` block after a `python` block is its
output. Outputs that differ are told, and fail nothing: losses and times depend on machine and model.
"""

import argparse
import ast
import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "pupil" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Links to files that are not there."""
    for target, _ in LINK.findall(FENCE.sub("", text)):
        if not re.match(r"\w+:", target) and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: {target} is not there"


def wrong_signatures(page: Path, text: str) -> Iterator[str]:
    """Lines of `py` blocks whose function is not there or has other parameters."""
    for line in (line for kind, body in FENCE.findall(text) if kind == "py" for line in body.splitlines()):
        match = re.match(r"(tutelage[\w.]*)\((.*?)\)( ->|$)", line)
        if match is None:
            yield f"{page.relative_to(ROOT)}: no signature: {line}"
            continue
        written = ast.parse(f"def f({match[2]}): ...").body[0]
        assert isinstance(written, ast.FunctionDef)
        named = [one.arg for one in (*written.args.args, *written.args.kwonlyargs)]
        real = [name for name in signature(_resolved(match[1])).parameters if name != "self"]
        if named != real:
            yield f"{page.relative_to(ROOT)}: {match[1]} takes {real}, not {named}"


def _resolved(dotted: str) -> Any:
    """The function or class of that name; inside a package, a function wins over a module that is called like it."""
    parts = dotted.split(".")
    for at in range(len(parts) - 1, 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            found: Any = importlib.import_module(".".join(parts[:at]))
            for name in parts[at:]:
                found = vars(found)[name]
            return found
    raise LookupError(dotted)


def refreshed(page: Path, text: str, problems: list[str]) -> str:
    """The page with fresh outputs; blocks that fail are added to `problems`."""
    names: dict[str, Any] = {"__name__": "__main__"}
    pieces, at, printed = list[str](), 0, None
    for match in FENCE.finditer(text):
        kind, body = match[1], match[2]
        between = text[at : match.start()]
        if kind == "text" and printed is not None and not between.strip():
            body, printed = printed, None
        elif kind == "python":
            printed = _run_python(page, body, names=names, problems=problems)
        elif kind == "console":
            body, printed = _run_console(page, body, problems), None
        else:
            printed = None
        pieces += [between, f"```{kind}\n{body}```"]
        at = match.end()
    return "".join(pieces) + text[at:]


def _run_python(page: Path, body: str, *, names: dict[str, Any], problems: list[str]) -> str:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(body, str(page), "exec"), names)
    except Exception:
        problems.append(f"{page.relative_to(ROOT)}: a python block fails\n{traceback.format_exc()}")
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _run_console(page: Path, body: str, problems: list[str]) -> str:
    """The commands of a block with what they print. Exit codes 0 and 1 (refused with a message) are both right."""
    shown = []
    for command in (line[2:] for line in body.splitlines() if line.startswith("$ ")):
        done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode not in (0, 1) or "Traceback" in done.stdout:
            problems.append(f"{page.relative_to(ROOT)}: `{command}` exits with {done.returncode}\n{done.stdout}")
        shown += [f"$ {command}", *(line.rstrip() for line in done.stdout.splitlines())]
    return "\n".join(shown) + "\n"


def main() -> int:
    """Command line; 1 where something is broken."""
    parser = argparse.ArgumentParser(description="check the documents")
    parser.add_argument("--write", action="store_true", help="paste fresh outputs into the pages")
    parser.add_argument("pages", nargs="*", type=Path, help="only these; unset: all")
    options = parser.parse_args()
    os.environ |= ENVIRONMENT | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    problems: list[str] = []
    for page in [path.resolve() for path in options.pages] or PAGES:
        text = page.read_text(encoding="utf-8")
        problems += [*broken_links(page, text), *wrong_signatures(page, text)]
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
            fresh = refreshed(page, text, problems)
        if fresh != text:
            print(f"{page.relative_to(ROOT)}: outputs {'written' if options.write else 'differ (--write pastes them)'}")
            if options.write:
                page.write_text(fresh, encoding="utf-8")
    print("\n".join(problems) or "links, signatures and blocks hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
