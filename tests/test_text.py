"""Words, languages, and the form in which two texts are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.text import count_words, language, normalised, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't pay 1,000.50 dollars.", ["Don't", "pay", "1,000.50", "dollars"]),
        ("用GPT模型写诗", ["用", "GPT", "模", "型", "写", "诗"]),
        ("naïve café", ["naïve", "café"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("日本語のテスト", ["日", "本", "語", "の", "テ", "ス", "ト"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("snake_case x=1", ["snake", "case", "x", "1"]),
        ("…!?", []),
    ],
)
def test_words_are_what_people_count(text: str, expected: list[str]) -> None:
    assert words(text) == expected
    assert count_words(text) == len(expected)


@given(st.text())
def test_words_stand_in_the_text_in_order(text: str) -> None:
    at = 0
    for word in words(text):
        at = text.index(word, at) + len(word)
    assert at <= len(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_ascii_takes_the_same_words_on_both_roads(text: str) -> None:
    assert words(text) == words(text + "。")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Name three fruits.", "name  three\nfruits"),
        ("你好，世界！", "你好,世界!"),
        ("Ｈｅｌｌｏ", "hello"),
        ("“Why?”", '"why?"'),
        ("cafe\u0301", "café"),
    ],
)
def test_the_same_text_in_another_dress(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is C?", "What is C++?"), ("2³", "23"), ("1+1", "1-1"), ("a b", "ab"), ("?", "!"), ("你好吗", "你好啊")],
)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Name three fruits.", "en"),
        ("请把 machine learning 翻译成中文", "zh"),
        ("これはペンです", "ja"),
        ("안녕하세요 여러분", "ko"),
        ("Напишите короткое стихотворение о зимнем лесе", "ru"),
        ("¿Cuál es la capital de España y cuántas personas viven allí hoy en día?", "es"),
        ("Wie viele Einwohner hat die größte Stadt in Österreich?", "de"),
        ("6 + 3 = 9", "und"),
        ("", "und"),
    ],
)
def test_the_language_of_a_text(text: str, code: str) -> None:
    assert language(text) == code
