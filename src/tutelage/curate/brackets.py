"""Brackets, quotation marks and code fences that were opened and not closed, or closed and not opened."""

import regex

from tutelage.curate.doubts import GRAVE, MILD, Doubt, excerpt

_PAIRS = {"(": ")", "[": ")", "（": ")", "{": "}", "【": "】", "《": "》", "「": "」", "『": "』", "〈": "〉"}
_ROUND = str.maketrans("])）", ")))")  # [0, 1) is an interval; the two widths are mixed in one pair
_MARKS = regex.compile(r"[()\[\]{}（）【】《》「」『』〈〉]")
# Brackets that belong to no pair: the number of an item, an emoticon, an escaped or a quoted one.
_LONE = regex.compile(
    r"(?:^|(?<=[\s:：;；,，.。、(]))(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4}|[一二三四五六七八九十]{1,3})[)）\]]"
    r"|[:;=xX8][-'^o]?[()\[\]{}]+|[()][-']?[:;=]"
    r"|\\[()\[\]{}]|['\"‘“`][()\[\]{}]{1,3}['\"’”`]",
    regex.MULTILINE,
)
_CODE_SPANS = regex.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\$(?![\d\s])[^$\n]*(?<!\s)\$(?!\d)", regex.DOTALL)
_MEASURE = regex.compile(r"(?<=\d)(?:\"|''|″)")  # inches
_CONTINUED = regex.compile(r"\n[^\S\n]*[\"“]")  # each paragraph of a long quotation opens it again
_UNCLOSED_FENCE = GRAVE


def bracket_doubts(answer: str, *, code: bool) -> list[Doubt]:
    """Mild doubts about unbalanced brackets and quotation marks, and a grave one about a code fence that is left open.

    Brackets and quotation marks are not looked at where the answer itself is code, nor within fences and formulas.
    Brackets of items such as `1)`, emoticons and intervals such as `[0, 1)` belong to no pair.
    """
    doubts = []
    if answer.count("```") % 2:
        doubts.append(Doubt("open code fence", excerpt(answer[answer.rfind("```") :]), _UNCLOSED_FENCE))
    if code or (not any(mark.isspace() for mark in answer.strip()) and answer.isascii()):  # code, a password, a formula
        return doubts
    text = _CODE_SPANS.sub(" ", answer) if "`" in answer or "$" in answer else answer
    if found := _unbalanced(text):
        doubts.append(Doubt("unbalanced brackets", found, MILD))
    if found := _open_quotes(text):
        doubts.append(Doubt("unbalanced quotation marks", found, MILD / 2))
    return doubts


def _unbalanced(text: str) -> str:
    """The first bracket without its other half, with the text around it; empty where all have one."""
    opened, alone = list[tuple[str, int]](), list[int]()
    for match in _MARKS.finditer(text):
        mark, place = match[0], match.start()
        if mark in _PAIRS:
            opened.append((_PAIRS[mark], place))
        elif opened and opened[-1][0] == mark.translate(_ROUND):
            opened.pop()
        else:
            alone.append(place)
    alone += [place for _, place in opened]
    if alone:
        lone = {place for match in _LONE.finditer(text) for place in range(*match.span())}
        alone = [place for place in alone if place not in lone]
    return excerpt(text[max(min(alone) - 20, 0) : min(alone) + 40]) if alone else ""


def _open_quotes(text: str) -> str:
    if text.count("“") > text.count("”") and not _CONTINUED.search(text) and text.count('"') == 0:
        return excerpt(text[text.rfind("“") :])
    if text.count('"') % 2 == 0 or _CONTINUED.search(text):
        return ""
    marks = _MEASURE.sub("", text)
    mixed = "“" in marks or "”" in marks
    return excerpt(marks[marks.rfind('"') :]) if marks.count('"') % 2 and not mixed else ""
