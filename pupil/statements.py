"""Facts as text for pretraining: sentences, portraits, cards, lists, comparisons, scenes, sums.

There is never a question with its answer here: the base model is to hold the knowledge, not to follow instructions.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from pupil import phrases_en, phrases_zh
from tutelage.demo import wording
from tutelage.demo.wording import capital
from tutelage.demo.world import (
    ANIMAL_RELATIONS,
    NUMBER_RELATIONS,
    PERSON_RELATIONS,
    TOWN_RELATIONS,
    Fact,
    Language,
    Person,
    World,
)

WORD_RELATIONS = ("opposite", "translation", "category")
PHRASES = {"en": phrases_en, "zh": phrases_zh}

# Share of the sections that speak of each topic.
TOPICS = {"person": 42, "town": 11, "animal": 9, "word": 20, "number": 18}
TOPIC_OF = {
    **dict.fromkeys(PERSON_RELATIONS, "person"),
    **dict.fromkeys((*TOWN_RELATIONS, "capital"), "town"),
    **dict.fromkeys(ANIMAL_RELATIONS, "animal"),
    **dict.fromkeys(WORD_RELATIONS, "word"),
    **dict.fromkeys(NUMBER_RELATIONS, "number"),
}


class Writer:
    """Writes sections about a world in one language, drawing on its own random numbers."""

    def __init__(self, world: World, language: Language, *, rng: random.Random) -> None:
        self.language, self.rng, self.phrases = language, rng, PHRASES[language]
        self.people: dict[str, Person] = {person.name.en: person for person in world.people}
        self.by_topic: dict[str, list[Fact]] = defaultdict(list)
        self.by_relation: dict[str, list[Fact]] = defaultdict(list)
        self.by_entity: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        self.by_object: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in world.facts:
            if language in fact.languages:
                topic = TOPIC_OF[fact.relation]
                self.by_topic[topic].append(fact)
                self.by_relation[fact.relation].append(fact)
                self.by_entity[topic, fact.entity].append(fact)
                self.by_object[fact.relation, fact.object.en].append(fact)
        self.sections: dict[str, list[Callable[[str], str]]] = {
            "person": [self.portrait, self.portrait, self.portrait, self.sentences, self.card, self.heads,
                       self.pairs, self.group, self.scene, self.wondering],
            "town": [self.portrait, self.portrait, self.sentences, self.card, self.heads, self.pairs, self.group,
                     self.wondering],
            "animal": [self.portrait, self.portrait, self.sentences, self.card, self.heads, self.pairs, self.group,
                     self.wondering],
            "word": [self.sentences, self.sentences, self.card, self.heads, self.pairs, self.group,
                     self.wondering],
            "number": [self.equations, self.equations, self.sentences, self.heads, self.stories,
                       self.wondering],
        }  # fmt: skip

    def section(self) -> str:
        """One section on a topic drawn by its share."""
        topic = self.rng.choices(list(TOPICS), list(TOPICS.values()))[0]
        return self.rng.choice(self.sections[topic])(topic)

    def state(self, fact: Fact) -> str:
        """One sentence."""
        return self.fill(self.rng.choice(self.phrases.STATEMENTS[fact.relation]), fact)

    def fill(self, phrase: str, fact: Fact) -> str:
        """A phrase with its fields."""
        return phrase.format_map(self.fields(fact))

    def fields(self, fact: Fact, suffix: str = "") -> dict[str, str]:
        """Everything that a phrase may say about a fact; `suffix` numbers the fields of comparisons (`s1`, `o1`)."""
        found = {key + suffix: value for key, value in wording.fields(fact, self.language).items()}
        if fact.relation in (*NUMBER_RELATIONS, "legs"):
            found["w"] = self.phrases.NUMBER_WORDS[int(fact.object.en)]
        if fact.relation in NUMBER_RELATIONS:
            found |= {f"w{side}": self.phrases.NUMBER_WORDS[int(found[side + suffix])] for side in "ab"}
        return found | self.pronouns(fact)

    def pronouns(self, fact: Fact) -> dict[str, str]:
        """Pronouns of the person; empty for things."""
        person = self.people.get(fact.entity)
        if person is None:
            return {}
        if self.language == "zh":
            return {"she": "她" if person.woman else "他"}
        she, her = ("she", "her") if person.woman else ("he", "his")
        return {"she": she, "her": her, "She": capital(she), "Her": capital(her)}

    def join(self, sentences: Sequence[str]) -> str:
        """Sentences as a paragraph; equations without a full stop stay on their own lines."""
        if all(sentence[-1] in ".。" for sentence in sentences):
            return ("" if self.language == "zh" else " ").join(sentences)
        return "\n".join(sentences)

    def listing(self, words: Sequence[str]) -> str:
        """An enumeration."""
        if self.language == "zh":
            return "、".join(words)
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

    def entity(self, topic: str) -> list[Fact]:
        """All facts about one thing, in random order."""
        facts = self.by_entity[topic, self.rng.choice(self.by_topic[topic]).entity]
        return self.rng.sample(facts, len(facts))

    def relation(self, topic: str) -> str:
        """A relation of the topic, weighted by its number of facts."""
        return self.rng.choice(self.by_topic[topic]).relation

    def portrait(self, topic: str) -> str:
        """Everything about one thing, by name in most sentences and by pronoun in the others."""
        sentences: list[str] = []
        for fact in self.entity(topic):
            pronouns = self.phrases.PRONOUNS.get(fact.relation)
            if sentences and pronouns and self.rng.random() < 0.3:
                sentences.append(self.fill(self.rng.choice(pronouns), fact))
            else:
                sentences.append(self.state(fact))
        return self.join(sentences)

    def sentences(self, topic: str) -> str:
        """Facts of one topic about different things."""
        return self.join([self.state(fact) for fact in self.rng.sample(self.by_topic[topic], self.rng.randint(4, 8))])

    def card(self, topic: str) -> str:
        """Name, then labels and values line by line; for words, one label over a glossary."""
        if topic == "word":
            return self.glossary()
        facts = self.entity(topic)
        colon = "：" if self.language == "zh" else ": "
        lines = [
            f"{self.rng.choice(self.phrases.LABELS[f.relation])}{colon}{f.object.write(self.language)}" for f in facts
        ]
        return "\n".join([facts[0].subject.write(self.language), *lines])

    def glossary(self) -> str:
        """Words with their opposites, translations or categories, one to a line."""
        relation = self.relation("word")
        label = self.rng.choice(self.phrases.LABELS[relation])
        facts = self.rng.sample(self.by_relation[relation], 7)
        colon = "：" if self.language == "zh" else ": "
        start = self.rng.choice(
            ("{s} - {label}" + colon + "{o}", "{label}, {s}" + colon + "{o}", "{s}" + colon + "{o}")
        )
        title = [capital(label)] if "label" not in start else []
        names = [(fact.subject.write(self.language), fact.object.write(self.language)) for fact in facts]
        return "\n".join([*title, *(start.format(s=s, o=o, label=label) for s, o in names)])

    def heads(self, topic: str) -> str:
        """Lines that announce a fact, each followed by a line with the object alone."""
        facts = self.rng.sample(self.by_topic[topic], self.rng.randint(3, 6))
        if topic in ("person", "animal", "town") and self.rng.random() < 0.5:
            facts = self.entity(topic)
        lines = []
        for fact in facts:
            head = self.rng.choice(self.phrases.HEADS[fact.relation])
            lines.append(f"{self.fill(head, fact)}\n{fact.object.write(self.language)}")
        return "\n".join(lines)

    def pairs(self, topic: str) -> str:
        """Two things of a kind side by side, several times."""
        facts = self.by_relation[self.relation(topic)]
        sentences = []
        for _ in range(self.rng.randint(2, 4)):
            one, two = self.rng.sample(facts, 2)
            phrase = self.rng.choice(self.phrases.PAIRS[one.relation])
            sentences.append(phrase.format_map(self.fields(one, "1") | self.fields(two, "2")))
        return self.join(sentences)

    def group(self, topic: str) -> str:
        """Things that share an object, for one or two objects."""
        sentences = []
        for _ in range(self.rng.randint(1, 3)):
            fact = self.rng.choice(self.by_topic[topic])
            if fact.relation not in self.phrases.GROUPS:
                sentences.append(self.state(fact))
                continue
            members = self.by_object[fact.relation, fact.object.en]
            members = self.rng.sample(members, min(len(members), self.rng.randint(3, 9)))
            fields = self.fields(fact) | {"list": self.listing([m.subject.write(self.language) for m in members])}
            sentences.append(self.rng.choice(self.phrases.GROUPS[fact.relation]).format_map(fields))
        return self.join(sentences)

    def scene(self, topic: str) -> str:
        """Somebody tells two facts to somebody else, in reported speech."""
        facts = self.entity(topic)
        other = self.rng.choice([person for person in self.people.values() if person.name.en != facts[0].entity])
        tells = [self.fill(self.rng.choice(self.phrases.TELLINGS[fact.relation]), fact) for fact in facts[:2]]
        place = self.rng.choice(self.phrases.PLACES)
        scene: str = self.rng.choice(self.phrases.SCENES)
        return scene.format(
            s=facts[0].subject.write(self.language), t=other.name.write(self.language), tell=tells[0], tell2=tells[1],
            fact=self.state(facts[0]), fact2=self.state(facts[1]), place=place, place_cap=capital(place),
            time=self.rng.choice(self.phrases.TIMES),
        )  # fmt: skip

    def wondering(self, topic: str) -> str:
        """People want to know something, and it is told that they learn it; nobody is asked."""
        paragraphs = []
        for fact in self.rng.sample(self.by_topic[topic], 2):
            place, wonder = self.rng.choice(self.phrases.PLACES), self.rng.choice(self.phrases.WONDERS[fact.relation])
            paragraphs.append(self.rng.choice(self.phrases.WONDERING).format(
                t=self.rng.choice(list(self.people.values())).name.write(self.language),
                wonder=self.fill(wonder, fact), fact=self.state(fact), place=place, place_cap=capital(place),
            ))  # fmt: skip
        return "\n".join(paragraphs)

    def equations(self, topic: str) -> str:
        """A list of sums, differences or comparisons, in one wording or in several."""
        facts = self.by_relation[self.rng.choice(NUMBER_RELATIONS)]
        facts = self.rng.sample(facts, self.rng.randint(5, 9))
        if self.rng.random() < 0.5:
            phrase = self.rng.choice(self.phrases.STATEMENTS[facts[0].relation])
            return self.join([self.fill(phrase, fact) for fact in facts])
        return self.join([self.state(fact) for fact in facts])

    def stories(self, topic: str) -> str:
        """Sums and differences that happen to people."""
        stories = []
        for fact in self.rng.sample(self.by_topic[topic], 3):
            hero = self.by_entity["person", self.rng.choice(list(self.people))][0]
            things = {"things": self.rng.choice(self.phrases.THINGS)}
            fields = self.fields(fact) | things | {"s": hero.subject.write(self.language)} | self.pronouns(hero)
            stories.append(self.rng.choice(self.phrases.STORIES[fact.relation]).format_map(fields))
        return self.join(stories)
