"""The house rules of the code itself, read from its syntax trees and its import graph."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

from tutelage import recipe, recipe_keys

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tutelage"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
# The Python that is shipped and the Python that builds the bundled model: what the tests are compared with.
SOURCES = [*FILES, *sorted((ROOT / "pupil").glob("*.py")), *sorted((ROOT / "benchmarks").glob("*.py"))]

Function = ast.FunctionDef | ast.AsyncFunctionDef
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers"}
# Packages that a user may do without, or that only one path needs and that take seconds to import.
LAZY = {
    "datasets": "tutelage.data.hub",
    "fcntl": "tutelage.posix",
    "resource": "tutelage.posix",
    "bitsandbytes": "tutelage.training.optimizer",
    "ray": "tutelage.run.curating.workers",
    "lm_eval": "tutelage.run.harness",
    "model2vec": "tutelage.curate.meaning",
}
# Base classes of our own that may be inherited from: the error tree and the sections of the recipe.
OWN_BASES_ALLOWED = {"tutelage.errors", "tutelage.recipe"}
LOOP = "tutelage.training.loop.fit"

# Who may import whom (rooms are the first part below tutelage). Everybody may import the nouns.
NOUNS = {"records", "recipe", "errors"}
MAY_IMPORT = {
    "errors": set(),
    "records": set(),
    "yaml_values": {"errors"},
    "recipe_faults": {"errors", "yaml_values"},
    "recipe_keys": set(),
    "recipe": {"errors", "yaml_values", "recipe_faults", "recipe_keys"},
    "terminal": set(),
    "posix": set(),
    "loss": set(),
    "text": set(),
    "endpoint": NOUNS,
    "prompt": NOUNS,
    "data": NOUNS,
    "curate": NOUNS | {"text", "endpoint", "prompt"},
    "template": NOUNS,
    "tokens": NOUNS,
    "demo": NOUNS,
    "model": NOUNS | {"loss"},
    "training": NOUNS | {"model", "loss", "tokens", "retention", "posix"},
    "inference": NOUNS,
    "evaluation": NOUNS | {"inference", "template", "text", "endpoint", "prompt", "curate"},
    "report": NOUNS | {"evaluation"},
    "machine": {"terminal", "posix"},
}


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


def room(module: str) -> str:
    """The first part below the package; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, Function, ast.ClassDef | None]]:
    """(qualified name, node, class) of every function, nested ones too."""

    def walk(
        node: ast.AST, name: str, owner: ast.ClassDef | None
    ) -> Iterator[tuple[str, Function, ast.ClassDef | None]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{name}.{child.name}", child, owner
                yield from walk(child, f"{name}.{child.name}", None)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{name}.{child.name}", child)
            else:
                yield from walk(child, name, owner)

    return walk(tree, prefix, None)


ALL = [found for file in FILES for found in functions(TREES[file], module_name(file))]


def documented(node: ast.AST) -> bool:
    return bool(ast.get_docstring(node))  # type: ignore[arg-type]


def body_lines(node: Function) -> int:
    """Lines of the body without the docstring."""
    body = node.body[1:] if documented(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0


def decorators(node: Function | ast.ClassDef) -> set[str]:
    names = (ast.unparse(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list)
    return {name.rsplit(".", 1)[-1] for name in names}


def imported(tree: ast.AST, *, module: str, package: bool) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that is imported anywhere in a file, by its full name; `from a import b` counts as a.b where that
    is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + (1 if package else 0)]
                base = ".".join([*kept, base] if base else kept)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full in MODULES else base), node


def edges() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports."""
    return {
        name: {
            target
            for target, _ in imported(TREES[file], module=name, package=file.name == "__init__.py")
            if target.split(".")[0] == "tutelage"
        }
        for name, file in MODULES.items()
    }


def test_the_rules_have_something_to_look_at() -> None:
    assert len(FILES) > 40
    assert len(ALL) > 300
    assert {room(name) for name in MODULES} >= {"data", "template", "tokens", "model", "training", "run"}


def test_functions_are_short() -> None:
    lengths = {name: body_lines(node) for name, node, _ in ALL}
    ordered = sorted(lengths.values())
    p90 = ordered[int(0.9 * len(ordered))]
    print(f"function bodies: median {statistics.median(ordered)}, p90 {p90}, longest {ordered[-1]}")
    assert statistics.median(ordered) <= 12
    assert p90 <= 40
    assert lengths.pop(LOOP) <= 150
    assert {name: length for name, length in lengths.items() if length > 80} == {}


def test_functions_take_few_parameters_and_name_those_after_the_second() -> None:
    too_many, positional = {}, {}
    for name, node, owner in ALL:
        if _signature_is_given(node, owner):
            continue
        bound = owner is not None and "staticmethod" not in decorators(node)
        plain = [*node.args.posonlyargs, *node.args.args][1 if bound else 0 :]
        count = len(plain) + len(node.args.kwonlyargs)
        if count > 6:
            too_many[name] = count
        public = not node.name.startswith("_")
        if public and len(plain) > 2 and node.args.vararg is None:
            positional[name] = [one.arg for one in plain]
    assert too_many == {}
    assert positional == {}


def _signature_is_given(node: Function, owner: ast.ClassDef | None) -> bool:
    """Whether somebody else decides the parameters: torch (autograd, attention), Python (`__exit__`), the options of
    a command."""
    if "command" in decorators(node):
        return True
    if node.name.startswith("__") and node.name != "__init__":
        return True
    if owner is not None and any(ast.unparse(base).startswith("torch.autograd") for base in owner.bases):
        return True
    return bool(re.search(r"in the form that \w+ calls", ast.get_docstring(node) or ""))


def test_files_and_classes_are_short() -> None:
    long_files = {module_name(file): lines for file in FILES if (lines := _line_count(file)) > 500}
    long_classes = {
        f"{module_name(file)}.{node.name}": lines
        for file in FILES
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.ClassDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > 250
    }
    assert long_files == {}
    assert long_classes == {}


def _line_count(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_nothing_of_ours_inherits_from_ours() -> None:
    ours: dict[str, str] = {}
    for file in FILES:
        ours |= {node.name: module_name(file) for node in ast.walk(TREES[file]) if isinstance(node, ast.ClassDef)}
    deep = {
        f"{module_name(file)}.{node.name}": base
        for file in FILES
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.ClassDef)
        for base in (ast.unparse(one).rsplit(".", 1)[-1] for one in node.bases)
        if base in ours and ours[base] not in OWN_BASES_ALLOWED
    }
    assert deep == {}


def test_attributes_are_asked_for_by_name_only_in_the_model_room() -> None:
    asked = [
        f"{module_name(file)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("getattr", "hasattr", "setattr", "vars")
    ]
    assert [place for place in asked if not place.startswith("tutelage.model.")] == []
    lines = sum(_line_count(file) for file in FILES)
    print(f"getattr and hasattr: {len(asked)} in {lines} lines")
    assert asked, "the model room reads configurations that differ by architecture"
    assert len(asked) <= lines / 1000


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {name: targets & MODULES.keys() for name, targets in edges().items()}
    assert sum(map(len, graph.values())) > 60
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_rooms_import_only_whom_they_may() -> None:
    refused = set()
    for name, targets in edges().items():
        own = room(name)
        if own in ("", "cli", "run"):
            continue
        assert own in MAY_IMPORT, f"{own} is a new room: say in MAY_IMPORT whom it may import"
        for target in targets:
            if room(target) not in MAY_IMPORT[own] | {own}:
                refused.add(f"{name} imports {target}")
    assert refused == set()


def test_the_command_line_only_calls_verbs() -> None:
    assert "tutelage.cli" in MODULES
    reached = {room(target) for target in edges()["tutelage.cli"]}
    assert reached <= {"", "run", "machine", "recipe", "errors", "terminal"}


def test_modules_have_names_that_say_something() -> None:
    names = {part for name in MODULES for part in name.split(".")}
    assert names & FORBIDDEN_NAMES == set()
    classes = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert not [name for name in classes if name.endswith(("Manager", "Helper", "Utils", "Util"))]


def test_everything_public_has_a_docstring() -> None:
    bare = [module_name(file) for file in FILES if not documented(TREES[file])]
    for file in FILES:
        for node in ast.walk(TREES[file]):
            if isinstance(node, ast.ClassDef) and not documented(node) and not node.name.startswith("_"):
                bare.append(f"{module_name(file)}.{node.name}")
    private = re.compile(r"\._")
    for name, node, owner in ALL:
        if not documented(node) and not private.search(name) and not _is_inner(name, owner):
            bare.append(name)
    assert bare == []


def _is_inner(name: str, owner: ast.ClassDef | None) -> bool:
    """Whether it is a function inside a function, which its surroundings explain."""
    parent = name.rsplit(".", 1)[0]
    return owner is None and parent not in MODULES


def test_everything_is_annotated() -> None:
    missing = []
    for name, node, owner in ALL:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        bound = owner is not None and "staticmethod" not in decorators(node)
        plain = [one for one in given if one is not None][1 if bound else 0 :]
        if any(one.annotation is None for one in plain) or node.returns is None:
            missing.append(name)
    assert missing == []


def test_imports_stand_at_the_top_but_for_optional_packages() -> None:
    late = []
    for name, file in MODULES.items():
        top = set(map(id, TREES[file].body))
        for target, node in imported(TREES[file], module=name, package=file.name == "__init__.py"):
            if id(node) not in top and not _may_be_late(target, name):
                late.append(f"{name}:{node.lineno} imports {target}")
    assert late == []


def _may_be_late(target: str, module: str) -> bool:
    return LAZY.get(target.split(".")[0]) == module


def test_nothing_is_caught_without_being_looked_at() -> None:
    silent = [
        f"{module_name(file)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.ExceptHandler) and (node.type is None or isinstance(node.body[0], ast.Pass))
    ]
    assert silent == []


def test_the_recipe_stays_small() -> None:
    count = len(list(recipe_keys.described(recipe.Recipe)))
    print(f"recipe keys: {count}")
    assert 40 <= count <= 95


def test_there_is_about_as_much_test_as_source() -> None:
    tests = sum(_line_count(file) for file in (ROOT / "tests").rglob("*.py"))
    source = sum(_line_count(file) for file in SOURCES)
    print(f"tests : source = {tests} : {source} = {tests / source:.2f}")
    assert 0.6 <= tests / source <= 1.0
