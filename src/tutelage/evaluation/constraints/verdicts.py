"""Verdicts: whether an answer keeps to its constraints, strictly, and loosely (with what models like to add put aside).

Strict and loose are those of IFEval (Zhou et al., 2023, arXiv:2311.07911). An answer keeps to all of its constraints
where `all(...)` of its verdicts holds. Every check takes time linear in the length of the answer.
"""

from collections.abc import Sequence

from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.registry import KINDS


def check(constraint: Constraint, answer: str) -> bool:
    """Whether an answer keeps to a constraint. A blank answer keeps to none; Windows line ends are line ends."""
    text = answer.replace("\r\n", "\n")
    return bool(text.strip()) and KINDS[constraint.id].check(text, **constraint.arguments)


def strict(answer: str, constraints: Sequence[Constraint]) -> list[bool]:
    """For each constraint, whether the answer keeps to it as it stands."""
    return [check(constraint, answer) for constraint in constraints]


def loose(answer: str, constraints: Sequence[Constraint]) -> list[bool]:
    """For each constraint, whether the answer keeps to it in one of eight forms: with and without its first line, its
    last line, and its stars. So an opening phrase, a closing one and emphasis in Markdown do no harm."""
    forms = _forms(answer)
    return [any(check(constraint, form) for form in forms) for constraint in constraints]


def _forms(answer: str) -> list[str]:
    lines = answer.split("\n")
    kept = (lines, lines[1:], lines[:-1], lines[1:-1])
    whole = [answer, *("\n".join(part).strip() for part in kept[1:])]
    return list(dict.fromkeys([*whole, *(form.replace("*", "") for form in whole)]))
