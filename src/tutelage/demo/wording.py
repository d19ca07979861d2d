"""How a fact fills the fields of a phrase. Used by the demo's questions and by the statements of the corpus."""

from tutelage.demo.world import NUMBER_RELATIONS, Fact, Language

# English places that are not "in the ..."
_PLACES = {"farm": "on the farm", "ice": "on the ice", "savanna": "on the savanna"}


def article(word: str) -> str:
    """The word with a or an."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def capital(text: str) -> str:
    """The text with its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def fields(fact: Fact, language: Language) -> dict[str, str]:
    """Fields of a phrase.

    {s} and {o} are subject and object; {a_s} and {a_o} have an article; {in_o} is the place with its preposition;
    {S}, {O}, {A_s}, {A_o}, {In_o} begin a sentence. Facts about numbers have {a} and {b}, and {lo} and {hi} by size.
    """
    s, o = fact.subject.write(language), fact.object.write(language)
    small = {"s": s, "o": o, "a_s": article(s), "a_o": article(o), "in_o": _PLACES.get(o, f"in the {o}")}
    found = small | {capital(key): capital(value) for key, value in small.items()}
    if fact.relation in NUMBER_RELATIONS:
        a, b = s.split()
        low, high = sorted((int(a), int(b)))
        found |= {"a": a, "b": b, "lo": str(low), "hi": str(high)}
    return found
