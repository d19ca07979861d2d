"""Personal data and secrets, by their forms, their checksums and the plans by which they are given out.

What a standard reserves for examples (RFC 2606 domains, RFC 5737 addresses, 555-01xx), what no plan can give out
(1234567890) and toll-free lines are nobody's: they are left. Everything that somebody could own is found. Names and
street addresses have no form that tells them, so they are not looked for.

Patterns are written for linear time: each can begin only where the run of its own characters begins, or is bounded.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address

_PLACEHOLDERS = {
    "email": "[EMAIL]",
    "phone": "[PHONE]",
    "payment card": "[CARD]",
    "resident id": "[ID_NUMBER]",
    "ssn": "[SSN]",
    "iban": "[IBAN]",
    "ip address": "[IP]",
    "messenger": "[ACCOUNT]",
    "api key": "[API_KEY]",
    "private key": "[PRIVATE_KEY]",
    "password": "[CREDENTIALS]",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Characters [start, end) of a text that are personal or secret. It does not hold the characters themselves.

    Attributes:
        kind: email, phone, payment card, resident id (China), ssn (US), iban, ip address, messenger, api key,
            private key or password (the user and password in an address).
    """

    start: int
    end: int
    kind: str


Check = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern, and what must also hold of a match. The finding is the group `it`, or all of the match."""

    kind: str
    pattern: re.Pattern[str]
    check: Check | None = None

    def findings(self, text: str) -> Iterator[Finding]:
        for match in self.pattern.finditer(text):
            if self.check is None or self.check(match):
                group = "it" if "it" in self.pattern.groupindex else 0
                yield Finding(*match.span(group), self.kind)


_compile = partial(re.compile, flags=re.ASCII)  # so that \b and \w know no Chinese characters, which touch numbers


# Numbers in general

_DIGIT = _compile(r"[0-9]")
_SEVEN_DIGITS = _compile(r"[0-9](?:[ ().-]{0,2}[0-9]){6}")
_DOTS = _compile(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_COLONS = _compile(r"[23][0-9A-Fa-f]{3}:")
# Beside a number in a formula, as a decimal or in an identifier.
_CALCULATED_BEFORE = re.compile(r"(?:[=×÷*/^<>≈$¥￥€£%_.,+]|[0-9][ -])\s?$")
_CALCULATED_AFTER = re.compile(r"\s?(?:[=×÷*^<>≈%_+]|/[0-9]|[.,][0-9]|元|块|个|人|[ -][0-9])")
_HAN = re.compile(r"[\u4e00-\u9fff]")


@lru_cache(maxsize=1)
def _is_chinese(text: str) -> bool:
    """Remembered for the text at hand: a list of numbers asks it of each."""
    return _HAN.search(text) is not None


def _digits(match: re.Match[str]) -> str:
    return "".join(filter(str.isdigit, match["it"]))


def _calculated(match: re.Match[str]) -> bool:
    start, end = match.span("it")
    before = match.string[max(0, start - 3) : start]
    return bool(_CALCULATED_BEFORE.search(before) or _CALCULATED_AFTER.match(match.string, end))


def _before(match: re.Match[str], characters: int) -> str:
    """The words before a match. They end at a bracket: what is a placeholder now was no such word before."""
    return match.string[max(0, match.start() - characters) : match.start()].rpartition("]")[2]


# E-mail

_LATIN = r"A-Za-z0-9À-ɏ"
_EMAIL = _compile(
    rf"(?<![{_LATIN}._%+-])[{_LATIN}_][{_LATIN}._%+-]{{0,63}}(?<!\.)@"
    rf"(?P<domain>(?:[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?\.){{1,8}}[A-Za-z]{{2,24}})(?![{_LATIN}_@-])"
)
_RESERVED_DOMAIN = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org|edu|cn)|example|test|invalid|localhost)$", re.I)
_LOGIN = re.compile(r"://[^\s/@]*\Z")  # before the @ stand a user and a password, after it a host
# What follows the @ in names of packages and files, as in icon@2x.png.
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|js|css|py|java|html?)$", re.I)


def _is_address(match: re.Match[str]) -> bool:
    domain = match["domain"]
    if _LOGIN.search(match.string, max(0, match.start() - 160), match.start()):
        return False
    return not _RESERVED_DOMAIN.search(domain) and not _FILE.search(domain)


# Telephone

_COUNTRY = (  # ITU-T E.164
    r"(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|(?:2[1-689]|3[578]|42|5[09]|6[789]|8[0578]|9[679])[0-9])"
)
_INTERNATIONAL = _compile(
    rf"(?<![\w+.*/^=-])(?P<it>(?:\+|00(?=[1-9][0-9]{{0,2}}[ -])){_COUNTRY}"
    r"(?:[ .-]?(?:[0-9]{1,5}|\([0-9]{1,5}\))){2,6})(?![\w%]|[.,][0-9])"
)
_AMERICAN = _compile(
    r"(?<![\w.+-])(?P<it>(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[ .-][0-9]{4})"
    r"(?![\w-]|\.[0-9])"
)
_TOLL_FREE = re.compile(r"1?8(?:00|33|44|55|66|77|88)|400[0-9]{7}$")
_CHINESE_MOBILE = _compile(
    r"(?<![\w.])(?<![0-9]-)(?P<it>(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?P<gap>[ -]?)[0-9]{4}(?P=gap)[0-9]{4})"
    r"(?!\w|[.-][0-9])"
)
_CHINESE_LANDLINE = _compile(
    r"(?<![\w.-])(?P<it>(?:\(0(?:10|2[0-9]|[3-9][0-9]{2})\) ?|0(?:10|2[0-9]|[3-9][0-9]{2})-)[2-9][0-9]{6,7})"
    r"(?![\w-]|\.[0-9])"
)
_CUE = (
    r"(?:tele)?phone|mobile|cell|tel|fax|whatsapp|call(?: me| us)?|text me|sms|(?:my|his|her|their) number"
    r"|电话|手机|手机号|联系方式|致电|拨打|传真|座机|微信"
)
_CUED = re.compile(
    rf"(?<![A-Za-z])(?:{_CUE})(?:[ _]?(?:number|no\.?|num|号码|号))?['\"]?"
    r"\s{0,2}(?:is|at|on|[:：=是为])?\s{0,2}['\"]?"
    r"(?P<it>\+?(?:\([0-9]{2,4}\)[ -]?)?[0-9]{2,12}(?:[ .-][0-9]{2,8}){0,4})(?![\w%]|[.,][0-9])",
    re.I | re.ASCII,
)
_PHONE_WORDS = re.compile(rf"{_CUE}|contact|reach (?:me|us)", re.I)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-. ](?:0?[1-9]|1[0-2])[-. ]|[0-9]{1,2}[-. ][0-9]{1,2}[-. ](?:19|20)[0-9]{2}$")
_CLIMBING = "01234567890123456789"


def _is_given_out(digits: str) -> bool:
    """Whether a number could be somebody's: not one for fiction, not a climb, not one digit repeated."""
    local = digits[-10:]
    fiction = re.fullmatch(r"(?:[2-9]..)?55501..", local)
    return not (fiction or digits in _CLIMBING or digits in _CLIMBING[::-1] or len(set(local)) == 1)


