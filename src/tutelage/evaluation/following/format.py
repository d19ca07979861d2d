"""Whether an answer has the form that its prompt asks for, and whether its form is clean."""

from collections.abc import Callable, Mapping
from statistics import fmean

import regex

from tutelage.curate.brackets import bracket_doubts
from tutelage.curate.doubts import GRAVE, MILD, Doubt, score
from tutelage.curate.form import is_code
from tutelage.evaluation.answer_form.languages import wrong_language
from tutelage.evaluation.answer_form.manner import leak
from tutelage.evaluation.answer_form.structure import (
    bullets,
    fenced,
    items,
    json_of,
    numbers,
    paragraphs,
    skipped,
    tabled,
)
from tutelage.evaluation.following.component import Finding
from tutelage.evaluation.following.demands import Demand, demands
from tutelage.text import count_words

_ROUGH = 0.2  # of a count: what "about" allows, and what "exactly" allows of words and characters
_TITLE_WORDS = 25  # a Chinese character is a word
_FENCE = regex.compile(r"```\w*\n(?P<inside>.*?)```", regex.DOTALL)
_NUMBER = regex.compile(r"[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?")
_SENTENCE = regex.compile(
    r"[。！？｡]+|(?<!^\s*\d{1,2}|\b(?:\p{L}|Mr|Mrs|Ms|Dr|St|vs|etc|e\.g|i\.e|No|[ap]\.m))[.!?…]+(?=[\"'”’)\]*_]*(?:\s|$))",
    regex.MULTILINE,
)
_CODE_SIGNS = regex.compile(r"`[^`]+`|^#!|[{}]", regex.MULTILINE)
_TELLS = regex.compile(r"[\p{L}\p{N}]")
_STEPS = regex.compile(r"\b(?:first|second|third|next|then|finally|lastly|after)\b|首先|其次|然后|接着|最后|再|第[一二三四五]步", regex.IGNORECASE)  # fmt: skip  # noqa: E501
_INLINE = regex.compile(r"[(（]\d+[)）]|\b\d+[.)]\s")
_YES_NO = regex.compile(r"\W*(?:yes|no)\b|\W*(?:是|否|不|没|对|有|会|能|可以)", regex.IGNORECASE)
_TRUE_FALSE = regex.compile(r"\b(?:true|false)\b|真|假|对|错|正确|错误|是|否", regex.IGNORECASE)


def format_findings(prompt: str, answer: str) -> tuple[float, tuple[Finding, ...]]:
    """The score of an answer's form, 0 to 1, and what it is made of.

    The mean of how far each demand is met (1 where none is surely there), times what flaws leave: an open code fence,
    unbalanced brackets or quotation marks, a numbered list with gaps, and control tokens or turns of others.
    """
    asked = [(demand, _met(demand, prompt, answer=answer)) for demand in demands(prompt)]
    found = tuple(
        Finding("asked for: " + " ".join(demand.wording.split()), "met" if met == 1 else f"met by {met:.0%}", met - 1)
        for demand, met in asked
    )
    flaws = _flaws(prompt, answer)
    met = fmean(met for _, met in asked) if asked else 1.0
    return met * score(flaws), found + tuple(Finding(flaw.reason, flaw.detail, -flaw.cost) for flaw in flaws)


def _met(demand: Demand, prompt: str, *, answer: str) -> float:
    if demand.kind == "language":
        return 0.0 if wrong_language(prompt, answer) else 1.0
    if demand.kind in _COUNTS:
        return _within(demand, _COUNTS[demand.kind](answer))
    return _CHECKS[demand.kind](answer)


def _within(demand: Demand, count: int) -> float:
    """1 within the bounds; outside, the ratio of the count and the bound that it breaks."""
    fine = demand.kind in ("words", "han", "characters")
    rough = _ROUGH if demand.about or (fine and demand.low == demand.high) else 0.0
    if count < demand.low * (1 - rough):
        return count / demand.low
    return 1.0 if count <= demand.high * (1 + rough) else demand.high / count


def _flaws(prompt: str, answer: str) -> list[Doubt]:
    found = bracket_doubts(answer, code=is_code(answer))
    if number := skipped(answer):
        found.append(Doubt("numbered with a gap", f"{number} without {number - 1}", MILD))
    if leaked := leak(prompt, answer):
        found.append(Doubt("leaked control tokens or turns", leaked, GRAVE))
    return found


def _json(answer: str) -> float:
    if json_of(answer) is not None:
        return 1.0
    within = [block["inside"] for block in _FENCE.finditer(answer)] + [answer[answer.find("{") : answer.rfind("}") + 1]]
    return 0.5 if any(json_of(part) is not None for part in within) else 0.0


def _list_of(marked: int, answer: str) -> float:
    if marked > 1:
        return 1.0
    return 0.5 if items(answer) or marked else 0.0


def _one_word(answer: str) -> float:
    return min(1.0, (6 if _han(answer) else 1) / max(count_words(answer), 1))


def _han(answer: str) -> bool:
    return regex.search(r"\p{Han}", answer) is not None


def _number_only(answer: str) -> float:
    text = answer.strip().rstrip(".。")
    if _NUMBER.fullmatch(text):
        return 1.0
    return 0.5 if _NUMBER.search(text) else 0.0


def _steps(answer: str) -> float:
    return float(
        items(answer) > 0
        or len(_INLINE.findall(answer)) > 1
        or len(_STEPS.findall(answer)) > 1
        or _sentences(answer) > 2
    )


def _title(answer: str) -> float:
    lines = [line for line in answer.split("\n") if line.strip()]
    return min(1.0, _TITLE_WORDS / max(count_words(answer), 1)) if len(lines) < 3 else 0.0


def _sentences(answer: str) -> int:
    return sum(1 for part in _SENTENCE.split(answer.replace("\n\n", "。")) if _TELLS.search(part))


def _lines(answer: str) -> int:
    return sum(1 for line in answer.split("\n") if line.strip())


_CHECKS: Mapping[str, Callable[[str], float]] = {
    "json": _json,
    "table": lambda answer: float(tabled(answer)),
    "code": lambda answer: float(is_code(answer) or fenced(answer) or _CODE_SIGNS.search(answer) is not None),
    "bullets": lambda answer: _list_of(bullets(answer), answer),
    "numbered": lambda answer: _list_of(len(numbers(answer)), answer),
    "steps": _steps,
    "one_word": _one_word,
    "number_only": _number_only,
    "yes_no": lambda answer: float(_YES_NO.match(answer) is not None),
    "true_false": lambda answer: float(_TRUE_FALSE.search(answer[:200]) is not None),
    "title": _title,
    "uppercase": lambda answer: float(not regex.search(r"\p{Ll}", answer)),
    "lowercase": lambda answer: float(not regex.search(r"\p{Lu}", answer)),
}
_COUNTS: Mapping[str, Callable[[str], int]] = {
    "words": count_words,
    "han": count_words,
    "characters": lambda answer: len(answer.strip()),
    "sentences": _sentences,
    "paragraphs": paragraphs,
    "lines": _lines,
    "bullets": lambda answer: max(bullets(answer), len(numbers(answer))),
}
