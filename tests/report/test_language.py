"""Every text of the pages has its Chinese, and a Chinese page holds no other."""

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any, get_args

import pytest

from tests.report.elements import Elements
from tests.report.run_reports import DATA_MAP, HELD_OUT, ORIGIN, OVER_ALL, UNSURE, filled
from tutelage.evaluation.answer_form.forms import FEATURES
from tutelage.evaluation.data_map.trajectory import Kind
from tutelage.evaluation.following.component import WEIGHTS
from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.statistics import Verdict
from tutelage.evaluation.statistics.pairs import Test
from tutelage.report import content as c
from tutelage.report import evaluation_page, page, wording
from tutelage.report.language import catalogue, known, language, spoken, t

REPORT = files("tutelage.report")
NAMES = {"Tutelage", "LoRA", "McNemar", "Holm", "token", "Token", "max_length", "GFLOP", "GiB", "alpha", "id"}
KEYS = re.compile(r"tutelage data clean|[a-z]+\.[a-z_]+")  # of recipes, and commands
TEXT = re.compile(r"[A-Za-z_]{2,}")


def called() -> Iterator[str]:
    """The first argument of every call of `t` in the templates and modules, where it is written there."""
    for file in REPORT.iterdir():
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if file.name.endswith(".jinja"):
            yield from re.findall(r'\bt\("([^"]*)"', text)
        elif file.name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t":
                    assert isinstance(node.args[0], ast.Constant), f"{file.name}: a text that is put together"
                    yield str(node.args[0].value)


def fields(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def test_every_text_is_translated() -> None:
    texts = set(called())
    assert len(texts) > 200
    assert texts - set(catalogue()) == set()


def test_the_places_of_values_agree() -> None:
    for english, chinese in catalogue().items():
        assert fields(chinese) == fields(english), english


def test_words_that_come_with_the_content_are_translated() -> None:
    words = {*get_args(Verdict), *get_args(Test), *get_args(Kind), *wording.LANGUAGES.values(), "more", "fewer"}
    words |= {metric.what for metric in METRICS.values()} | {feature.label for feature in FEATURES.values()}
    words |= {name.capitalize() for name in ("following", *WEIGHTS)} | {"used", "shortened", "dropped"}
    assert words - set(catalogue()) == set()
    with spoken("zh"):
        names = {wording.metric(name) for name in METRICS}
    assert {name for name in names if not re.search(r"[\u4e00-\u9fff]", name)} == {
        "F1",
        "BLEU",
        "chrF",
        "ROUGE-1",
        "ROUGE-2",
        "ROUGE-L",
    }


def test_pages_speak_english_outside_of_the_block() -> None:
    with spoken("zh"):
        assert language() == "zh"
        assert t("{n} questions", n="3") == " 3 道题"
        assert known("no such text") == "no such text"
        with pytest.raises(KeyError):
            t("no such text")
    assert language() == "en"
    assert t("{n} questions", n="{braces}") == "{braces} questions"


def chinese() -> c.Report:
    """A report whose data are Chinese, so that all that is English is ours."""
    items = tuple(
        replace(item, place="", task="算术", question="六乘以七？", expected="四十二") for item in HELD_OUT.items
    )
    answers = tuple(replace(item, answers=tuple(replace(one, text="一条河") for one in item.answers)) for item in items)
    suite = replace(HELD_OUT, what="a reference stands in it", items=answers)
    report = filled()
    sample = replace(
        report.samples[0], place="数据", tokens=tuple(replace(one, text="字") for one in report.samples[0].tokens)
    )
    suspects = tuple(replace(one, place="数据", prompt="河？", answer="七") for one in DATA_MAP.suspects)
    ledger = replace(
        report.ledger,
        reasons=(c.Reason("dropped", "太长", 6, "数据", ""),),
        formats=("数据",),
        notes=(("空白", 17),),
    )
    return replace(
        report,
        model="模型",
        data=("数据",),
        template="模板",
        evidence=(
            suite,
            replace(suite, name="诗", models=("甲", "乙"), slices=(OVER_ALL, *[replace(OVER_ALL, label="zh")] * 6)),
        ),
        samples=(sample,),
        ledger=ledger,
        data_map=replace(DATA_MAP, suspects=suspects),
        origin=replace(ORIGIN, recipe="", command="", versions=(("platform", "七"),)),
    )


def shown(html: str) -> str:
    """What people read of a page, without the names of files."""
    html = re.sub(r"<style>.*?</style>|<script>.*?</script>|<code>.*?</code>", "", html, flags=re.DOTALL)
    return KEYS.sub("", "".join(Elements(html).text))


def attributes(html: str) -> str:
    return " ".join(
        str(value) for name, value in Elements(html).attributes if name in {"aria-label", "title", "data-label"}
    )


def test_a_chinese_page_holds_no_english() -> None:
    report: Any = chinese()
    with spoken("zh"):
        html = page.html(report)
        evaluated = evaluation_page.html(c.Evaluation((("甲", "子"), ("乙", "丑")), report.evidence[1:], report.origin))
    for text in (html, evaluated):
        assert '<html lang="zh">' in text
        left = set(TEXT.findall(shown(text))) | set(TEXT.findall(attributes(text)))
        assert left - NAMES == set(), "English words"
    assert 'aria-label="训练损失与留出集损失随步数的变化"' in html
    assert re.search(r"<text[^>]*>步</text>", html)
    assert "优于" in html or "无法区分" in html


def test_the_figures_are_the_same_in_both_languages() -> None:
    report = chinese()
    english = shown(page.html(report))
    with spoken("zh"):
        translated = shown(page.html(report))
    for number in ("25.0", "50.0", "12.3k", "6,789", "1.125", "87.5", "+9.2"):
        assert number in english, number
        assert number in translated, number


def test_a_finding_is_told_in_chinese() -> None:
    worse = replace(OVER_ALL, against=(replace(UNSURE, verdict="worse"),))
    report = replace(chinese(), evidence=(replace(HELD_OUT, slices=(worse,)),))
    with spoken("zh"):
        assert "留出集：回答变差，4 题上的变化为 +25.0 个百分点。" in page.html(report)
