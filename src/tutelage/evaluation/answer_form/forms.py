"""The form of one answer: which of the known features it has, each with what shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tutelage.curate.doubts import Doubt
from tutelage.curate.endings import ending_doubts
from tutelage.curate.form import is_code
from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.fluency import LOOKED_AT, fluency_doubts
from tutelage.evaluation.answer_form.manner import manner
from tutelage.evaluation.answer_form.structure import (
    fenced,
    headed,
    items,
    json_of,
    paragraphs,
    tabled,
    unified,
)
from tutelage.text import count_words, language

Group = Literal["structure", "length", "fluency", "manner"]
SHORTEST, LONGEST = 0.5, 2.0  # of the reference's words: the length that suits


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that an answer has or has not.

    Attributes:
        name: short English name, which is the key.
        group: of the analysis.
        label: what answers with it are, after "answers": "with a list".
        label_zh: the same in Chinese.
        good: whether more of it is better; None where neither is.
    """

    name: str
    group: Group
    label: str
    label_zh: str
    good: bool | None = None


FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("list", "structure", "with a list", "含列表"),
        Feature("code fence", "structure", "with a code fence", "含代码块"),
        Feature("table", "structure", "with a table", "含表格"),
        Feature("heading", "structure", "with a heading", "含标题"),
        Feature("json", "structure", "in JSON", "为 JSON"),
        Feature("prose", "structure", "in plain prose", "为普通文字"),
        Feature("suitable length", "length", "of suitable length", "长度合适", good=True),
        Feature("too short", "length", "shorter than half the reference", "不到参考答案一半长", good=False),
        Feature("too long", "length", "longer than twice the reference", "超过参考答案两倍长", good=False),
        Feature("empty", "length", "that are empty", "为空", good=False),
        Feature("at the limit", "length", "that ran into the token limit", "达到长度上限", good=False),
        Feature("repetition", "fluency", "that repeat themselves", "重复", good=False),
        Feature("unfinished", "fluency", "with an unfinished sentence", "句子不完整", good=False),
        Feature("odd characters", "fluency", "with odd characters", "含异常字符", good=False),
        Feature("word salad", "fluency", "that read like word salad", "语句不通", good=False),
        Feature("other language", "fluency", "in another language than asked for", "语言与提问不符", good=False),
        Feature("opening", "manner", "that open with a courtesy", "以客套话开头"),
        Feature("closing", "manner", "that close with a courtesy", "以客套话结尾"),
        Feature("self-mention", "manner", "that speak of the assistant itself", "提及自身是助手"),
        Feature("emoji", "manner", "with emoji", "含表情符号"),
        Feature("refusal", "manner", "that refuse", "拒绝回答"),
        Feature("leak", "manner", "with leaked control tokens or turns of others", "泄漏控制符或他人发言", good=False),
    )
}
_FLUENCY = {"loop": "repetition", "stray letters": "odd characters"}  # reasons -> features, where they differ


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What was found of the form of one answer.

    Attributes:
        has: feature -> whether the answer has it; None where that cannot be asked (a length without a reference).
        shown: feature -> what shows it, for those that are not plain to see.
        words, paragraphs: how many.
        ratio: its words to those of the nearest reference; None without one.
    """

    has: Mapping[str, bool | None]
    shown: Mapping[str, str]
    words: int
    paragraphs: int
    ratio: float | None


def answer_form(exchange: Exchange) -> AnswerForm:
    """The form of an answer. Structure is read whole; fluency up to 20,000 characters."""
    text = unified(exchange.answer).strip()
    count = count_words(text)
    ratio = _ratio(count, exchange.references)
    shown = _fluency(exchange.prompt, text) | manner(exchange.prompt, text)
    lengths = {"empty": not text, "at the limit": not exchange.stopped}
    has = _structure(text) | _length(ratio) | lengths | dict.fromkeys(shown, True)
    return AnswerForm({name: has.get(name, False) for name in FEATURES}, shown, count, paragraphs(text), ratio)


def _structure(text: str) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {
        "list": items(text) > 0,
        "code fence": fenced(text),
        "table": tabled(text),
        "heading": headed(text),
        "json": json_of(text) is not None,
    }
    return found | {"prose": bool(text) and not any(found.values()) and not is_code(text)}


def _ratio(count: int, references: tuple[str, ...]) -> float | None:
    """Of several references, the one that is nearest in length; one without words has no length."""
    lengths = [length for one in references if (length := count_words(one))]
    return min((count / length for length in lengths), key=lambda ratio: abs(ratio - 1), default=None)


def _length(ratio: float | None) -> dict[str, bool | None]:
    if ratio is None:
        return dict.fromkeys(("suitable length", "too short", "too long"))
    return {
        "suitable length": SHORTEST <= ratio <= LONGEST,
        "too short": ratio < SHORTEST,
        "too long": ratio > LONGEST,
    }


def _fluency(prompt: str, text: str) -> dict[str, str]:
    if not text:
        return {}
    cut: list[Doubt] = ending_doubts(text, language=language(text[-LOOKED_AT:]), code=is_code(text[:LOOKED_AT]))
    found = {_FLUENCY.get(doubt.reason, doubt.reason): doubt.detail for doubt in fluency_doubts(prompt, text)}
    if cut and cut[0].reason == "cut off":
        found["unfinished"] = cut[0].detail
    return found
