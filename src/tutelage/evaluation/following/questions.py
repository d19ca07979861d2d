"""Whether all questions of a prompt are answered, and all items given that it asks for."""

from collections import Counter
from itertools import chain

import regex

from tutelage.curate.doubts import MILD, Doubt, excerpt
from tutelage.curate.promises import promise_doubts
from tutelage.evaluation.answer_form.structure import items
from tutelage.evaluation.following.topic import terms

_ASKING = 1_000  # characters of a prompt; a longer one brings texts that have questions of their own
_QUESTION = regex.compile(r"[^.!?。！？\n]*[^.!?。！？\n\s][?？]")
_QUOTED = regex.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」|(?<!\w)'[^'\n]*'(?!\w)")
_PART = regex.compile(r"[.!?。！？;；\n]+")
_DANGLING = regex.compile(r"\n[\W\d]{1,12}\Z")  # the mark of an item that has not come
_STEM = 5  # letters
_TELLS = regex.compile(r"[\p{L}\p{N}]")


def part_doubts(prompt: str, answer: str) -> list[Doubt]:
    """Doubts "fewer items than promised" (`curate.promises`) and "questions left open".

    A question is open where the prompt asks two to ten of them at its end, the answer has fewer sentences, lines or
    items than there are questions, and none of the question's own words: those that no other question has.
    """
    return [*promise_doubts(prompt, _DANGLING.sub("", answer)), *_open_questions(prompt, answer)]


def _open_questions(prompt: str, answer: str) -> list[Doubt]:
    text = _QUOTED.sub("", prompt.rstrip()) if len(prompt) <= _ASKING else ""
    if not text.endswith(("?", "？")):
        return []
    asked = [one.strip() for one in _QUESTION.findall(text)]
    given = max(items(answer), sum(1 for part in _PART.split(answer) if _TELLS.search(part)))
    if not 2 <= len(asked) <= 10 or given >= len(asked):
        return []
    said = _stems(answer)
    unanswered = [
        one for one, own in zip(asked, _own([_stems(one) for one in asked]), strict=True) if own and not own & said
    ]
    if not unanswered:
        return []
    share = len(unanswered) / len(asked)
    found = f"{len(unanswered)} of {len(asked)}: {excerpt(unanswered[0])}"
    return [Doubt("questions left open", found, MILD + 0.5 * share)]


def _stems(text: str) -> set[str]:
    """The terms of a text without their endings: what was asked as "collapse" may have "collapsed"."""
    return {term[:_STEM] for term in terms(text)}


def _own(every: list[set[str]]) -> list[set[str]]:
    """For each question the terms that only it has."""
    counts = Counter(chain.from_iterable(every))
    return [{term for term in one if counts[term] == 1} for one in every]