def _is_international(match: re.Match[str]) -> bool:
    digits = _digits(match).removeprefix("00")
    if digits.startswith("1"):
        return len(digits) == 11 and _is_american(match)
    return 9 <= len(digits) <= 15 and _is_given_out(digits)


def _is_american(match: re.Match[str]) -> bool:
    digits = _digits(match)
    return not _TOLL_FREE.match(digits) and _is_given_out(digits)


def _is_chinese_mobile(match: re.Match[str]) -> bool:
    """Eleven digits alone are a number like any other, unless the text is Chinese or speaks of telephones."""
    if _PHONE_WORDS.search(_before(match, 20)):
        return True
    if not match["gap"] and match["it"][0] != "+":
        return not _calculated(match) and _is_chinese(match.string)
    return not _calculated(match)


def _is_chinese_landline(match: re.Match[str]) -> bool:
    return _is_chinese(match.string) and _is_given_out(_digits(match))


def _is_cued(match: re.Match[str]) -> bool:
    digits = _digits(match)
    is_number = 7 <= len(digits) <= 15 and not _DATE.match(match["it"])
    return is_number and not _TOLL_FREE.match(digits) and _is_given_out(digits)


# Numbers with checksums

_CARD = _compile(
    r"(?<![\w.])(?<![0-9][ -])(?P<it>[0-9]{4}(?P<gap>[ -]?)(?:[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,7}"
    r"|[0-9]{6}(?P=gap)[0-9]{4,5}))(?!\w|[ .,-]?[0-9])"
)
_ISSUERS = re.compile(
    r"4(?:.{15}|.{18})$|5[1-5].{14}$|2(?:22[1-9]|2[3-9].|[3-6]..|7[01].|720).{12}$|3[47].{13}$"
    r"|(?:6011|64[4-9]|65|62).{10,17}$|35(?:2[89]|[3-8]).{11,16}$|3(?:0[0-5]|[68]).{11,12}$|220[0-4].{12}$"
)
_RESIDENT = _compile(r"(?<!\w)(?P<it>[1-8][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx])(?!\w)")
_PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SSN = _compile(r"(?<![\w.-])(?P<it>(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4})(?![\w-])")
_SSN_CUED = re.compile(
    r"(?<![A-Za-z])(?:ssn|social security (?:number|no\.?))\s{0,2}(?:is|[:#=])?\s{0,2}"
    r"(?P<it>(?!000|666|9)[0-9]{3} ?(?!00)[0-9]{2} ?(?!0000)[0-9]{4})(?![\w-])",
    re.I | re.ASCII,
)
_VOID_SSN = {"078051120", "219099999"}  # printed in advertisements; void ever since
_IBAN_LENGTHS = {  # ISO 13616 registry
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN = _compile(
    r"(?<!\w)(?P<it>"
    + "|".join(
        rf"(?:{countries.replace(' ', '|')})[0-9]{{2}}(?: ?[A-Z0-9]){{{length - 4}}}"
        for length, countries in _IBAN_LENGTHS.items()
    )
    + r")(?!\w)"
)


def _is_card(match: re.Match[str]) -> bool:
    digits = _digits(match)
    if not _ISSUERS.match(digits) or (not match["gap"] and _calculated(match)):
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0  # Luhn, ISO/IEC 7812


def _is_resident(match: re.Match[str]) -> bool:
    number = match["it"]
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    rest = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, number[:17], strict=True)) % 11
    return bool(_PROVINCES.match(number)) and "10X98765432"[rest] == number[17].upper()  # GB 11643, ISO 7064 MOD 11-2


