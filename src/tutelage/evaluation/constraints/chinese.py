"""Constraints on Chinese answers: characters, lines, keywords, script, and the forms of Chinese writing.

Counts are of Han characters, not of marks, digits and Latin letters. Where a text is looked for, the width of
characters does not matter: `附言:` is `附言：`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from unicodedata import normalize

import regex

from tutelage.evaluation.constraints.form import parsed_json
from tutelage.evaluation.constraints.kinds import COUNT, ORDINAL, RELATION, TEXT, TEXTS, Kind, holds, one_of
from tutelage.evaluation.constraints.sentences import count_sentences

_HAN = regex.compile(r"\p{Han}")
_LATIN = regex.compile(r"\p{Latin}")
_OTHER_LETTER = regex.compile(r"[\p{L}--\p{Han}]", regex.VERSION1)
_DIGIT = regex.compile(r"\p{Nd}")
_BLANK_LINE = regex.compile(r"\n[^\S\n]*+\n")
_NUMERAL = r"[一二三四五六七八九十百零〇两\p{Nd}]{1,6}"
_MARKUP = r"^[\s>#*_--\n]*+"  # of Markdown, before what a line says
_NUMBERED = regex.compile(
    rf"{_MARKUP}(?:{_NUMERAL}[、．.）)](?!\p{{Nd}})|[（(]{_NUMERAL}[）)]|第{_NUMERAL}[，,、：:点条步项]|[①-⑳])",
    regex.MULTILINE | regex.VERSION1,
)
_BULLET = regex.compile(r"^[^\S\n]*+(?:[-*+](?=[^\S\n])|[•·●▪◦○■□◆])", regex.MULTILINE)
_HALF_WIDTH = regex.compile(r"(?<=\p{Han})[,.;:?!()]|[,;:?!()](?=\p{Han})")
_OTHER_QUOTES = regex.compile('[“”‘"＂]')
_CORNER = regex.compile("[「」『』]")
_OPENED = {"」": "「", "』": "『"}
_ENDS = " \t\r\n。！？!?.…~～*_”’\"'」』）)"
_OUTER = " \t\r\n。！？!?.…~～*_“”‘’\"'「」『』（）()【】[]，,：:、"
_STRAY = 0.05  # of the characters that tell: names and quotations are written in the other script


def characters(answer: str, *, relation: str, count: int) -> bool:
    """Whether an answer has so many Han characters."""
    return holds(len(_HAN.findall(answer)), relation, bound=count)


def sentences(answer: str, *, relation: str, count: int) -> bool:
    """Whether an answer has so many sentences (see `sentences`); the numbers of a list are none."""
    return holds(count_sentences(_NUMBERED.sub("", answer)), relation, bound=count)


def paragraphs(answer: str, *, relation: str, count: int) -> bool:
    """Whether an answer has so many paragraphs: what blank lines part, or lines where there are no blank ones."""
    return holds(len(_paragraphs(answer)), relation, bound=count)


def paragraph_start(answer: str, *, nth: int, phrase: str) -> bool:
    """Whether the nth paragraph begins with a phrase."""
    found = _paragraphs(answer)
    return len(found) >= nth and _begins(found[nth - 1], phrase)


def lines(answer: str, *, relation: str, count: int) -> bool:
    """Whether an answer has so many lines that are not blank."""
    return holds(len(_lines(answer)), relation, bound=count)


def line_characters(answer: str, count: int) -> bool:
    """Whether every line has exactly so many Han characters, as in a poem."""
    return all(len(_HAN.findall(line)) == count for line in _lines(answer))


def keywords_present(answer: str, keywords: Sequence[str]) -> bool:
    """Whether every keyword occurs."""
    folded = _folded(answer)
    return all(_folded(keyword) in folded for keyword in keywords)


def keywords_absent(answer: str, keywords: Sequence[str]) -> bool:
    """Whether no keyword occurs."""
    folded = _folded(answer)
    return not any(_folded(keyword) in folded for keyword in keywords)


def keyword_count(answer: str, *, keyword: str, relation: str, count: int) -> bool:
    """Whether a keyword occurs so often; occurrences do not overlap."""
    return holds(_folded(answer).count(_folded(keyword)), relation, bound=count)


def starts_with(answer: str, phrase: str) -> bool:
    """Whether an answer begins with a phrase, whatever quotes and stars stand before it."""
    return _begins(answer, phrase)


def ends_with(answer: str, phrase: str) -> bool:
    """Whether an answer ends with a phrase, whatever marks stand behind it."""
    text, ending = _folded(answer).strip(), _folded(phrase).strip()
    return text.endswith(ending) or text.rstrip(_ENDS).endswith(ending)


def numbered_items(answer: str, *, relation: str, count: int) -> bool:
    """Whether so many lines begin with a number: `1.`, `一、`, `（二）`, `第三，`, `第四点`, `⑤`."""
    return holds(len(_NUMBERED.findall(answer)), relation, bound=count)


def bullets(answer: str, *, relation: str, count: int) -> bool:
    """Whether so many lines begin with a bullet: `-`, `*` or `+` and a space, or a sign like `•`."""
    return holds(len(_BULLET.findall(answer)), relation, bound=count)


def sections(answer: str, *, unit: str, relation: str, count: int) -> bool:
    """Whether so many lines are the heading of a section: `第一章` where the unit is 章."""
    heading = rf"{_MARKUP}第\s?{_NUMERAL}\s?{regex.escape(unit)}"
    return holds(len(regex.findall(heading, answer, regex.MULTILINE | regex.VERSION1)), relation, bound=count)


def json_object(answer: str, keys: Sequence[str]) -> bool:
    """Whether an answer is a JSON object that has the keys, in a fenced block or bare."""
    found = parsed_json(answer)
    return isinstance(found, dict) and set(keys) <= found.keys()


def title(answer: str) -> bool:
    """Whether the first line is a title, 《…》, and nothing else."""
    first = _lines(answer)[0].strip("#* \t\r")
    named = first[1:-1]
    return first[:1] + first[-1:] == "《》" and bool(named.strip()) and "》" not in named


def without_marks(answer: str, marks: Sequence[str]) -> bool:
    """Whether none of the punctuation marks occurs, whatever its width."""
    return keywords_absent(answer, marks)


def full_width_marks(answer: str) -> bool:
    """Whether no comma, point, colon, question mark or bracket beside a Han character is a half-width one. The point of
    a list's number (`1.苹果`) may be."""
    return _HALF_WIDTH.search(answer) is None


