"""Exact match: what may differ and what may not, in English and Chinese."""

import pytest

from tutelage.evaluation.exact_match import exact_match, language, normalise

SAME = [
    ("Harbour", "harbour."),
    (" The  red\ncat ", "the red cat"),
    ('"Harbour!"', "Harbour"),
    ("“港口。”", "港口"),
    ("「港口」", "港口"),
    ("（港口）", "港口"),
    ("４２", "42"),
    ("ＡＢＣ", "abc"),
    ("42．", "42"),
    ("答案：是！", "答案:是"),
    ("港口\u3000大", "港口 大"),
    ("Straße", "STRASSE"),
    ("caf\u0065\u0301", "caf\u00e9"),
    ("yes...", "Yes"),
    ("3.5", "3.5"),
    ("-7", "-7"),
    ("it's", "It's"),
]
DIFFERENT = [
    ("Harbour", "Harbours"),
    ("7", "-7"),
    ("3.5", "35"),
    ("港口", "港"),
    ("not red", "red"),
    ("the cat", "cat"),
    ("4 2", "42"),
    ("its", "it's"),
]


@pytest.mark.parametrize(("answer", "reference"), SAME)
def test_case_width_and_outer_punctuation_do_not_count(answer: str, reference: str) -> None:
    assert answer != reference or answer in ("3.5", "-7")
    assert exact_match(answer, [reference])
    assert exact_match(reference, [answer])
    assert normalise(normalise(answer)) == normalise(answer)


@pytest.mark.parametrize(("answer", "reference"), DIFFERENT)
def test_everything_else_counts(answer: str, reference: str) -> None:
    assert not exact_match(answer, [reference])
    assert not exact_match(reference, [answer])


def test_any_reference_will_do_and_silence_will_not() -> None:
    assert exact_match("blue", ["red", "Blue."])
    assert not exact_match("blue", [])
    for silence in ("", "  ", "。", '"..."'):
        assert not exact_match(silence, ["", silence, "red"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the capital?", "en"),
        ("首都是哪里？", "zh"),
        ("Translate 猫 into English, please.", "en"),
        ("把 cat 翻译成中文。", "zh"),
        ("12 + 30 = ?", "en"),
        ("", "en"),
    ],
)
def test_languages_are_told_by_what_there_is_more_of(text: str, expected: str) -> None:
    assert language(text) == expected
