"""A constraint in a sentence, for people."""

from collections.abc import Mapping

from tutelage.evaluation.constraints.constraint import Constraint
from tutelage.evaluation.constraints.registry import KINDS

_CHINESE: Mapping[str, str] = {
    "at least": "不少于",
    "at most": "不多于",
    "exactly": "恰好为",
    "less than": "少于",
    "more than": "多于",
    "simplified": "简体",
    "traditional": "繁体",
}
_BARE = ("relation", "let_relation", "capital_relation", "script", "language")


def described(constraint: Constraint) -> str:
    """The constraint in a sentence: Chinese for the Chinese kinds, else English."""
    chinese = constraint.id.startswith("zh:")
    shown = {name: _shown(name, value, chinese=chinese) for name, value in constraint.arguments.items()}
    return KINDS[constraint.id].told.format(**shown)


def _shown(name: str, value: object, *, chinese: bool) -> str:
    if isinstance(value, list | tuple):
        return ("、" if chinese else ", ").join(_shown(name, one, chinese=chinese) for one in value)
    if not isinstance(value, str):
        return str(value)
    if name in _BARE:
        return _CHINESE[value] if chinese else value
    return f"“{value}”"