def corner_quotes(answer: str) -> bool:
    """Whether an answer quotes with 「」 (『』 within), opened and closed in order, and with no other quotes."""
    opened: list[str] = []
    marks = _CORNER.findall(answer)
    for mark in marks:
        if mark not in _OPENED:
            opened.append(mark)
        elif not opened or opened.pop() != _OPENED[mark]:
            return False
    return "「" in marks and not opened and _OTHER_QUOTES.search(answer) is None


def no_latin(answer: str) -> bool:
    """Whether an answer has no Latin letter."""
    return _LATIN.search(answer) is None


def only_han(answer: str) -> bool:
    """Whether an answer has Han characters, and no letter of another script; digits, marks and signs may stand."""
    return _HAN.search(answer) is not None and _OTHER_LETTER.search(answer) is None


def no_digits(answer: str) -> bool:
    """Whether an answer writes no number with digits (1, １), only with characters (一)."""
    return _DIGIT.search(answer) is None


def script(answer: str, script: str) -> bool:
    """Whether an answer is in "simplified" or "traditional" Chinese.

    The characters tell that only one of two national character sets has: GB 2312 (simplified, 6,763 characters) or
    Big5 (traditional, some 13,000). At most one in 20 of these may be of the other. Where none tells (你好), both hold.
    """
    counts: Counter[str] = Counter()
    for character, count in Counter(_HAN.findall(answer)).items():
        counts[_script(character)] += count
    telling = counts["simplified"] + counts["traditional"]
    return bool(counts) and telling - counts[script] <= _STRAY * telling


def choice(answer: str, choices: Sequence[str]) -> bool:
    """Whether an answer is one of the choices and nothing else, but for marks and brackets around it."""
    return _folded(answer).strip(_OUTER) in {_folded(one).strip(_OUTER) for one in choices}


