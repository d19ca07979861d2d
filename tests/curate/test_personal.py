"""Personal data and secrets: what is found, what is nobody's, and that nothing is left after redaction."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.personal import Finding, find, redacted


def luhn(digits: str) -> str:
    """The digits with the check digit that makes a payment card of them."""
    total = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def resident(digits: str) -> str:
    """The 17 digits with the check character of GB 11643."""
    total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(digits))
    return digits + "10X98765432"[total % 11]


def iban(country: str, account: str) -> str:
    """An account with the check digits of ISO 13616."""
    number = int("".join(str(int(one, 36)) for one in account + country + "00"))
    return f"{country}{98 - number % 97:02}{account}"


def key(prefix: str, length: int) -> str:
    """Something of a token's form, put together here so that no scanner takes this file for a leak."""
    return prefix + ("aB3dE5gH7" * 20)[:length]


RSA = "RSA PRIVATE KEY"
PRIVATE_KEY = "\n".join([f"-----BEGIN {RSA}-----", *[key("MII", 61)] * 3, "Qz==", f"-----END {RSA}-----"])
JWT = ".".join(key(start, 24) for start in ("eyJ", "eyJ", "s"))
SOMEBODYS = {
    "email": ["mary.jones@mail.org", "zhang_san@qq.com", "a+b@sub.domain.co.uk", "ｌｉ＠163.com"],
    "phone": [
        "+1 415-867-2671",
        "(212) 736-5000",
        "212-736-5000",
        "+44 20 7946 1958",
        "+49 (30) 901820",
        "138-1234-5678",
        "+86 13912345678",
        "0086 139 1234 5678",
        "１３８１２３４５６７８",
        "13812345678",
        "010-62751234",
    ],
    "payment card": [luhn("455676004912345"), "-".join(["5105", "1051", "0510", "5100"]),
        luhn("37144963539843"), luhn("6222021234567890")],
    "resident id": [resident("11010519491231002"), resident("44030119900229001"[:10] + "0228001")],
    "iban": [iban("GB", "WEST12345698765432"), iban("NL", "ABNA0417164300"), iban("DE", "370400440532013000")],
    "ssn": ["219-45-6789"],
    "ip address": ["93.184.216.34", "114.247.50.2", "2a00:1450:4001:81b::200e"],
    "messenger": ["QQ：83215678", "QQ号83215678"],
    "api key": [
        "AKIA" + "Z7QX2MVN4PLK8RTW",
        key("ghp_", 36),
        key("github_pat_", 60),
        "xox" + "b-123456789012-" + key("", 24),
        key("sk-proj-", 40),
        key("hf_", 34),
        key("AIza", 35),
        JWT,
        "aws_secret_access_key = " + key("", 40),
    ],
    "private key": [PRIVATE_KEY, PRIVATE_KEY.replace("\n", "\\n")],
    "password": ["postgres://admin:s3cr3t!@db.internal:5432/x"],
}  # fmt: skip
CHINESE_ONLY = ("13812345678", "１３８１２３４５６７８", "010-62751234")
WITHIN = ("messenger", "password", "api key")  # the finding is a part: `QQ：`, the host and the key's name stay
NOBODYS = [
    "write to jane@example.com, bob@mail.example.org or root@localhost",
    "call 555-0100, 212-555-0123 or 1234567890; (555) 555-5555 is not in use",
    "Call 1-800-273-8255 at any time. Dial 911.",
    "拨打12320或400-820-8820咨询",
    "version 93.184.216.34, Chrome/93.184.216.34, section 1.2.3.4 of the manual",
    "192.168.1.1, 10.0.0.7, 127.0.0.1, 203.0.113.9, 256.300.1.1, 52.94.0.0/22, 2001:db8::1, fe80::1",
    "std::vector<int> at 12:30:45, 2024:01:02",
    "2 ** 34 = 17179869184 and 4212883012996 is a product",
    "一年有31536000秒，计算结果为13958643712×2=27917287424",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16, 2000 2005 2010 2015 2020",
    "3.14159265358979323846 and 0.13812345678",
    "2023-10-12 to 2024-01-15, 1999-2005, ISBN 978-3-16-148410-0",
    "icon@2x.png, @decorator, user @ home, a@b",
    "export KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx; task-scheduling-of-many-processes; AKIA is a prefix",
    "https://host:8080/path@2, https://user:<password>@host/",
    "-----BEGIN PUBLIC KEY-----",
    luhn("455676004912345")[:-1] + str((int(luhn("455676004912345")[-1]) + 1) % 10),
    resident("11010519491231002")[:-1] + "0",
    resident("11010519491331002"),
    "GB00WEST12345698765432",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 078-05-1120",
    "",
]


