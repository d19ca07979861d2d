"""Which of two answers is better, asked in both orders: a judge that looks at the place contradicts itself.

Where the two replies name different answers, the pair is a tie. Where one of them cannot be read, or failed, it is
unknown: neither a tie nor a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

from tutelage.endpoint import Endpoint, Messages, Reply
from tutelage.evaluation.judge.asking import DECODING, prompt_for, shown, why_unread
from tutelage.prompt import conclusion, reason

Choice = Literal["first", "second", "tie", "unknown"]

_MEANT: dict[str, tuple[Choice, Choice]] = {  # what is said -> what it means as shown, and with the answers swapped
    "a": ("first", "second"),
    "b": ("second", "first"),
    "tie": ("tie", "tie"),
}
_OUTCOMES = {"first": -1, "tie": 0, "second": 1}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to a question; `reference` is a right one, empty where none is known."""

    question: str
    first: str
    second: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge said of a pair in one order.

    Attributes:
        choice: the better answer by its name in the `Pair`, whatever place it was shown in.
        reason: the judge's; where the choice is unknown, why.
        reply: as it came.
    """

    choice: Choice
    reason: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """What a judge said of a pair.

    Attributes:
        opinions: with the first answer shown first, and with the second shown first.
        prompt: name and version of the prompt.
    """

    pair: Pair
    opinions: tuple[Opinion, Opinion]
    prompt: str

    @property
    def consistent(self) -> bool | None:
        """Whether both orders say the same; None where one is unknown."""
        one, other = (opinion.choice for opinion in self.opinions)
        return None if "unknown" in (one, other) else one == other

    @property
    def outcome(self) -> int | None:
        """1 where the second answer is better, -1 where the first is, 0 for a tie, None for unknown."""
        if self.consistent is None:
            return None
        return _OUTCOMES[self.opinions[0].choice] if self.consistent else 0

    def record(self) -> dict[str, Any]:
        """All of it for a line of JSON."""
        pair = self.pair
        texts = {"question": pair.question, "first": pair.first, "second": pair.second, "reference": pair.reference}
        opinions = [{"choice": one.choice, "reason": one.reason, "reply": one.reply} for one in self.opinions]
        return {**texts, "outcome": self.outcome, "opinions": opinions, "prompt": self.prompt}


def preferences(pairs: Sequence[Pair], judge: Endpoint, *, cache: Path) -> list[Preference]:
    """What a judge prefers, in the order of the pairs. Answers that are the same text are a tie: nobody is asked.

    Args:
        cache: folder of the replies that are known already.

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    told = dict.fromkeys(product(range(len(pairs)), (False, True)), Opinion("tie", "the answers are the same text"))
    asked = [(place, swapped) for place, swapped in told if pairs[place].first != pairs[place].second]
    messages = [_messages(pairs[place], swapped=swapped) for place, swapped in asked]
    for number, reply in judge.replies(messages, cache=cache, decoding=DECODING):
        place, swapped = asked[number]
        told[place, swapped] = opinion(reply, swapped=swapped)
    return [
        Preference(pair, (told[place, False], told[place, True]), prompt_for("pairwise", pair.question).version)
        for place, pair in enumerate(pairs)
    ]


def opinion(reply: Reply, *, swapped: bool) -> Opinion:
    """What a reply says of a pair whose second answer was shown as A (`swapped`) or as B."""
    fields = conclusion(reply.text, key="winner") or {}
    meant = _MEANT.get(normalize("NFKC", str(fields.get("winner"))).strip().casefold())
    if meant is None:
        return Opinion("unknown", why_unread(reply), reply.text)
    return Opinion(meant[swapped], reason(fields), reply.text)


def _messages(pair: Pair, *, swapped: bool) -> Messages:
    one, other = (pair.second, pair.first) if swapped else (pair.first, pair.second)
    texts = shown(pair.question, {"answer A": one, "answer B": other}, reference=pair.reference)
    return prompt_for("pairwise", pair.question).messages(texts)