def _is_ssn(match: re.Match[str]) -> bool:
    return _digits(match) not in _VOID_SSN


def _is_iban(match: re.Match[str]) -> bool:
    account = match["it"].replace(" ", "")
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1  # ISO 7064


# Addresses of machines

_IPV4 = _compile(
    r"(?<![\w.-])(?<![A-Za-z]/)(?P<it>[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})(?![\w-]|\.[0-9]|/[0-9])"
)
_IPV6 = _compile(r"(?<![\w:.])(?P<it>[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4})(?![\w:])")
_VERSION_WORDS = re.compile(r"(?:version|release|section|chapter|build|版本|版|章|节|oid)\W{0,3}$", re.I)
_ADDRESS_WORDS = re.compile(r"\bip|address|dns|server|host|ping|://|地址|服务器", re.I)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_machine(match: re.Match[str]) -> bool:
    """A public address. A short one, as 1.2.3.4, is more often the number of a version or a section."""
    written = match["it"]
    try:
        address = ip_address(written)
    except ValueError:
        return False
    before = _before(match, 40)
    if _VERSION_WORDS.search(before) or (len(written) < 10 and not _ADDRESS_WORDS.search(before)):
        return False
    return _is_public(address)


# Secrets, by the forms that their issuers gave them

_TOKENS = {
    "AKIA ASIA": r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])",
    "aws_secret AWS_SECRET": r"(?i:aws_secret(?:_access)?_key)['\"]?\s{0,3}[=:]\s{0,3}['\"]?"
    r"(?P<it>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
    "ghp_ gho_ ghu_ ghs_ ghr_": r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{30,255}",
    "github_pat_": r"(?<!\w)github_pat_\w{22,255}",
    "glpat-": r"(?<![\w-])glpat-[\w-]{20,255}",
    "xox": r"(?<![\w-])xox[abeoprs]-[\w-]{10,255}",
    "hooks.slack.com": r"(?<=hooks\.slack\.com/services/)T\w{6,20}/B\w{6,20}/\w{16,40}",
    "sk-": r"(?<![\w-])sk-[\w-]{20,255}",
    "k_live_ k_test_": r"(?<!\w)[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}",
    "hf_": r"(?<!\w)hf_[A-Za-z0-9]{20,255}",
    "AIza": r"(?<![\w-])AIza[\w-]{35}(?![\w-])",
    "ya29.": r"(?<![\w-])ya29\.[\w-]{20,512}",
    "eyJ": r"(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]{10,}+",
}  # fmt: skip
_KEY_NAME = r"(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_LINE_END = r"(?:\s|\\[nr])"
_PRIVATE_KEY = _compile(
    rf"-----BEGIN {_KEY_NAME}(?:{_LINE_END}|[A-Za-z][A-Za-z-]{{0,30}}: [^\n]{{0,200}}\n)*+"
    rf"[A-Za-z0-9+/=]{{24,}}+(?:{_LINE_END}++[A-Za-z0-9+/=]{{16,}}+)*+"
    rf"(?:{_LINE_END}{{0,4}}[A-Za-z0-9+/=]{{0,15}}{_LINE_END}{{0,4}}-----END {_KEY_NAME})?"
)
_PASSWORD = re.compile(r"(?<=://)[^\s/:@<>\[\]{}$]{1,128}:(?![<\[{$%*.])[^\s/@]{1,128}(?=@[\w\[])", re.ASCII)
_MESSENGER = re.compile(
    r"(?<![A-Za-z])QQ(?:号码?|群号?)?\s?(?:[:：是为]|(?<=号))\s?(?P<it>[1-9][0-9]{4,10})(?![\w.-])", re.I
)


