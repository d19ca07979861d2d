"""Constraints on Chinese answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.evaluation.constraints.parsing import parsed
from tutelage.evaluation.constraints.verdicts import check

POEM = "白日依山尽，\n黄河入海流。\n"
# Kind and arguments; answers that keep to it; answers that do not.
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"id": "zh:characters", "relation": "exactly", "count": 3}, ["好，的AI 1是！", "㐀𠀀〇"], ["好的", "ABC"]),
    (
        {"id": "zh:sentences", "relation": "exactly", "count": 2},
        ["好。行！", "1. 好。\n2. 行。", "一、好。（二）行。", "“好。”他说"],
        ["好，行。"],
    ),
    (
        {"id": "zh:paragraphs", "relation": "exactly", "count": 2},
        ["甲\n乙", "甲\n甲\n\n乙", "甲\n \n乙", "\n\n甲\r\n\r\n乙\n"],
        ["甲", "甲\n\n乙\n\n丙"],
    ),
    ({"id": "zh:paragraph_start", "nth": 2, "phrase": "首先"}, ["甲\n首先乙", "甲\n\n**首先**"], ["首先\n乙", "首先"]),
    ({"id": "zh:lines", "relation": "at most", "count": 2}, ["甲", "甲\n\n乙\n"], ["甲\n乙\n丙"]),
    ({"id": "zh:line_characters", "count": 5}, [POEM], [POEM + "欲穷"]),
    ({"id": "zh:keywords_present", "keywords": ["猫", "ai"]}, ["猫和ＡＩ"], ["猫", "AI"]),
    ({"id": "zh:keywords_absent", "keywords": ["猫", "狗"]}, ["鸟"], ["小狗"]),
    ({"id": "zh:keyword_count", "keyword": "猫", "relation": "at least", "count": 2}, ["猫猫"], ["猫"]),
    ({"id": "zh:starts_with", "phrase": "您好"}, [" 您好！", "“您好”", "**您好**"], ["你好", "啊，您好"]),
    ({"id": "zh:ends_with", "phrase": "谢谢"}, ["多谢，谢谢", "谢谢。\n", "“谢谢！”"], ["谢谢你", "感谢"]),
    ({"id": "zh:ends_with", "phrase": "好吗？"}, ["这样好吗?"], ["这样好吗。"]),
    (
        {"id": "zh:numbered_items", "relation": "exactly", "count": 3},
        [
            "1. 甲\n2．乙\n 3、丙",
            "一、甲\n（二）乙\n④丙",
            "**1. 甲**\n# 2) 乙\n第三，丙",
            "第一点\n第二步\n第3条",
            "１．甲\n2.乙\n3.丙\n3.5亿",
        ],
        ["1甲\n2乙\n3丙", "2024年\n1. 甲", "- 1\n- 2\n- 3"],
    ),
    (
        {"id": "zh:bullets", "relation": "exactly", "count": 2},
        ["- 甲\n* 乙", "• 甲\n·乙", "  - 甲\n\n\n  - 乙\n---\n**粗**"],
        ["-甲\n-乙", "- 甲"],
    ),
    (
        {"id": "zh:sections", "unit": "章", "relation": "at least", "count": 2},
        ["第一章 始\n文\n## 第2章"],
        ["第一节\n第二节", "说第一章、第二章"],
    ),
    (
        {"id": "zh:json", "keys": ["名"]},
        ['{"名": 1}', '```json\n{"名": null, "b": 2}\n```'],
        ['{"b": 1}', '["名"]', "名"],
    ),
    ({"id": "zh:title"}, ["《春》\n文", "\n## 《春》\n文", "**《春》**"], ["读《春》", "《》", "《春》《夏》", "春"]),
    ({"id": "zh:without_marks", "marks": ["，", "！"]}, ["好。是、否"], ["好，是", "ok, 好", "好!"]),
    (
        {"id": "zh:full_width_marks"},
        ["好，是（真）。3.5元", "1.苹果", "用Node.js写", "OK, fine."],
        ["好,是", "好.", "(好）", "AI,好"],
    ),
    (
        {"id": "zh:corner_quotes"},
        ["他说「好」", "「甲『乙』丙」don't"],
        ["好", "「好", "」好「", "「甲『乙」丙』", "「好」“是”", '「好」"是"', "『好』"],
    ),
    ({"id": "zh:no_latin"}, ["好 123 привет"], ["好A", "Ａ", "é"]),
    ({"id": "zh:only_han"}, ["好，12！😀"], ["好a", "です", "123"]),
    ({"id": "zh:no_digits"}, ["三十"], ["3", "３"]),
    ({"id": "zh:script", "script": "simplified"}, ["这个国家的历史很长", "你好"], ["這個國家的歷史很長", "hello"]),
    ({"id": "zh:script", "script": "traditional"}, ["這個國家的歷史很長", "你好"], ["这个国家的历史很长"]),
    ({"id": "zh:choice", "choices": ["A", "是"]}, ["A", "（ａ）。", "是！"], ["A B", "不是", "答案是A", "。"]),
    (
        {"id": "zh:postscript", "marker": "附言："},
        ["信\n附言：记得", "信\n\n**附言:** 记得"],
        ["附言：记得", "信，附言：记得", "信\n附言："],
    ),
]


@pytest.mark.parametrize(("data", "kept", "broken"), CASES)
def test_kept_and_broken(data: dict[str, Any], kept: list[str], broken: list[str]) -> None:
    constraint = parsed(data)
    assert [answer for answer in kept if not check(constraint, answer)] == []
    assert [answer for answer in broken if check(constraint, answer)] == []
    assert not check(constraint, " \n")


def test_a_name_in_the_other_script_is_forgiven() -> None:
    text = "这个国家的历史很长，经过许多战争与发展，现在已经变为经济强国。" * 2
    assert check(parsed({"id": "zh:script", "script": "simplified"}), text + "國")
    assert not check(parsed({"id": "zh:script", "script": "simplified"}), text + "國" * 9)


@pytest.mark.shared
def test_real_answers_are_simplified(shared: Path) -> None:
    rows = json.loads((shared / "datasets" / "ruozhiba" / "ruozhiba_qa2449_gpt4o.json").read_text(encoding="utf-8"))
    answers = [row["output"] for row in rows[:500]]
    kept = [check(parsed({"id": "zh:script", "script": "simplified"}), answer) for answer in answers]
    assert len(kept) > 100
    assert sum(kept) / len(kept) > 0.99
