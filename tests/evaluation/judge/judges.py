"""Judges behind a real endpoint of this process: right, biased, guessing, and broken in the ways that judges break."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tests.endpoints import Answer, Endpoint, completion
from tutelage import endpoint as client
from tutelage.evaluation.judge.known import KnownPair

Winner = Callable[["Shown"], str]


@dataclass(frozen=True)
class Shown:
    """What a judge sees: the names and texts between the fences, and in which language it is told what to do."""

    texts: dict[str, str]
    chinese: bool

    @property
    def both(self) -> tuple[str, str]:
        return self.texts["answer A"], self.texts["answer B"]


def shown(request: dict[str, Any]) -> Shown:
    system, user = (str(message["content"]) for message in request["messages"])
    mark = re.findall(r"\[end (\w{32})\]", system)[0]
    blocks = re.findall(rf"\[([\w ]+) {mark}\]\n(.*?)\n\[end {mark}\]", user, re.DOTALL)
    return Shown(dict(blocks), "评" in system or "打分" in system)


def judging(winner: Winner) -> Answer:
    """An endpoint's answers by a function of what is shown."""

    def answer(request: dict[str, Any], _: int) -> tuple[int, bytes]:
        return completion(json.dumps({"reason": "因为 it is so", "winner": winner(shown(request))}, ensure_ascii=False))

    return answer


def right(known: list[KnownPair]) -> Winner:
    """Prefers the better of each known pair, wherever it stands."""
    better = {one.pair.question: one.pair.second if one.outcome == 1 else one.pair.first for one in known}
    return lambda seen: "AB"[seen.both.index(better[seen.texts["question"]])]


def longer(seen: Shown) -> str:
    return "A" if len(seen.both[0]) > len(seen.both[1]) else "B"


def shorter(seen: Shown) -> str:
    return "A" if len(seen.both[0]) < len(seen.both[1]) else "B"


def guessing(seen: Shown) -> str:
    return "AB"[sha256("\0".join(seen.both).encode()).digest()[0] % 2]


def judge(server: Endpoint, **settings: Any) -> client.Endpoint:
    return client.Endpoint(server.url, "a-judge", **{"backoff": 0.01, "timeout": 5.0, "retries": 1} | settings)
