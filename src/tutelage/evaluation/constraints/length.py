"""Length: words, sentences, and paragraphs."""

import re
from collections.abc import Mapping

from tutelage.evaluation.constraints.kinds import COUNT, ORDINAL, RELATION, TEXT, Kind, holds
from tutelage.evaluation.constraints.sentences import count_sentences

_WORD = re.compile(r"\w+")
_RULE = re.compile(r"\s?\*\*\*\s?")
_MARKS = ".,?!'\""


def number_words(answer: str, *, relation: str, num_words: int) -> bool:
    """Whether an answer has so many words. A word is a run of letters, digits and `_`, as IFEval counts: `it's` has
    two, and so many Chinese characters in a row are one (`zh:characters` counts those)."""
    return holds(len(_WORD.findall(answer)), relation, bound=num_words)


def number_sentences(answer: str, *, relation: str, num_sentences: int) -> bool:
    """Whether an answer has so many sentences (see `sentences`)."""
    return holds(count_sentences(answer), relation, bound=num_sentences)


def number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Whether rules of three stars (`***`) part an answer into exactly so many paragraphs, none of them blank but for
    one before the first rule and one after the last."""
    parts = [part.strip() for part in _RULE.split(answer)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def nth_paragraph_first_word(answer: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Whether blank lines part an answer into exactly so many paragraphs, and the nth of them begins with a word,
    whatever its capitals, quotes before it and marks behind it."""
    paragraphs = [part for part in answer.split("\n\n") if part.strip()]
    if len(paragraphs) != num_paragraphs or nth_paragraph > num_paragraphs:
        return False
    begun = paragraphs[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"').lower()
    return re.split(f"[{_MARKS}]", begun, maxsplit=1)[0] == first_word.lower()


KINDS: Mapping[str, Kind] = {
    "length_constraints:number_words": Kind(
        number_words, "the answer has {relation} {num_words} words", {"relation": RELATION, "num_words": COUNT}
    ),
    "length_constraints:number_sentences": Kind(
        number_sentences,
        "the answer has {relation} {num_sentences} sentences",
        {"relation": RELATION, "num_sentences": COUNT},
    ),
    "length_constraints:number_paragraphs": Kind(
        number_paragraphs,
        "the answer has {num_paragraphs} paragraphs, parted by ***",
        {"num_paragraphs": ORDINAL},
    ),
    "length_constraints:nth_paragraph_first_word": Kind(
        nth_paragraph_first_word,
        "the answer has {num_paragraphs} paragraphs, parted by blank lines; "
        "paragraph {nth_paragraph} begins with the word {first_word}",
        {"num_paragraphs": ORDINAL, "nth_paragraph": ORDINAL, "first_word": TEXT},
    ),
}
