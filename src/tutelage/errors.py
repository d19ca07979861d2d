"""What can go wrong, as a tree. Every message says what was found and where, what was expected, and what to do.

TutelageError
├── RecipeError      a key, a value or a combination in the recipe
├── DataError        files and rows
│   └── LedgerError  too many rows would be lost (law 1)
├── TemplateError    a chat template that is missing, broken, or cannot be made exact (laws 2 and 3)
├── ModelError       weights, tokenizers, configurations
├── TrainingError    the run itself
│   └── Stopped      it was asked to stop, and has saved
└── MissingExtra     an optional package that is not installed
"""

import os
import re
from typing import Any

# Passwords in addresses, and access tokens by the forms that their issuers gave them.
_SECRETS = re.compile(
    r"(?<=://)[^/\s@]+(?=@)|\bhf_[A-Za-z0-9]{20,}|\bsk-[\w-]{20,}|\bgh[opsur]_[A-Za-z0-9]{20,}|\bAKIA[A-Z0-9]{16}\b"
)
_NAMES_A_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIALS?)$", re.IGNORECASE)
_SHORTEST = 8  # a shorter value in the environment is a switch (`true`), not a secret


def redacted(text: str) -> str:
    """The text with `***` for passwords, access tokens, and values of the environment whose names say that they are
    secret (HF_TOKEN, AWS_SECRET_ACCESS_KEY), so that it may be shown and kept (law 10)."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _NAMES_A_SECRET.search(name):
            text = text.replace(value, "***")
    return _SECRETS.sub("***", text)


class TutelageError(Exception):
    """A problem that the user can mend. The command line prints it without a traceback and exits with 1. Its text
    holds no secrets.

    Args:
        found: what was found, with the value.
        code: the kind of problem, for programs; the section of docs/errors.md that explains it.
        place: where: ``file:line``, a recipe key, a folder; empty where there is none.
        expected: what would have been right.
        remedy: what to do next, as a command or an edit.
    """

    def __init__(self, found: str, *, code: str, place: str = "", expected: str = "", remedy: str = "") -> None:
        self.found, self.code, self.place, self.expected, self.remedy = found, code, place, expected, remedy
        super().__init__(found)

    def __reduce__(self) -> tuple[Any, ...]:
        told = {"code": self.code, "place": self.place, "expected": self.expected, "remedy": self.remedy}
        return _told_again, (type(self), self.found, told)  # so that it can come from another process

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.found}" if self.place else self.found]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        lines.append(f"  see: docs/errors.md#{self.code}")
        return redacted("\n".join(lines))


def _told_again(kind: type[TutelageError], found: str, told: dict[str, str]) -> TutelageError:
    error = kind.__new__(kind)
    TutelageError.__init__(error, found, **told)
    return error


class RecipeError(TutelageError):
    """A key, a value or a combination in the recipe."""


class DataError(TutelageError):
    """A file that cannot be read or rows that cannot be understood."""


class LedgerError(DataError):
    """More rows would be lost than ``data.max_lost_share`` allows."""


class TemplateError(TutelageError):
    """A chat template that is missing, broken, or cannot be made exact."""


class ModelError(TutelageError):
    """Weights, tokenizer or configuration of a model."""


class TrainingError(TutelageError):
    """The run itself cannot start or go on."""


class Stopped(TrainingError):
    """A run was asked to stop, by Ctrl-C or SIGTERM, and has saved where it stands. The command line exits with 130."""


class MissingExtra(TutelageError):
    """An optional package is not installed; the message holds the install line."""

    def __init__(self, package: str, extra: str) -> None:
        found, remedy = f"the package {package} is not installed", f"pip install 'tutelage[{extra}]'"
        super().__init__(found, code="missing-package", remedy=remedy)
