"""How many sentences a text has, in English and Chinese: by the marks that end them, and the abbreviations whose point
does not."""

from itertools import pairwise

import regex

# Abbreviations as newspapers print them. Something follows these: a name, or a number.
_BEFORE_A_NAME = frozenset({
    "mr", "mrs", "ms", "messrs", "mmes", "dr", "prof", "rev", "hon", "fr", "gov", "lt", "sen", "rep", "pres",
    "supt", "gen", "col", "capt", "cmdr", "sgt", "cpl", "maj", "adm", "st", "ste", "mt", "ft", "vs", "viz", "cf",
    "approx", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec",
})  # fmt: skip
_BEFORE_A_NUMBER = frozenset({"no", "nos", "fig", "figs", "vol", "vols", "p", "pp", "ch", "sec", "art"})
# These may end a sentence; then a word like those of `_STARTS` follows, or nothing.
_CLOSING = frozenset({
    "jr", "sr", "esq", "corp", "inc", "ltd", "co", "bros", "ave", "blvd", "rd", "etc", "al", "dept", "univ", "assn",
    "est",
})  # fmt: skip
_LETTERS = regex.compile(r"(?:\p{L}{1,2}\.)+\p{L}|\p{Lu}")  # a.m, U.S, Ph.D, an initial
_STARTS = frozenset({
    "The", "A", "An", "This", "That", "These", "Those", "It", "He", "She", "We", "You", "They", "I", "My", "Our",
    "Your", "His", "Her", "Their", "There", "Here", "In", "On", "At", "But", "And", "So", "If", "When", "While",
    "What", "Why", "How",
})  # fmt: skip
_QUOTES = ('"', "'", "”", "’", "»")
_CLOSERS = "\"'”’»›)]}*_`~」』）》】"
_OPENERS = "\"'“‘«‹([{*_`~「『（《【"
_WIDE = "。！？｡"
_FULL_STOPS = "।॥؟۔"  # of Devanagari and Arabic
_WIDE_END = regex.compile(rf"(?:[{_WIDE}]++|(?<=\p{{Han}})[.!?]++(?=\p{{Han}}))[{regex.escape(_CLOSERS)}]*+")
_WORD = regex.compile(r"\p{L}*")


def count_sentences(text: str) -> int:
    """How many sentences a text has.

    A sentence ends with `.`, `!`, `?` or `…` before white space, or with a full-width mark anywhere, and with the text.
    The point of an abbreviation, of an initial, and of a number before a small letter ends none, nor does an ellipsis
    or a closing quote before a small letter. A line break is but white space: a heading belongs to the sentence after
    it. A list's number before a capital counts as a sentence. Both are so in IFEval (NLTK's Punkt).
    """
    count, begun = 0, False
    for token, following in pairwise([*_WIDE_END.sub(r"\g<0> ", text).split(), ""]):
        begun = begun or any(map(str.isalnum, token))
        quoted_within = token.endswith(_QUOTES) and following[:1].islower()
        if begun and not quoted_within and _ends(token.rstrip(_CLOSERS), following.lstrip(_OPENERS)):
            count, begun = count + 1, False
    return count + begun


def _ends(token: str, following: str) -> bool:
    """Whether a sentence ends with a token, without the quotes and brackets behind it; what follows is empty at the
    end of the text."""
    if not token.endswith((".", "…")):
        return token.endswith(("!", "?", *_WIDE, *_FULL_STOPS))
    if not following:
        return True
    word = token[:-1].lstrip(_OPENERS)
    if word.isdecimal():
        return following[0].isupper() or not following[0].isalpha()
    if token.endswith(("..", "…")):
        return not following[0].islower()
    if word.lower() in _BEFORE_A_NUMBER:
        return not following[0].isdecimal()
    if word.lower() in _CLOSING or _LETTERS.fullmatch(word):
        return (found := _WORD.match(following)) is not None and found[0] in _STARTS
    return word.lower() not in _BEFORE_A_NAME
