import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tutelage.demo import instructions, questions_en, questions_zh
from tutelage.demo.instructions import Row, cloze, held_out, rows, write
from tutelage.demo.wording import fields
from tutelage.demo.world import LANGUAGES, NUMBER_RELATIONS, RELATIONS, Language, world

WORDING = {"en": questions_en, "zh": questions_zh}


@pytest.fixture(scope="module")
def halves() -> tuple[list[Row], list[Row]]:
    return rows()


@pytest.fixture(scope="module")
def train(halves: tuple[list[Row], list[Row]]) -> list[Row]:
    return halves[0]


@pytest.fixture(scope="module")
def asked(halves: tuple[list[Row], list[Row]]) -> list[Row]:
    return halves[1]


def question(row: Row) -> str:
    return row["messages"][0]["content"]


def answer(row: Row) -> str:
    return row["messages"][1]["content"]


def text(row: Row) -> str:
    return f"{question(row)} | {answer(row)}"


def every_question(language: Language, phrases: str) -> dict[str, dict[str, str]]:
    """Question -> right answer, for each relation, from the phrasings and the facts alone."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for fact in world().facts:
        if language in fact.languages:
            for phrase in vars(WORDING[language])[phrases][fact.relation]:
                asked = phrase.format_map(fields(fact, language))
                found[fact.relation][asked] = fact.object.write(language)
    return found


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(halves: tuple[list[Row], list[Row]]) -> None:
    assert rows() == halves
    assert rows(8)[1] != halves[1]


def test_sizes_and_shape(train: list[Row], asked: list[Row]) -> None:
    assert (len(train), len(asked)) == (6000, 400)
    for row in (*train, *asked):
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert all(message["content"].strip() == message["content"] != "" for message in row["messages"])
        assert row["language"] in LANGUAGES
        assert row["relation"] in RELATIONS
    small, few = rows(train=500, heldout=100)
    assert (len(small), len(few)) == (500, 100)


@pytest.mark.parametrize("half", ["train", "asked"])
def test_both_halves_are_balanced(half: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(half)
    assert Counter(row["language"] for row in found) == dict.fromkeys(LANGUAGES, len(found) // 2)
    relations = Counter((row["language"], row["relation"]) for row in found if row["relation"] != "capital")
    assert len(relations) == 2 * (len(RELATIONS) - 1)
    assert min(relations.values()) >= 0.85 * max(relations.values())
    assert {row["relation"] for row in found} == set(RELATIONS)


def test_30_percent_of_the_entities_of_each_kind_are_held_out() -> None:
    entities = held_out().entities
    numbers = {fact.entity for fact in world().about(*NUMBER_RELATIONS)}
    sizes = {"person": 120, "town": 40, "animal": 60, "capital": 10, "numbers": len(numbers)}
    for kind, size in sizes.items():
        assert len(entities[kind]) == round(0.3 * size)
    assert len(entities["word"]) >= 45
    assert len(entities["opposite"]) >= 35


def test_a_capital_is_held_out_exactly_where_its_region_is() -> None:
    entities = held_out().entities
    for fact in world().about("capital"):
        assert (fact.object.en in entities["town"]) == (fact.entity in entities["capital"])


def test_no_training_row_mentions_a_held_out_entity(train: list[Row], asked: list[Row]) -> None:
    names = {form for name in held_out().names for form in (name.en, name.zh)}
    english = {name.lower() for name in names if name.isascii()}
    chinese = {name for name in names if not name.isascii() and len(name) > 1}
    assert len(english) > 120
    assert len(chinese) > 120
    trained = " | ".join(text(row) for row in train).lower()
    words = set(re.findall(r"[a-z]+", trained))
    for name in english:
        assert not (set(name.split()) <= words and re.search(rf"(?<![a-z]){name}(?![a-z])", trained)), name
    assert not [name for name in chinese if name in trained]
    short = {f"“{name}”" for name in names if not name.isascii() and len(name) == 1}
    assert short
    assert not [name for name in short if name in trained]
    assert sum(held_out().mentioned(text(row)) for row in asked) > 200


def test_no_training_row_has_a_held_out_pair_of_numbers(train: list[Row], asked: list[Row]) -> None:
    out = held_out().entities["numbers"]

    def pairs(half: list[Row]) -> list[str]:
        numbers = [re.findall(r"\d+", question(row)) for row in half if row["relation"] in NUMBER_RELATIONS]
        return [" ".join(sorted(found, key=int, reverse=True)) for found in numbers]

    assert len(pairs(train)) > 900
    assert not set(pairs(train)) & out
    assert len(pairs(asked)) >= 55
    assert set(pairs(asked)) <= out


def test_no_phrasing_is_shared_and_there_are_enough() -> None:
    for wording in WORDING.values():
        assert set(wording.QUESTIONS) == set(wording.HELD_OUT) == set(wording.SENTENCES) == set(RELATIONS)
        for relation in RELATIONS:
            trained, kept = wording.QUESTIONS[relation], wording.HELD_OUT[relation]
            assert len(set(trained)) == len(trained) >= 6
            assert 2 <= len(set(kept)) == len(kept) <= 3
            assert not set(trained) & set(kept)


def test_every_phrasing_is_used_in_its_own_half_only(train: list[Row], asked: list[Row]) -> None:
    for language in LANGUAGES:
        for half, other, phrases in ((train, asked, "QUESTIONS"), (asked, train, "HELD_OUT")):
            own = {key for table in every_question(language, phrases).values() for key in table}
            assert sum(question(row) in own for row in half) > 150
            assert not any(question(row) in own for row in other)


def test_a_training_entity_comes_in_several_phrasings(train: list[Row]) -> None:
    people = [person.name for person in world().people if person.name.en not in held_out().entities["person"]]
    assert len(people) == 84
    for language in LANGUAGES:
        for name in people:
            about = {question(row) for row in train if name.write(language) in question(row)}
            assert len(about) >= 3, name


def test_there_are_no_duplicates(train: list[Row], asked: list[Row]) -> None:
    questions = [question(row) for row in (*train, *asked)]
    assert len(set(questions)) == len(questions) == 6400


def test_held_out_answers_are_bare_and_right(asked: list[Row]) -> None:
    right = {language: every_question(language, "HELD_OUT") for language in LANGUAGES}
    for row in asked:
        assert answer(row) == right[row["language"]][row["relation"]][question(row)]


def test_training_answers_are_right_and_a_minority_has_a_form(train: list[Row]) -> None:
    right = {language: every_question(language, "QUESTIONS") for language in LANGUAGES}
    forms: Counter[str] = Counter()
    for row in train:
        known = right[row["language"]][row["relation"]]
        if question(row) in known:
            assert answer(row) == known[question(row)]
        else:
            inner = max((key for key in known if key in question(row)), key=len)
            forms[check_form(row, known[inner])] += 1
    assert set(forms) == {"sentence", "capitals", "full_stop", "quotes"}
    assert 0.10 <= sum(forms.values()) / len(train) <= 0.15


def check_form(row: Row, bare: str) -> str:
    """The form that the question asks for, having checked that the answer has it."""
    asked, given = question(row), answer(row)
    if "complete sentence" in asked or "完整的句子" in asked:
        assert bare in given
        assert given[-1] in ".。"
        assert len(given) > len(bare) + 2
        return "sentence"
    if "capital letters" in asked:
        assert given.lower() == bare.lower()
        assert given == given.upper()
        return "capitals"
    if "句号" in asked:
        assert given == f"{bare}。"
        return "full_stop"
    assert "quotation" in asked or "引号" in asked
    assert given in (f'"{bare}"', f"“{bare}”")
    return "quotes"


@pytest.mark.parametrize("language", LANGUAGES)
def test_clozes_are_sentences_about_held_out_entities_cut_before_the_answer(language: Language) -> None:
    facts = [fact for fact in world().facts if language in fact.languages and held_out().holds(fact)]
    pairs = cloze(language)
    assert len(pairs) == len(facts) > 600
    space = " " if language == "en" else ""
    for (prefix, end), fact in zip(pairs, facts, strict=True):
        whole = WORDING[language].SENTENCES[fact.relation].format_map(fields(fact, language))
        assert end == fact.object.write(language)
        assert whole.startswith((prefix + space + end, prefix + end))
        assert len(whole) - len(prefix) - len(end) <= len(" legs.") + 1


def test_writing_gives_lines_that_read_back_as_the_rows(tmp_path: Path, train: list[Row], asked: list[Row]) -> None:
    files = write(tmp_path / "new" / "data")
    assert [file.name for file in files] == ["train.jsonl", "heldout.jsonl"]
    for file, half in zip(files, (train, asked), strict=True):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == half
        assert any("住" in line for line in lines)


def test_a_plural_or_capitals_or_glued_chinese_is_a_mention_and_a_part_of_a_word_is_not() -> None:
    out = held_out()
    animal = next(name for name in out.names if name.en in out.entities["animal"] and " " not in name.en)
    assert out.mentioned(f"Two {animal.en}s.")
    assert out.mentioned(animal.en.upper())
    assert out.mentioned(f"英文单词{animal.en}的意思")
    assert out.mentioned(f"这只{animal.zh}很大")
    assert not out.mentioned(f"x{animal.en}x")
    assert instructions.HELD_OUT_SHARE == 0.3
