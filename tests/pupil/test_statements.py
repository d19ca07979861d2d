import random
import re
from collections import Counter

import pytest

from pupil.statements import PHRASES, TOPIC_OF, TOPICS, Writer
from tutelage.demo import questions_en, questions_zh
from tutelage.demo.instructions import held_out
from tutelage.demo.world import LANGUAGES, RELATIONS, Fact, Language, world

SECTIONS = 36_000
WORDING = {"en": questions_en, "zh": questions_zh}


def writer(language: Language, seed: int = 3) -> Writer:
    return Writer(world(), language, rng=random.Random(seed))


@pytest.fixture(scope="module", params=LANGUAGES)
def sample(request: pytest.FixtureRequest) -> tuple[Language, list[str]]:
    one = writer(request.param)
    return request.param, [one.section() for _ in range(SECTIONS)]


def sentences(sections: list[str]) -> Counter[str]:
    """Sentences and lines of all sections, without their full stops."""
    parts = (part for section in sections for part in re.split(r"(?<=[.。])\s*|\n|：", section))
    return Counter(part.strip().rstrip(".。") for part in parts if part.strip())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_relation_is_stated_in_at_least_eight_ways(language: Language) -> None:
    phrases = PHRASES[language]
    assert set(phrases.STATEMENTS) == set(TOPIC_OF) == set(RELATIONS)
    assert all(len(set(ways)) >= 8 for ways in phrases.STATEMENTS.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_can_be_filled_for_every_fact(language: Language) -> None:
    one, filled = writer(language), 0
    for fact in world().facts:
        if language in fact.languages:
            for phrase in one.phrases.STATEMENTS[fact.relation]:
                sentence = one.fill(phrase, fact)
                assert "{" not in sentence
                assert sentence.strip() == sentence
                filled += 1
    assert filled > 15_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_some_phrasing_begins_with_the_object_and_some_with_the_subject(language: Language) -> None:
    for relation, ways in PHRASES[language].STATEMENTS.items():
        if TOPIC_OF[relation] != "number":
            first = {found[1].lower() for way in ways if (found := re.search(r"\{(?:a_|A_|in_|In_)?([soSO])\}", way))}
            assert first == {"s", "o"}, relation


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_gives_the_same_sections(language: Language) -> None:
    one, again, other = writer(language, 1), writer(language, 1), writer(language, 2)
    sections = [one.section() for _ in range(20)]
    assert [again.section() for _ in range(20)] == sections
    assert [other.section() for _ in range(20)] != sections


def test_every_kind_of_section_can_be_written_and_all_topics_get_their_share() -> None:
    for language in LANGUAGES:
        one = writer(language)
        for topic, kinds in one.sections.items():
            assert all(kind(topic) for kind in kinds for _ in range(5))
    assert sum(TOPICS.values()) == 100
    assert set(TOPICS) == set(TOPIC_OF.values())


def test_questions_have_no_answer_behind_them_and_there_is_no_chat(sample: tuple[Language, list[str]]) -> None:
    _, sections = sample
    marks = Counter(mark for section in sections for mark in re.findall(r"[?？]", section))
    assert 0 < sum(marks.values()) < 0.03 * len(sections)
    for section in sections:
        assert not re.search(r"[?？]\s*\n", section)
        assert not re.search(r"(?i)\b(question|answer|user|assistant|instruction)\s*:|<\||###", section)
        assert not re.search(r"(问题|回答|问|答|指令|用户|助手)：", section)


def test_no_question_of_the_demo_stands_in_the_corpus(sample: tuple[Language, list[str]]) -> None:
    language, sections = sample
    said, checked = sentences(sections), 0
    for relation in ("home", "capital", "legs", "opposite"):
        one = writer(language)
        for fact in one.by_relation[relation]:
            for phrase in (*WORDING[language].QUESTIONS[relation], *WORDING[language].HELD_OUT[relation]):
                assert one.fill(phrase, fact) not in said
                checked += 1
    assert checked > 600


def test_every_fact_that_held_out_rows_ask_is_stated(sample: tuple[Language, list[str]]) -> None:
    """A third of the corpus holds each of them at least twice as a whole sentence, most of them far more often."""
    language, sections = sample
    said, one = sentences(sections), writer(language)

    def times(fact: Fact) -> int:
        ways = {one.fill(phrase, fact).rstrip(".。") for phrase in one.phrases.STATEMENTS[fact.relation]}
        return sum(said[way] for way in ways)

    facts = [fact for fact in world().facts if language in fact.languages and held_out().holds(fact)]
    found = {fact: times(fact) for fact in facts}
    assert len(found) > 600
    assert [fact for fact, number in found.items() if number < 2] == []
    people = sorted(number for fact, number in found.items() if TOPIC_OF[fact.relation] == "person")
    assert people[len(people) // 2] >= 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_clozes_are_phrasings_of_the_corpus(language: Language) -> None:
    for relation, sentence in WORDING[language].SENTENCES.items():
        assert sentence in PHRASES[language].STATEMENTS[relation]


def test_nothing_false_is_said_of_numbers(sample: tuple[Language, list[str]]) -> None:
    _, sections = sample
    checked: Counter[str] = Counter()
    for section in sections:
        for left, sign, right, result in re.findall(r"(\d+) ?([+-]) ?(\d+) ?= ?\n?(\d+)", section):
            total = int(left) + int(right) if sign == "+" else int(left) - int(right)
            assert int(result) == total
            checked[sign] += 1
        for left, sign, right in re.findall(r"(\d+) ([<>]) (\d+)", section):
            assert (int(left) < int(right)) == (sign == "<")
            checked[sign] += 1
        for high, low in re.findall(r"(\d+)(?:大于|比(?=\d+大))(\d+)", section):
            assert int(high) > int(low)
            checked["大"] += 1
    assert checked["+"] > 100
    assert checked["-"] > 100
    assert checked["<"] + checked["大"] > 100


def test_pronouns_are_those_of_the_person() -> None:
    for language, pronouns in (("en", ("he", "she")), ("zh", ("他", "她"))):
        one = writer(language)
        for person in world().people:
            (fact,) = (fact for fact in one.by_relation["home"] if fact.entity == person.name.en)
            assert one.pronouns(fact)["she"] == pronouns[person.woman]
        assert one.pronouns(one.by_relation["capital"][0]) == {}
