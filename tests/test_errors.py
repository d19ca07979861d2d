"""Every error names a section of docs/errors.md, and every section is named by an error."""

import ast
import re
from pathlib import Path

import pytest

from tutelage import errors
from tutelage.errors import MissingExtra, TutelageError

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\S+)\n\n(.+?)(?=\n\n#|\Z)", PAGE, re.MULTILINE | re.DOTALL))
TREE = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, TutelageError)}


def raised() -> dict[str, list[str]]:
    """Code -> the places that make such an error; a call without a plain code is under ""."""
    found: dict[str, list[str]] = {}
    for file in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "pupil").glob("*.py")]):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TREE:
                given = [key.value for key in node.keywords if key.arg == "code"]
                code = given[0].value if given and isinstance(given[0], ast.Constant) else ""
                code = "missing-package" if node.func.id == MissingExtra.__name__ else code
                found.setdefault(str(code), []).append(f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def test_codes_and_sections_are_the_same() -> None:
    places = raised()
    print(f"{sum(map(len, places.values()))} errors, {len(places)} codes")
    assert sum(map(len, places.values())) > 100
    assert places.get("", []) == [], "an error without a code that can be read here"
    assert places.keys() == SECTIONS.keys()


@pytest.mark.parametrize("code", SECTIONS)
def test_sections_explain(code: str) -> None:
    assert len(SECTIONS[code].split()) >= 8
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)


def test_a_message_ends_with_its_section() -> None:
    error = TutelageError("3 rows", code="no-rows", place="a.json:4", expected="4 rows", remedy="add one")
    assert str(error).splitlines() == [
        "a.json:4: 3 rows",
        "  expected: 4 rows",
        "  to do: add one",
        "  see: docs/errors.md#no-rows",
    ]
    assert MissingExtra("bitsandbytes", "quant").code == "missing-package"
