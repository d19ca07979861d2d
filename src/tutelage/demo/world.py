"""A small world whose truth is known, in English and Chinese: people, towns, animals, words, numbers.

Everything follows from the word lists and a seed; the same seed gives the same world. A fact has one answer only.
"""

import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tutelage.demo import names, nature, words

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
SEED = 20
LARGEST = 20

PERSON_RELATIONS = ("home", "job", "colour", "food", "pet")
TOWN_RELATIONS = ("region", "river", "craft")
ANIMAL_RELATIONS = ("class", "habitat", "diet", "legs")
NUMBER_RELATIONS = ("sum", "difference", "larger")
RELATIONS = (
    *PERSON_RELATIONS,
    *TOWN_RELATIONS,
    "capital",
    *ANIMAL_RELATIONS,
    "opposite",
    "translation",
    "category",
    *NUMBER_RELATIONS,
)


@dataclass(frozen=True, slots=True)
class Name:
    """A thing as each language writes it."""

    en: str
    zh: str

    def write(self, language: Language) -> str:
        """The name in one language."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of the world: `relation` of `subject` is `object`.

    Attributes:
        entity: key of what the fact is about; facts that must be held out together share it.
        subject, object: as each language writes them. Facts about words differ by language: see `languages`.
        languages: the languages in which the fact holds.
    """

    entity: str
    subject: Name
    relation: str
    object: Name
    languages: tuple[Language, ...] = LANGUAGES


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the world; `woman` decides the pronouns. `given` is the English given name, unique."""

    name: Name
    given: str
    woman: bool


@dataclass(frozen=True)
class World:
    """All facts, with the people for their pronouns."""

    people: tuple[Person, ...]
    facts: tuple[Fact, ...]

    def about(self, *relations: str) -> tuple[Fact, ...]:
        """The facts of these relations, in the order of the world."""
        return tuple(fact for fact in self.facts if fact.relation in relations)


@cache
def world(seed: int = SEED) -> World:
    """The world that follows from a seed."""
    rng = random.Random(seed)
    people = _people(rng)
    town_facts = _town_facts(rng)
    towns = [fact.subject for fact in town_facts if fact.relation == "region"]
    person_facts = _person_facts(people, towns, rng=rng)
    # So many people that a model of the pupil's size gets to know them all in one reading of its corpus.
    known = tuple(person for number, person in enumerate(people) if number % 5 < 3)
    names_known = {person.name.en for person in known}
    kept = [fact for fact in person_facts if fact.entity in names_known]
    return World(known, (*kept, *town_facts, *_animal_facts(), *_word_facts(), *_number_facts()))


def _names(table: str) -> list[Name]:
    """Pairs like `red 红色; blue 蓝色`; an underscore stands for a space in English."""
    pairs = (entry.split() for entry in table.replace(",", ";").split(";"))
    return [Name(en.replace("_", " "), zh) for en, zh in pairs]


def _people(rng: random.Random) -> tuple[Person, ...]:
    given_zh = {
        True: [a + b for a in names.WOMEN_FIRST_ZH for b in names.WOMEN_SECOND_ZH],
        False: [a + b for a in names.MEN_FIRST_ZH for b in names.MEN_SECOND_ZH],
    }
    for variants in given_zh.values():
        rng.shuffle(variants)
    families, people = names.FAMILIES.split(), []
    for woman, table in ((True, names.WOMEN), (False, names.MEN)):
        for index, (given, zh) in enumerate(zip(table.split(), given_zh[woman], strict=True)):
            number = (index * 7 + 3 * woman) % len(families)
            name = Name(f"{given} {families[number]}", names.FAMILIES_ZH[(index * 3 + woman) % 40] + zh)
            people.append(Person(name, given, woman))
    return tuple(people)


def _dealt(values: list[Name], number: int, *, rng: random.Random) -> list[Name]:
    """`number` values in random order, each about equally often, so that no guess is better than another."""
    dealt = (values * (number // len(values) + 1))[:number]
    rng.shuffle(dealt)
    return dealt


def _person_facts(people: tuple[Person, ...], towns: list[Name], *, rng: random.Random) -> list[Fact]:
    tables = [towns, *(_names(table) for table in (names.JOBS, names.COLOURS, names.FOODS, names.PETS))]
    columns = [_dealt(values, len(people), rng=rng) for values in tables]
    return [
        Fact(person.name.en, person.name, relation, value)
        for person, row in zip(people, zip(*columns, strict=True), strict=True)
        for relation, value in zip(PERSON_RELATIONS, row, strict=True)
    ]


def _town_facts(rng: random.Random) -> list[Fact]:
    lines = [line.split(":") for line in names.TOWNS.strip().splitlines()]
    regions = [(_names(head)[0], _names(towns)) for head, towns in lines]
    number = sum(len(towns) for _, towns in regions)
    rivers, crafts = (_dealt(_names(table), number, rng=rng) for table in (names.RIVERS, names.CRAFTS))
    facts = []
    for region, towns in regions:
        facts.append(Fact(region.en, region, "capital", towns[0]))
        for town in towns:
            values = (region, rivers.pop(), crafts.pop())
            facts += [Fact(town.en, town, *pair) for pair in zip(TOWN_RELATIONS, values, strict=True)]
    return facts


def _animal_facts() -> list[Fact]:
    facts = []
    for line in nature.ANIMALS.strip().splitlines():
        animal, *values = (cell.strip() for cell in line.split("|"))
        name = _names(animal)[0]
        objects = [_names(value)[0] for value in values[:3]] + [Name(values[3], values[3])]
        facts += [Fact(name.en, name, *pair) for pair in zip(ANIMAL_RELATIONS, objects, strict=True)]
    return facts


def _word_facts() -> list[Fact]:
    return [*_opposites(words.OPPOSITES, "en"), *_opposites(words.OPPOSITES_ZH, "zh"), *_meanings()]


def _opposites(table: str, language: Language) -> list[Fact]:
    facts = []
    for entry in table.split(";"):
        pair = entry.split()
        for left, right in (pair, pair[::-1]):
            subject, value = Name(left, left), Name(right, right)
            facts.append(Fact("/".join(pair), subject, "opposite", value, (language,)))
    return facts


def _meanings() -> list[Fact]:
    """Categories and translations: in English the object is the Chinese word, in Chinese the English one."""
    facts, translated = [], _names(words.TRANSLATIONS)
    for group in words.CATEGORIES.split(";"):
        head, members = group.split(":")
        category = _names(head)[0]
        for word in _names(members):
            facts.append(Fact(word.en, word, "category", category))
            translated.append(word)
    return facts + [Fact(word.en, word, "translation", Name(word.zh, word.en)) for word in translated]


def _number_facts() -> list[Fact]:
    """Subjects are written `7 5`; a pair is held out as a whole, in both orders and all three relations."""
    facts = []
    for a in range(LARGEST + 1):
        for b in range(LARGEST + 1):
            results = {"sum": a + b if a + b <= LARGEST else None, "difference": a - b if a >= b else None}
            results["larger"] = max(a, b) if a != b else None
            entity, subject = f"{max(a, b)} {min(a, b)}", Name(f"{a} {b}", f"{a} {b}")
            for relation, result in results.items():
                if result is not None:
                    facts.append(Fact(entity, subject, relation, Name(str(result), str(result))))
    return facts
