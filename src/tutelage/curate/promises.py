"""Lists that were promised, by the prompt or by the answer, and what was given."""

import regex

from tutelage.curate.doubts import MILD, Doubt

_EN = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "twenty": 20,
}  # fmt: skip
_ZH = {character: number for number, character in enumerate("一二三四五六七八九", start=1)} | {"两": 2}
_MOST = 20  # items; more than these are rarely meant as a list
_NUMBER = rf"(?P<number>{'|'.join(_EN)}|[2-9]|1\d|20)"
_NO_ITEMS = (  # measures, and things that an answer has rather than lists
    r"(?!(?:\w+[- ])?(?:words?|letters?|characters?|digits?|lines?|paragraphs?|stanzas?|pages?|verses?|syllables?|"
    r"times?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|dollars?|percent|points?|stars?|people|persons?|"
    r"players?|parts?|sections?|columns?|rows?|sets?|pairs?|servings?|cups?|numbers|sided|bullet|digit|lists?|groups?|"
    r"categories|teams?|sentences?)\b|(?:and|or|to|of|in|x|by|more)\b)"
)
_ASKED_EN = regex.compile(
    r"(?:^|[.!?:;\n]\s*|\b(?:please|and|to|you|then|also)\s)(?:list|name|give|provide|suggest|identify|generate|write|"
    r"come up with|brainstorm|create|describe|recommend|mention|state|offer|think of|propose|find|tell me|compile|"
    r"make a list of|create a list of|outline|explain|select|choose|pick)\s(?:me |us |out |down |a list of "
    r"|a list with |"
    r"the |any |at least |of |top |some )*"
    rf"{_NUMBER}\s+{_NO_ITEMS}(?:[\w'-]+\s+){{0,3}}?(?P<items>[a-z][\w'-]*s)\b(?!\s+or\b)",
    regex.IGNORECASE,
)
_ASKED_ZH = regex.compile(
    r"(?:列出|列举|给出|举出|提供|说出|写出|提出|生成|推荐|想出|命名|介绍|找出|写下|举|给|写|说|指出|总结出|建议)"
    r"(?:我|一下|关于|至少|以下|前|了)*"
    r"(?P<number>[2-9]|1\d|20|[两二三四五六七八九]|十[一二三四五六七八九]?|二十)\s?"
    r"(?:个|条|种|点|项|款|位|本|部|首|家|座|类|道|件|样|句)(?!字|词语?以|月|小时|人一|部分|段落?|词的|字母"
    r"|单词的)(?![^。\n]{0,12}[，,](?:生成|写|计算|找|确定|创建|请|判断|比较|返回|输出))"
)
_SAID_EN = regex.compile(
    rf"\b(?:here are|following|these|there are)\s(?:the |some |my |are "
    rf"|top )*{_NUMBER}\s+{_NO_ITEMS}[^.!?\n:]{{0,60}}:\s*(?=\n|1[.)])",
    regex.IGNORECASE,
)
_SAID_ZH = regex.compile(
    r"(?:以下|下面|如下|有|包括)(?:是|的|这|几|有|为)*[^。！？\n:：0-9]{0,6}?"
    r"(?P<number>[2-9]|1\d|20|[两二三四五六七八九]|十[一二三四五六七八九]?)\s?(?:个|条|种|点|项|款"
    r"|类)[^。！？\n:：]{0,20}[:：]\s*(?=\n|1[.、])"
)
_RANGE = regex.compile(
    r"\b(?:up to|no more than|at most|maximum|or fewer|or less|between|one or)\b|最多|至多|不超过|以内|或更少",
    regex.IGNORECASE,
)
_NUMBERED = regex.compile(
    r"(?:^|(?<=[\s。；;:：.,，(]))[(（]?(?:\d{1,2}|[一二三四五六七八九十]{1,3}|[a-hA-H]"
    r"|#\d{1,2})[.)、）:：．](?=\s?\D)"
    r"|^[^\S\n]*(?:\*\*|#+ )?(?:第[一二三四五六七八九十\d]+|\w+ \d{1,2}[:.])|[①-⑳]|\b(?:first|second|third|fourth"
    r"|fifth|finally|lastly)(?:ly)?,"
    r"|首先|其次|再次|最后|第[一二三四五六七八九十]",
    regex.MULTILINE | regex.IGNORECASE,
)
_BULLET = regex.compile(r"^[^\S\n]*[-*•·●▪◦–—+>✓✔]", regex.MULTILINE)
_JSON = regex.compile(r'\s*(?:\[\s*)?\{\s*"|\s*\[\s*"')
_PART = regex.compile(
    r"[,，、;；/|\n]|(?<![.。!！?？])[.。!！?？]+(?=\s|$|\p{Han})|\b(?:and|or|&)\b|\s[-–—:]\s|[和与及或]|以及",
    regex.IGNORECASE,
)


def promise_doubts(prompt: str, answer: str) -> list[Doubt]:
    """A doubt where surely fewer items are given than the prompt asks for, or than the answer itself announces.

    Only single promises of 2 to 20 items count. What is given is what is most among numbered items, bulleted ones,
    lines, and the parts between commas, semicolons, conjunctions and ends of sentences; where there are numbered or
    bulleted items, those. An answer in JSON, as a call of a tool, has items of its own.
    """
    if _JSON.match(answer):
        return []
    promised = _promised(answer, _SAID_EN, _SAID_ZH) or _promised(prompt, _ASKED_EN, _ASKED_ZH)
    if not promised:
        return []
    given = _given(answer)
    if given >= promised or not given:
        return []
    missing = (promised - given) / promised
    return [Doubt("fewer items than promised", f"{given} of {promised}", MILD + 0.5 * missing)]


def _promised(text: str, english: regex.Pattern[str], chinese: regex.Pattern[str]) -> int:
    """The number of items in the only promise of a text, or 0."""
    found = [*english.finditer(text[:2_000]), *chinese.finditer(text[:2_000])]
    if len(found) != 1 or _RANGE.search(text[:2_000]):
        return 0
    number = _value(found[0]["number"])
    return number if 2 <= number <= _MOST else 0


def _value(written: str) -> int:
    if written.isdecimal():
        return int(written)
    if written.lower() in _EN:
        return _EN[written.lower()]
    tens, ten, ones = written.rpartition("十")
    return (_ZH.get(tens, 1) * 10 if ten else 0) + _ZH.get(ones, 0)


def _given(answer: str) -> int:
    numbered, bulleted = len(_NUMBERED.findall(answer)), len(_BULLET.findall(answer))
    marked = max(numbered, bulleted)
    if marked >= 2:
        lines = [line for line in answer.split("\n") if line.strip()]
        single = numbered if numbered > bulleted else bulleted
        return max(single, 0 if len(lines) <= marked + 2 else len(lines) - 2)
    return sum(1 for part in _PART.split(answer) if part.strip(" \t\"'.!"))