def postscript(answer: str, marker: str) -> bool:
    """Whether a line after the first begins with the marker (`附言：`), and something follows it."""
    wanted = _folded(marker).strip()
    for line in _lines(answer)[1:]:
        text = _folded(line).strip(" \t\r*_#>")
        if text.startswith(wanted) and text[len(wanted) :].strip(_OUTER):
            return True
    return False


def _folded(text: str) -> str:
    """Without differences of width and capitals (NFKC)."""
    return normalize("NFKC", text).lower()


def _begins(text: str, phrase: str) -> bool:
    opening = _folded(phrase).strip()
    text = _folded(text).strip()
    return text.startswith(opening) or text.lstrip(_OUTER).startswith(opening)


def _lines(answer: str) -> list[str]:
    return [line for line in answer.split("\n") if line.strip()]


def _paragraphs(answer: str) -> list[str]:
    parts = [part for part in _BLANK_LINE.split(answer.strip()) if part.strip()]
    return parts if len(parts) > 1 else _lines(answer)


@cache
def _script(character: str) -> str:
    """ "simplified", "traditional", or "either"."""
    simplified, traditional = _encodes(character, "gb2312"), _encodes(character, "big5")
    if simplified == traditional:
        return "either"
    return "simplified" if simplified else "traditional"


def _encodes(character: str, charset: str) -> bool:
    return bool(character.encode(charset, errors="ignore"))


_COUNTED = {"relation": RELATION, "count": COUNT}
KINDS: Mapping[str, Kind] = {
    "zh:characters": Kind(characters, "汉字数{relation} {count}", _COUNTED),
    "zh:sentences": Kind(sentences, "句数{relation} {count}", _COUNTED),
    "zh:paragraphs": Kind(paragraphs, "段数{relation} {count}", _COUNTED),
    "zh:paragraph_start": Kind(paragraph_start, "第 {nth} 段以{phrase}开头", {"nth": ORDINAL, "phrase": TEXT}),
    "zh:lines": Kind(lines, "行数{relation} {count}", _COUNTED),
    "zh:line_characters": Kind(line_characters, "每行恰好 {count} 个汉字", {"count": ORDINAL}),
    "zh:keywords_present": Kind(keywords_present, "出现关键词{keywords}", {"keywords": TEXTS}),
    "zh:keywords_absent": Kind(keywords_absent, "不出现{keywords}", {"keywords": TEXTS}),
    "zh:keyword_count": Kind(keyword_count, "{keyword}出现的次数{relation} {count}", {"keyword": TEXT, **_COUNTED}),
    "zh:starts_with": Kind(starts_with, "以{phrase}开头", {"phrase": TEXT}),
    "zh:ends_with": Kind(ends_with, "以{phrase}结尾", {"phrase": TEXT}),
    "zh:numbered_items": Kind(numbered_items, "编号条目数{relation} {count}", _COUNTED),
    "zh:bullets": Kind(bullets, "项目符号条目数{relation} {count}", _COUNTED),
    "zh:sections": Kind(sections, "以“第几”和{unit}开头的标题数{relation} {count}", {"unit": TEXT, **_COUNTED}),
    "zh:json": Kind(json_object, "是 JSON 对象，含键{keys}", {"keys": TEXTS}),
    "zh:title": Kind(title, "第一行是《》中的标题", {}),
    "zh:without_marks": Kind(without_marks, "不使用标点{marks}", {"marks": TEXTS}),
    "zh:full_width_marks": Kind(full_width_marks, "使用全角标点", {}),
    "zh:corner_quotes": Kind(corner_quotes, "引号用「」", {}),
    "zh:no_latin": Kind(no_latin, "不含拉丁字母", {}),
    "zh:only_han": Kind(only_han, "只用汉字", {}),
    "zh:no_digits": Kind(no_digits, "数字用汉字书写", {}),
    "zh:script": Kind(script, "用{script}字", {"script": one_of("simplified", "traditional")}),
    "zh:choice": Kind(choice, "只回答{choices}之一", {"choices": TEXTS}),
    "zh:postscript": Kind(postscript, "文末有以{marker}开头的附言", {"marker": TEXT}),
}
