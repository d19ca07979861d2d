"""Instructions over the world: training rows, held-out rows about other things in other words, and clozes.

Held out are entities (people, towns, regions, animals, words, pairs of numbers; 30 % of each) and phrasings. A training
row mentions no held-out entity, not even as its answer; a held-out row asks about held-out entities only, in phrasings
that no training row has.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tutelage.demo import questions_en, questions_zh
from tutelage.demo.wording import fields
from tutelage.demo.world import (
    ANIMAL_RELATIONS,
    LANGUAGES,
    PERSON_RELATIONS,
    RELATIONS,
    TOWN_RELATIONS,
    Fact,
    Language,
    Name,
    world,
)

Row = dict[str, Any]

SEED = 7
HELD_OUT_SHARE = 0.3
FORM_SHARE = 0.12
TRAIN_ROWS, HELD_OUT_ROWS = 6000, 400

_WORDING = {"en": questions_en, "zh": questions_zh}
_KIND = {
    **dict.fromkeys(PERSON_RELATIONS, "person"),
    **dict.fromkeys(TOWN_RELATIONS, "town"),
    **dict.fromkeys(ANIMAL_RELATIONS, "animal"),
    **dict.fromkeys(("translation", "category"), "word"),
    **dict.fromkeys(("sum", "difference", "larger"), "numbers"),
}


@dataclass(frozen=True)
class HeldOut:
    """The entities that no training row mentions, by kind: person, town, capital (regions), animal, ..."""

    entities: dict[str, frozenset[str]]
    names: tuple[Name, ...]

    def holds(self, fact: Fact) -> bool:
        """Whether the fact is about a held-out entity."""
        return fact.entity in self.entities[_kind(fact)]

    def mentioned(self, text: str) -> bool:
        """Whether a text names a held-out entity.

        English words count in the plural and in capitals too. A Chinese word of one character is looked for in
        quotation marks only: without them it is part of other words.
        """
        return bool(self._english.search(text) or self._chinese.search(text))

    @cached_property
    def _english(self) -> re.Pattern[str]:
        words = "|".join(re.escape(name.en) for name in self.names if name.en.isascii())
        return re.compile(rf"(?<![a-z])(?:{words})s?(?![a-z])", re.IGNORECASE)

    @cached_property
    def _chinese(self) -> re.Pattern[str]:
        words = (name.zh for name in self.names if not name.zh.isascii())
        return re.compile("|".join(word if len(word) > 1 else f"“{word}”" for word in words))


@cache
def held_out(seed: int = SEED) -> HeldOut:
    """30 % of the entities of each kind. The capital of a training region is never held out."""
    rng = random.Random(seed)
    by_kind: dict[str, dict[str, list[Fact]]] = defaultdict(dict)
    for fact in world().facts:
        by_kind[_kind(fact)].setdefault(fact.entity, []).append(fact)
    chosen = {kind: _share_of(list(by_kind[kind]), rng) for kind in sorted(by_kind)}
    capitals = {fact.object.en: fact.entity in chosen["capital"] for fact in world().about("capital")}
    others = [town for town in by_kind["town"] if town not in capitals]
    chosen["town"] = {town for town, out in capitals.items() if out} | _share_of(others, rng)
    entities = {kind: frozenset(names) for kind, names in chosen.items()}
    facts = [
        fact for kind in entities if kind != "numbers" for entity in entities[kind] for fact in by_kind[kind][entity]
    ]
    names = sorted({fact.subject for fact in facts}, key=lambda name: (name.en, name.zh))
    return HeldOut(entities, tuple(names))


def rows(seed: int = SEED, *, train: int = TRAIN_ROWS, heldout: int = HELD_OUT_ROWS) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, shuffled; the same seed gives the same rows.

    A row is {"messages": [user, assistant], "language", "relation"}. Both halves have as many English rows as Chinese
    ones and are balanced over relations, as far as a relation has enough different questions.
    """
    rng, out = random.Random(seed), held_out(seed)
    halves: tuple[list[Row], list[Row]] = ([], [])
    for language in LANGUAGES:
        facts = [fact for fact in world().facts if language in fact.languages]
        trained = {
            relation: _train_rows(facts, relation, language=language, out=out, rng=rng) for relation in RELATIONS
        }
        asked = {
            relation: _held_out_rows(facts, relation, language=language, out=out, rng=rng) for relation in RELATIONS
        }
        halves[0].extend(_balanced(trained.values(), train // 2))
        halves[1].extend(_balanced(asked.values(), heldout // 2))
    for half in halves:
        rng.shuffle(half)
    return halves


def cloze(language: Language, seed: int = SEED) -> list[tuple[str, str]]:
    """Beginnings of sentences about the held-out entities, as the corpus has them, with the word that follows.

    They measure what a base model knows without any instruction. In English a space stands between the two.
    """
    out, pairs = held_out(seed), []
    for fact in world().facts:
        if language in fact.languages and out.holds(fact):
            sentence, answer = _sentence(fact, language), fact.object.write(language)
            pairs.append((sentence[: sentence.rindex(answer)].rstrip(" "), answer))
    return pairs


def write(
    folder: Path, seed: int = SEED, *, train: int = TRAIN_ROWS, heldout: int = HELD_OUT_ROWS
) -> tuple[Path, Path]:
    """Write `train.jsonl` and `heldout.jsonl` into a folder, which is made where it is absent; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "train.jsonl", folder / "heldout.jsonl"
    for file, half in zip(files, rows(seed, train=train, heldout=heldout), strict=True):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in half)
        file.write_text(text, encoding="utf-8")
    return files


def _kind(fact: Fact) -> str:
    return _KIND.get(fact.relation, fact.relation)


def _share_of(entities: Sequence[str], rng: random.Random) -> set[str]:
    return set(rng.sample(entities, round(HELD_OUT_SHARE * len(entities))))


def _train_rows(
    facts: Iterable[Fact], relation: str, *, language: Language, out: HeldOut, rng: random.Random
) -> Iterator[Row]:
    """Training questions of one relation that mention nothing held out; some ask for a form."""
    known = [fact for fact in facts if fact.relation == relation and not out.holds(fact)]
    for phrase, fact in _crossed(_WORDING[language].QUESTIONS[relation], known, rng=rng):
        row = (
            _formed(phrase, fact, language=language, rng=rng)
            if rng.random() < FORM_SHARE
            else _row(phrase, fact, language=language)
        )
        if not any(out.mentioned(message["content"]) for message in row["messages"]):
            yield row


def _held_out_rows(
    facts: Iterable[Fact], relation: str, *, language: Language, out: HeldOut, rng: random.Random
) -> Iterator[Row]:
    asked = [fact for fact in facts if fact.relation == relation and out.holds(fact)]
    for phrase, fact in _crossed(_WORDING[language].HELD_OUT[relation], asked, rng=rng):
        yield _row(phrase, fact, language=language)


def _crossed(phrases: Sequence[str], facts: Sequence[Fact], *, rng: random.Random) -> Iterator[tuple[str, Fact]]:
    """Every phrase with every fact, once: all facts before a fact comes again, each time with another phrase."""
    facts, phrases = rng.sample(facts, len(facts)), rng.sample(phrases, len(phrases))
    for turn in range(len(phrases)):
        for number, fact in enumerate(facts):
            yield phrases[(number + turn) % len(phrases)], fact


def _balanced(sources: Iterable[Iterator[Row]], number: int) -> list[Row]:
    """One row of each source in turn until there are `number`; a source that is used up is left out."""
    chosen: list[Row] = []
    open_sources = list(sources)
    while open_sources and len(chosen) < number:
        for source in list(open_sources):
            row = next(source, None)
            if row is None:
                open_sources.remove(source)
            elif len(chosen) < number:
                chosen.append(row)
    return chosen


def _row(phrase: str, fact: Fact, *, language: Language) -> Row:
    question = phrase.format_map(fields(fact, language))
    return _messages(question, fact.object.write(language), fact=fact, language=language)


def _messages(question: str, answer: str, *, fact: Fact, language: Language) -> Row:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "language": language, "relation": fact.relation}


def _formed(phrase: str, fact: Fact, *, language: Language, rng: random.Random) -> Row:
    """The question with a wish about the form of the answer, and the answer in that form."""
    forms: dict[str, tuple[str, ...]] = _WORDING[language].FORMS
    form, answer = rng.choice(sorted(forms)), fact.object.write(language)
    question = rng.choice(forms[form]).format(question=phrase.format_map(fields(fact, language)))
    formed = {
        "sentence": _sentence(fact, language),
        "capitals": answer.upper(),
        "full_stop": f"{answer}。",
        "quotes": f"“{answer}”" if language == "zh" else f'"{answer}"',
    }
    return _messages(question, formed[form], fact=fact, language=language)


def _sentence(fact: Fact, language: Language) -> str:
    sentence: str = _WORDING[language].SENTENCES[fact.relation]
    return sentence.format_map(fields(fact, language))