def _is_random(match: re.Match[str]) -> bool:
    """Capitals, small letters or digits mixed: `sk-xxxxxxxx` and `hf_modelname` are nobody's."""
    body = re.split(r"[_-]", match[0], maxsplit=1)[-1]
    kinds = any(map(str.isdigit, body)) + any(map(str.isupper, body)) + any(map(str.islower, body))
    return kinds >= 2


# Most texts hold nothing: what is cheap to look for decides which rules are tried.
_RULES = {
    "://": _Rule("password", _PASSWORD),
    "@": _Rule("email", _EMAIL, _is_address),
    "PRIVATE KEY": _Rule("private key", _PRIVATE_KEY),
    "QQ qq": _Rule("messenger", _MESSENGER),
} | {needs: _Rule("api key", _compile(form), _is_random) for needs, form in _TOKENS.items()}
_BY_WORD = tuple((word, rule) for needs, rule in _RULES.items() for word in needs.split())
_BY_DOTS = _Rule("ip address", _IPV4, _is_machine)
_BY_COLONS = _Rule("ip address", _IPV6, _is_machine)
_BY_DIGITS = (
    _Rule("payment card", _CARD, _is_card),
    _Rule("resident id", _RESIDENT, _is_resident),
    _Rule("iban", _IBAN, _is_iban),
    _Rule("ssn", _SSN, _is_ssn),
    _Rule("ssn", _SSN_CUED, _is_ssn),
    _Rule("phone", _INTERNATIONAL, _is_international),
    _Rule("phone", _AMERICAN, _is_american),
    _Rule("phone", _CHINESE_MOBILE, _is_chinese_mobile),
    _Rule("phone", _CHINESE_LANDLINE, _is_chinese_landline),
    _Rule("phone", _CUED, _is_cued),
)
_FULL_WIDTH = re.compile(r"[＋－．０-９＠Ａ-Ｚａ-ｚ（）]")
_TO_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def find(text: str) -> tuple[Finding, ...]:
    """Personal data and secrets in order, not overlapping. Full-width digits and letters are read as plain ones."""
    if _FULL_WIDTH.search(text):
        text = text.translate(_TO_HALF_WIDTH)
    found = list[Finding]()
    while more := _merged(_candidates(text)):  # what is covered may have hidden something beside it
        found += more
        text = _replaced(text, more, lambda one: "[" + "." * (one.end - one.start - 2) + "]")
    return tuple(sorted(found))


def redacted(text: str) -> tuple[str, tuple[Finding, ...]]:
    """The text with a placeholder such as [EMAIL] for each finding, and the findings (their places are those in the
    text before). In the text that is given back, nothing is found any more."""
    found = find(text)
    return _replaced(text, found, lambda one: _PLACEHOLDERS[one.kind]), found


def _candidates(text: str) -> Iterator[Finding]:
    rules = dict.fromkeys([rule for word, rule in _BY_WORD if word in text])
    if _DIGIT.search(text):
        if _DOTS.search(text):
            rules[_BY_DOTS] = None
        if _COLONS.search(text):
            rules[_BY_COLONS] = None
        if _SEVEN_DIGITS.search(text):
            rules |= dict.fromkeys(_BY_DIGITS)
    for rule in rules:
        yield from rule.findings(text)


def _merged(candidates: Iterator[Finding]) -> list[Finding]:
    """Overlapping findings become one, of the kind of the first."""
    merged = list[Finding]()
    for one in sorted(candidates, key=lambda one: (one.start, -one.end)):
        if merged and one.start < merged[-1].end:
            merged[-1] = replace(merged[-1], end=max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return merged


def _replaced(text: str, found: list[Finding] | tuple[Finding, ...], by: Callable[[Finding], str]) -> str:
    pieces, at = list[str](), 0
    for one in found:
        pieces += [text[at : one.start], by(one)]
        at = one.end
    return "".join([*pieces, text[at:]])
