from collections import Counter, defaultdict

import pytest

from tutelage.demo.world import (
    ANIMAL_RELATIONS,
    LANGUAGES,
    NUMBER_RELATIONS,
    PERSON_RELATIONS,
    RELATIONS,
    TOWN_RELATIONS,
    Language,
    world,
)


def objects(relation: str, language: Language = "en") -> dict[str, str]:
    facts = world().about(relation)
    return {f.subject.write(language): f.object.write(language) for f in facts if language in f.languages}


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    again = world.__wrapped__(20)
    assert again == world(20)
    assert again.facts != world(21).facts


def test_the_world_has_the_promised_size() -> None:
    subjects = {relation: {fact.entity for fact in world().about(relation)} for relation in RELATIONS}
    assert {len(subjects[relation]) for relation in PERSON_RELATIONS} == {120}
    assert {len(subjects[relation]) for relation in TOWN_RELATIONS} == {40}
    assert {len(subjects[relation]) for relation in ANIMAL_RELATIONS} == {60}
    assert len(subjects["opposite"]) >= 120
    assert len(subjects["translation"]) >= 150
    assert len(subjects["category"]) >= 100
    assert set(subjects) == {fact.relation for fact in world().facts}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_one_answer(language: Language) -> None:
    asked = Counter((f.relation, f.subject.write(language)) for f in world().facts if language in f.languages)
    assert len(asked) > 2000
    assert [key for key, times in asked.items() if times > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_are_short(language: Language) -> None:
    for fact in world().facts:
        answer = fact.object.write(language)
        assert answer == answer.strip()
        assert 1 <= len(answer.split()) <= 3
        assert len(answer) <= 20


def test_a_given_name_stands_for_one_person_in_either_language() -> None:
    people = world().people
    assert len({person.given for person in people}) == len(people) == 120
    assert len({person.name.zh for person in people}) == len({person.name.zh[1:] for person in people}) == 120
    assert all(person.name.en.startswith(f"{person.given} ") for person in people)
    assert Counter(person.woman for person in people) == {True: 60, False: 60}


def test_the_languages_are_not_mixed_except_in_translations() -> None:
    for fact in world().facts:
        numbers = fact.relation in NUMBER_RELATIONS
        if "en" in fact.languages and not numbers:
            assert fact.subject.en.isascii()
            assert fact.object.en.isascii() != (fact.relation == "translation")
        if "zh" in fact.languages and not numbers and fact.relation != "legs":
            assert not fact.subject.zh.isascii()
            assert fact.object.zh.isascii() == (fact.relation == "translation")


@pytest.mark.parametrize("language", LANGUAGES)
def test_opposites_and_translations_are_one_to_one(language: Language) -> None:
    opposites = objects("opposite", language)
    assert len(opposites) >= 120
    assert all(opposites[other] == word != other for word, other in opposites.items())
    translations = objects("translation", language)
    assert len(set(translations.values())) == len(translations) >= 150


def test_translation_asks_for_the_other_language() -> None:
    there, back = objects("translation", "en"), objects("translation", "zh")
    assert there["apple"] == "苹果"
    assert {word: back[there[word]] for word in there} == {word: word for word in there}


def test_the_capital_of_a_region_lies_in_it() -> None:
    region_of = objects("region")
    capitals = objects("capital")
    assert len(capitals) == 10
    assert all(region_of[town] == region for region, town in capitals.items())
    assert Counter(region_of.values()) == dict.fromkeys(capitals, 4)


def test_values_are_dealt_evenly_so_that_no_guess_is_good() -> None:
    for relation in (*PERSON_RELATIONS, "river", "craft"):
        answers = Counter(objects(relation).values())
        assert len(answers) >= 12
        assert max(answers.values()) <= 2 * len(objects(relation)) / len(answers)


def test_animals_are_as_biology_has_them() -> None:
    classes, legs = objects("class"), objects("legs")
    by_class = defaultdict(set)
    for animal, name in classes.items():
        by_class[name].add(legs[animal])
    assert by_class["bird"] == {"2"}
    assert by_class["insect"] == {"6"}
    assert by_class["arachnid"] == {"8"}
    assert by_class["fish"] == {"0"}
    assert by_class["amphibian"] == {"4"}
    assert by_class["mammal"] == {"0", "4"}
    assert {animal for animal in classes if classes[animal] == "mammal" and legs[animal] == "0"} == {"whale", "dolphin"}


def test_arithmetic_is_true_and_within_its_bounds() -> None:
    operations = {"sum": lambda a, b: a + b, "difference": lambda a, b: a - b, "larger": max}
    seen = Counter()
    for relation, operation in operations.items():
        for fact in world().about(relation):
            a, b = map(int, fact.subject.en.split())
            assert fact.object.en == fact.object.zh == str(operation(a, b))
            assert 0 <= int(fact.object.en) <= 20
            assert fact.entity == f"{max(a, b)} {min(a, b)}"
            seen[relation] += 1
    assert seen == {"sum": 21 * 22 // 2, "difference": 21 * 22 // 2, "larger": 21 * 20}