@pytest.mark.parametrize(("kind", "written"), [(kind, one) for kind, all_ in SOMEBODYS.items() for one in all_])
@pytest.mark.parametrize("sentence", ["My number or key is {}, keep it.", "我的联系电话或密码是{}，请保存。", "({})\n"])
def test_what_could_be_somebodys_is_found(kind: str, written: str, sentence: str) -> None:
    if written in CHINESE_ONLY and not sentence.startswith("我"):
        pytest.skip("in a text that is not Chinese these are numbers like any other")
    text = sentence.format(written)
    (finding,) = find(text)
    assert finding.kind == kind
    found = text[finding.start : finding.end]
    assert found == written or (kind in WITHIN and found in written and len(found) >= 8)
    clean, findings = redacted(text)
    assert findings == (finding,)
    assert clean.startswith(text[: finding.start] + "[")
    assert clean.endswith("]" + text[finding.end :])


@pytest.mark.parametrize("text", NOBODYS)
def test_what_is_nobodys_stays(text: str) -> None:
    assert redacted(text) == (text, ())


def test_eleven_digits_are_a_telephone_where_telephones_are_spoken_of() -> None:
    assert [one.kind for one in find("Her phone: 13812345678.")] == ["phone"]
    assert [one.kind for one in find("her number is 2127365000")] == ["phone"]
    assert find("The 13812345678 rows were sorted.") == ()


def test_several_in_one_text_are_in_order_and_overlaps_are_one() -> None:
    text = "a.b@mail.org, +1 415-867-2671, https://bob:pw1@mail.org/, 93.184.216.34"
    found = find(text)
    assert [one.kind for one in found] == ["email", "phone", "password", "ip address"]
    assert list(found) == sorted(found)
    assert redacted(text)[0] == "[EMAIL], [PHONE], https://[CREDENTIALS]@mail.org/, [IP]"


def test_a_finding_does_not_hold_the_secret() -> None:
    (finding,) = find("key: " + key("ghp_", 36))
    assert finding == Finding(5, 45, "api key")
    assert "aB3" not in repr(finding)


_PIECES = [*(one for all_ in SOMEBODYS.values() for one in all_), *NOBODYS, *" \n，-.1@+x", "电话", "phone"]


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=6))
def test_after_redaction_nothing_is_found(pieces: list[str]) -> None:
    text = "".join(pieces)
    clean, findings = redacted(text)
    assert find(clean) == ()
    assert (clean == text) == (not findings)
    ends = [0, *(place for one in findings for place in (one.start, one.end)), len(text)]
    assert ends == sorted(ends)
    kept = [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]
    assert all(piece in clean for piece in kept)


_HOSTILE = [
    "a", "a@", "b.", "1", "1 ", "1234-", "1.2.3.", "eyJ", "eyJaaaaaaaaaa.", "://a:", "a:", "sk-", "2001:", "GB82 ",
    "+1 ", "(",
    "phone ", "call: +1 ", "4111 1111 ", "+86 138", "电话", "QQ号", "aws_secret_key", "-----BEGIN PRIVATE KEY-----\n",
    "A: ", "-", "13812345678\n", "010-62345678\n",
]  # fmt: skip


@pytest.mark.parametrize("piece", _HOSTILE)
def test_time_grows_with_the_length_only(piece: str) -> None:
    text = "://x " + piece * (250_000 // len(piece)) + " a@b 1234567 PRIVATE KEY 1.2.3.4"
    start = time.process_time()
    find(text)
    assert time.process_time() - start < 1  # about 0.1; what grows with the square takes many minutes


@pytest.mark.shared
def test_ordinary_rows_are_not_touched(shared: Path) -> None:
    text = (shared / "datasets" / "gsm8k" / "train.jsonl").read_text(encoding="utf-8")
    rows = text.splitlines()
    assert len(rows) > 7000
    assert [row for row in rows if find(row)] == []
