"""Numeric answers: the number that an answer ends with, however it is written, compared exactly.

What counts is the value: 18, 18.0, $18, １８ and 十八 are the same. Signs of currency and of percent are units and fall
away, as words after the number do: 20 % is 20. Numbers written as English words are not read.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from unicodedata import numeric

_LONGEST = 1000  # characters or decimal exponent of one number; what is longer comes of a model that does not stop

_ZH_DIGITS = "零一二三四五六七八九"
_ZH_UNITS = (("亿", 10**8), ("万", 10**4), ("千", 1000), ("百", 100), ("十", 10))
_ENGLISH = {"": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

# Full-width forms of ASCII, other minus and fraction signs, and the Chinese characters that cheques and old script use.
_FOLDED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans(
    "−⁄〇○两兩壹贰貳叁參肆伍陆陸柒捌玖拾佰仟萬億點負", "-/零零二二一二二三三四五六六七八九十百千万亿点负"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TO_ASCII = str.maketrans(_ZH_DIGITS + "点", "0123456789.", ", ")

_VULGAR = re.compile("[¼-¾⅐-⅞]")
_LATEX = (
    (re.compile(r"\\[,!;]"), ""),
    (re.compile(r"(?<=[0-9])\{,\}(?=[0-9])"), ","),
    (re.compile(r"\\[dt]?frac\s*\{\s*(-?[0-9.]+)\s*\}\s*\{\s*([0-9.]+)\s*\}"), r"\1/\2"),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), "×"),
    (re.compile(r"\\(?!boxed)[A-Za-z]+|\\(?=[$%])"), " "),
)
_MARKER = re.compile(
    r"\#{4}|\\boxed\s*\{|^[ *]*A[ *]*:|\banswer\b[ *_\"]*(?:is|are|=|:)|答案?[ *]*(?:应该是|应该?为|是|为|等于|:|=)",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSE = re.compile(r"[^\n。;]*?(?=\n|[。;]|\.\s|$)")

_PLAIN = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?|\.[0-9]++)"
_UNIT = r"(?:[亿万百十]|千(?![克米瓦]))"  # 5千克 are 5 kilograms
_RUN = (
    rf"(?=[{_ZH_DIGITS}十0-9.])(?:{_PLAIN}[ ]?(?={_UNIT})|[{_ZH_DIGITS}]|{_UNIT}){{1,40}}"
    rf"(?:(?<=[亿万千百]){_PLAIN})?(?:点[{_ZH_DIGITS}]{{1,40}}{_UNIT}{{0,3}})?"
)
_NUMBER = re.compile(
    rf"""(?<![A-Za-z0-9^])(?<![A-Za-z]_)(?<!\^\{{)
    (?P<sign>(?:(?<![)\]}}%])-|负|(?:minus|negative)\ )?(?:(?:USD|EUR|GBP|CNY|RMB|JPY|INR|HKD|Rs|RM|[$€£¥₹])[ ]?-?)?)
    (?:(?P<of>百|{_RUN})分之(?P<parts>{_RUN}|{_PLAIN})
      |(?!一[共些样定起般直切旦致])(?<![第统唯万])(?P<chinese>{_RUN})
      |(?:(?P<whole>[0-9]++)\ )?(?P<top>{_PLAIN})[ ]?/[ ]?(?P<bottom>{_PLAIN})
      |(?P<first>{_PLAIN}):(?P<second>{_PLAIN})
      |(?P<ten>10)\^\{{?(?P<tens>[-+]?[0-9]++)
      |(?P<plain>{_PLAIN})
       (?:e(?P<exponent>[-+]?[0-9]++)|[ ]?[x×*][ ]?10\^\{{?(?P<power>[-+]?[0-9]++))?
       (?:[ ]?(?P<many>thousand|million|billion|trillion)\b)?
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def number(text: str) -> Fraction | None:
    """The number that an answer gives, or None where it gives none.

    Where the text has an answer marker (`####`, `A:` at the start of a line, "answer is", `\\boxed{`, 答案是, ...), it
    is the number after the last marker that has one: the first of the clause, or the one after its last equals sign;
    where no marker is followed by one, there is none. Without a marker it is the last number of the text, one in digits
    before one in Chinese numerals alone. Read are thousands separators, decimals, fractions, ratios, powers of ten,
    times of day (7:30 is 7.5), and Chinese numerals (三百二十, 1万2千, 一点五, 三分之二). A number of more than 1,000
    characters is none.
    """
    text = _tidied(text)
    end = len(text)
    markers = list(_MARKER.finditer(text))
    for marker in reversed(markers):
        if found := _after(text[marker.end() : end]):
            return _value(found)
        end = marker.start()
    if markers:
        return None
    last = last_in_digits = None
    for last in _NUMBER.finditer(text):
        if not last[0].isalpha():
            last_in_digits = last
    chosen = last_in_digits or last
    return _value(chosen) if chosen else None


def numeric_match(answer: str, references: Sequence[str]) -> bool:
    """Whether the number that an answer gives is exactly that of one of the references, with no rounding.

    A reference without a number (`number(reference) is None`) is matched by nothing.
    """
    given = number(answer)
    return given is not None and any(given == number(reference) for reference in references)


def _tidied(text: str) -> str:
    """Widths of characters folded, LaTeX and composed fractions in plain signs."""
    text = text.translate(_FOLDED)
    text = _VULGAR.sub(lambda sign: f" {Fraction(numeric(sign[0])).limit_denominator(10)}", text)
    text = re.sub("(?<=10)[⁻⁺]?[⁰¹²³⁴-⁹]+", lambda power: f"^{power[0].translate(_SUPERSCRIPTS)}", text)
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return text


def _after(text: str) -> re.Match[str] | None:
    """The first number after a marker; where its clause is an equation, the one after the last equals sign."""
    first = _NUMBER.search(text)
    if first is None:
        return None
    clause = _CLAUSE.match(text, first.start())
    end = clause.end() if clause else len(text)
    return _NUMBER.search(text, max(first.start(), text.rfind("=", first.start(), end)), end) or first


def _value(found: re.Match[str]) -> Fraction | None:
    parts = found.groupdict(default="")
    exponent = parts["exponent"] or parts["power"] or parts["tens"]
    if len(found[0]) > _LONGEST or abs(int(exponent or 0)) > _LONGEST:
        return None
    top, bottom = _ratio(parts)
    if bottom == 0:
        return None
    negative = any(mark in parts["sign"].lower() for mark in ("-", "负", "minus", "negative"))
    size = top / bottom * Fraction(10) ** int(exponent or 0) * _ENGLISH[parts["many"].lower()]
    return -size if negative else size


def _ratio(parts: dict[str, str]) -> tuple[Fraction, Fraction]:
    """(value or numerator, denominator) of a number without sign and exponent; 百分之 is percent, a unit."""
    if of := parts["of"]:
        return _reading(parts["parts"]), Fraction(1) if of == "百" else _reading(of)
    if len(minutes := parts["second"]) == 2:  # a time of day, in hours
        return _reading(parts["first"]) + _reading(minutes) / 60, Fraction(1)
    if bottom := parts["bottom"] or parts["second"]:
        under = _reading(bottom)
        return _reading(parts["whole"] or "0") * under + _reading(parts["top"] or parts["first"]), under
    return _reading("1" if parts["ten"] else parts["chinese"] or parts["plain"]), Fraction(1)


def _reading(text: str) -> Fraction:
    """Digits and Chinese units as a number: the largest unit divides a numeral into how many of it and a rest.

    A single digit after a unit counts the next smaller one, as it is said: 一百五 is 150, 一百零五 is 105.
    """
    for unit, size in _ZH_UNITS:
        head, found, tail = text.rpartition(unit)
        if found:
            rest = _reading(tail) if tail else Fraction(0)
            said = len(tail) == 1
            return (_reading(head) if head else 1) * size + rest * (size // 10 if said else 1)
    return Fraction(text.translate(_TO_ASCII))
