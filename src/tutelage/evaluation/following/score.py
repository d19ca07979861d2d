"""The score of instruction following: 0.3 format + 0.4 relevance + 0.2 completeness + 0.1 quality."""

from collections.abc import Sequence
from dataclasses import replace

import regex

from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.answer_form.structure import unified
from tutelage.evaluation.following.completeness import completeness
from tutelage.evaluation.following.component import EMPTY, Component, Following
from tutelage.evaluation.following.format import format_findings
from tutelage.evaluation.following.quality import quality
from tutelage.evaluation.following.relevance import Relevance

_SAYS_SOMETHING = regex.compile(r"[\p{L}\p{N}\p{S}]")


def following(exchanges: Sequence[Exchange], relevance: Relevance) -> list[Following]:
    """How well each answer follows its instruction, in their order. The score of one does not depend on the others.

    An answer without a letter, digit or sign is empty, and has 0 in all. Relevance looks at the first 8,000 characters
    of what texts are about, quality at the first 20,000 of an answer, the rest at all of it.
    """
    judged = [replace(one, prompt=unified(one.prompt), answer=unified(one.answer)) for one in exchanges]
    relevant = relevance.scores(judged)
    return [_following(one, relevant=score) for one, score in zip(judged, relevant, strict=True)]


def _following(one: Exchange, *, relevant: Component) -> Following:
    if not _SAYS_SOMETHING.search(one.answer):
        return Following(EMPTY, EMPTY, EMPTY, EMPTY)
    return Following(
        format=Component(*format_findings(one.prompt, one.answer)),
        relevance=relevant,
        completeness=completeness(one),
        quality=quality(one.prompt, one.answer),
    )
