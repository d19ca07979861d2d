"""Whether an answer is whole: it ends, it was not cut off, it does not decline, and gives all that was asked for."""

from tutelage.curate.doubts import GRAVE, Doubt, score
from tutelage.curate.endings import ending_doubts
from tutelage.curate.form import is_code
from tutelage.curate.phrases import phrase_doubts
from tutelage.evaluation.answer_form.exchange import Exchange
from tutelage.evaluation.following.component import Component, Finding
from tutelage.evaluation.following.questions import part_doubts
from tutelage.text import language

_RAN_ON = GRAVE + 0.1  # as for what `ending_doubts` calls cut off


def completeness(exchange: Exchange) -> Component:
    """The score of an answer's completeness: what its doubts leave.

    "at the token limit" where the model did not stop by itself, or else "cut off" and "no mark at the end" (by
    `curate.endings`); "refusal", "no input", "boilerplate", "placeholder answer" (`curate.phrases`); "fewer items than
    promised", "questions left open". An answer without any doubt has 1, so cutting it somewhere cannot raise it.
    """
    prompt, answer = exchange.prompt, exchange.answer
    doubts = (*_ending(exchange), *phrase_doubts(prompt, answer), *part_doubts(prompt, answer))
    return Component(score(doubts), tuple(Finding(doubt.reason, doubt.detail, -doubt.cost) for doubt in doubts))


def _ending(exchange: Exchange) -> list[Doubt]:
    if not exchange.stopped:
        return [Doubt("at the token limit", "the model did not stop by itself", _RAN_ON)]
    answer = exchange.answer
    return ending_doubts(answer, language=language(answer[-200:]), code=is_code(answer))
