import pytest

from tutelage.demo.wording import article, capital, fields
from tutelage.demo.world import Fact, Name


@pytest.mark.parametrize(("word", "written"), [("owl", "an owl"), ("fish", "a fish"), ("ice cream", "an ice cream")])
def test_the_article_follows_the_sound(word: str, written: str) -> None:
    assert article(word) == written


def test_only_the_first_letter_becomes_large() -> None:
    assert capital("mira Tolen") == "Mira Tolen"
    assert capital("") == ""


def test_a_thing_has_its_forms_for_every_place_in_a_sentence() -> None:
    found = fields(Fact("owl", Name("owl", "猫头鹰"), "habitat", Name("ice", "冰原")), "en")
    sentence = "{A_s} lives {in_o}. {In_o} there is {a_s}. {S}: {o}".format_map(found)
    assert sentence == "An owl lives on the ice. On the ice there is an owl. Owl: ice"
    assert fields(Fact("owl", Name("owl", "猫头鹰"), "habitat", Name("ice", "冰原")), "zh")["s"] == "猫头鹰"


def test_numbers_are_known_by_place_and_by_size() -> None:
    found = fields(Fact("9 4", Name("4 9", "4 9"), "larger", Name("9", "9")), "zh")
    assert [found[key] for key in ("a", "b", "lo", "hi", "o")] == ["4", "9", "4", "9", "9"]
