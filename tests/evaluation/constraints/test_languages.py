"""Languages and capitals of answers."""

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from tutelage.evaluation.constraints import case
from tutelage.evaluation.constraints.languages import CODES, written_in

ENGLISH = "The harbour was quiet that morning and the boats lay still while people walked along the old stone wall. "
FRENCH = "Le port était calme ce matin et les bateaux restaient immobiles pendant que les gens marchaient sur le mur. "
CHINESE = "今天早上港口很安静，船停着不动，人们沿着古老的石墙散步。"


@pytest.mark.parametrize(("text", "code"), [(ENGLISH, "en"), (FRENCH, "fr"), (CHINESE, "zh")])
@pytest.mark.parametrize("times", [1, 3, 300])
def test_texts_are_in_their_language_alone(text: str, code: str, times: int) -> None:
    assert [one for one in ("en", "fr", "zh", "de", "ja") if written_in(text * times, one)] == [code]


def test_the_whole_answer_counts_and_not_its_start() -> None:
    assert written_in(ENGLISH + FRENCH * 8, "fr")
    assert not written_in(ENGLISH + FRENCH * 8, "en")
    half = ENGLISH * 5 + FRENCH * 5
    assert not written_in(half, "en")
    assert not written_in(half, "fr")


def test_short_answers_have_the_benefit_of_the_doubt() -> None:
    assert written_in("yes", "en")
    assert written_in("il gatto dorme sulla sedia della nonna", "it")
    assert not written_in("il gatto dorme sulla sedia della nonna", "zh")


def test_what_tells_no_language_is_in_any() -> None:
    assert written_in("42 :-) 😀", "hi")
    assert written_in("A", "en")


def test_spelled_out_words_and_underscores_do_not_mislead() -> None:
    assert written_in("T H E  old AND the new H O U S E  of the family \n" * 20, "en")
    assert written_in("the_old_and_the_new_house_of_the_family " * 20, "en")


def test_regions_and_capitals_of_codes_do_not_matter() -> None:
    assert written_in(CHINESE, "zh-CN")


def test_codes_are_those_that_can_be_told() -> None:
    assert set(LanguageIdentifier.from_model_file(MODEL_FILE).nb_classes) >= CODES
    assert {"kn", "pa", "mr", "bg", "fa", "vi", "ne", "sw", "ur", "gu", "zh"} <= CODES


def test_capital_and_small_letters_in_english() -> None:
    assert case.english_capital(ENGLISH.upper())
    assert not case.english_capital(ENGLISH)
    assert not case.english_capital(FRENCH.upper())
    assert case.english_lowercase(ENGLISH.lower())
    assert not case.english_lowercase(FRENCH.lower())
    assert not case.english_lowercase("12 34")  # no letters


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("I saw NASA.", 2),
        ("**BOLD** (OK) Ok", 2),
        ("no 3 4", 0),
        ("A-B C/D 5TH", 3),
        ("ÉTÉ été", 1),
        ("中文 AI技术", 1),
    ],
)
def test_words_in_capitals(answer: str, count: int) -> None:
    assert case.capital_word_frequency(answer, capital_relation="exactly", capital_frequency=count)
